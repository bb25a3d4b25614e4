// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Scheduler runs periodic tasks as a service. It is what [Tasks] stands for, with [Options], and
// with tasks that come and go while it runs. Its methods may be called by many goroutines.
type Scheduler struct {
	opts  Options
	now   func() (mono, wall int64)
	wakec chan struct{}

	// Read without mu where runs end, so that most ends take no lock that others need.
	active   atomic.Int32 // runs
	hungry   atomic.Bool  // ready is not empty
	stopping atomic.Bool

	mu         sync.Mutex
	random     func() float64
	tasks      map[string]*entry
	queue      queue
	ready      []*entry // due, waiting for their turn
	seq        uint64
	armed      bool  // entries have a time
	calendars  int   // tasks with a Schedule
	wallOffset int64 // of the wall clock from ours, when it was looked at last
	holds      []*hold
	host       Leases
	phase      phase
	base       context.Context // of all runs
	cancel     context.CancelFunc
	failure    error
	done       chan struct{}  // closed when Serve has returned
	wg         sync.WaitGroup // runs, and calls for leases
}

type phase uint8

const (
	idle      phase = iota
	stillborn       // Shutdown came before Serve
	serving
	passing // RunDue
)

// New returns a scheduler with those tasks. The error is a TaskError for the first task that is
// refused, or names an option.
func New(opts Options, tasks ...Task) (*Scheduler, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	epoch := time.Now()
	s := &Scheduler{
		opts:   opts,
		now:    func() (int64, int64) { t := time.Now(); return int64(t.Sub(epoch)), t.UnixNano() },
		random: rand.Float64,
		wakec:  make(chan struct{}, 1), // one wake-up stands for all that come before it is seen
		tasks:  make(map[string]*entry, len(tasks)),
	}
	for i := range tasks {
		if err := s.Add(tasks[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Name returns Options.Name.
func (s *Scheduler) Name() string { return s.opts.Name }

// Add adds a task, also while Serve runs: it is due one interval from now, at its next date, or at once
// if it is Immediately. The error is a TaskError; ErrDuplicate is among its causes.
func (s *Scheduler) Add(t Task) error {
	t.home = nil
	_, wall := s.now()
	if err := t.validate(time.Unix(0, wall)); err != nil {
		return err
	}
	e := &entry{task: &t, due: parked, last: never}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.tasks[t.Name]; taken {
		return &TaskError{Task: t.Name, Field: "Name", Value: t.Name, Err: ErrDuplicate}
	}
	if t.Scope != EveryWorker {
		leases, err := s.leasesLocked(&t)
		if err != nil {
			return err
		}
		e.hold = newHold(s, e, leases)
	}
	// The map's key is the copy's: the caller's strings may be parts of large ones.
	t.Name = strings.Clone(t.Name)
	s.tasks[t.Name] = e
	if t.Schedule != nil {
		s.calendars++
	}
	s.enrolLocked(e)
	if s.armed {
		now, _ := s.now()
		s.beginLocked(e, now)
		s.kick()
	}
	return nil
}

// Remove removes a task, and reports whether there was one of that name. A run that is under way goes
// on; a lease is released after it.
func (s *Scheduler) Remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.tasks[name]
	if !ok {
		return false
	}
	delete(s.tasks, name)
	if e.task.Schedule != nil {
		s.calendars--
	}
	s.parkLocked(e)
	e.mu.Lock()
	e.pending = 0
	e.mu.Unlock()
	if e.hold != nil {
		e.hold.leaving = true
		s.kick()
	}
	return true
}

// enrolLocked gives e its place among what is due at the same time.
func (s *Scheduler) enrolLocked(e *entry) {
	s.seq++
	e.seq = s.seq
}

// beginLocked puts a task into the queue for the first time.
func (s *Scheduler) beginLocked(e *entry, base int64) {
	switch {
	case !e.runnable(&s.opts):
	case e.hold != nil:
		e.hold.beginLocked(base)
	default:
		s.arm(e, base)
		s.pushLocked(e)
	}
}

func (s *Scheduler) pushLocked(e *entry) {
	if e.due != parked {
		s.queue.push(e)
	}
}

func (s *Scheduler) parkLocked(e *entry) {
	if e.due != parked {
		e.due = parked
		s.queue.abandon()
	}
}

// kick wakes the loop.
func (s *Scheduler) kick() {
	select {
	case s.wakec <- struct{}{}:
	default:
	}
}

// Start makes a Scheduler that was shut down ready to serve again.
func (s *Scheduler) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == stillborn {
		s.phase = idle
	}
	return nil
}

// Check says, without side effects, whether the scheduler could serve: New has found out.
func (s *Scheduler) Check(context.Context) error { return nil }

// Serve runs the tasks until Shutdown has drained them, or until ctx is cancelled, which cancels the
// contexts of those that run. In either case it waits for them and releases the leases. The error is nil
// but for Options.StopOnError. A Scheduler whose Serve has returned can serve again; its tasks begin
// anew.
func (s *Scheduler) Serve(ctx context.Context) error {
	s.mu.Lock()
	switch s.phase {
	case serving, passing:
		s.mu.Unlock()
		return ErrServing
	case stillborn:
		s.phase = idle
		s.mu.Unlock()
		return nil
	}
	s.startLocked(ctx, serving)
	s.armAllLocked(int64(s.random() * float64(s.opts.FuzzyDelay)))
	s.mu.Unlock()

	s.loop(ctx)

	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked()
}

func (s *Scheduler) startLocked(ctx context.Context, p phase) {
	s.phase = p
	s.base, s.cancel = context.WithCancel(ctx)
	s.stopping.Store(false)
	s.failure = nil
	s.done = make(chan struct{})
}

func (s *Scheduler) endLocked() error {
	s.disarmLocked()
	s.phase = idle
	close(s.done)
	return s.failure
}

// disarmLocked takes all times from all tasks. Nothing runs.
func (s *Scheduler) disarmLocked() {
	s.armed = false
	s.queue, s.ready = queue{}, nil
	s.hungry.Store(false)
	for _, e := range s.tasks {
		e.due, e.pending, e.ready = parked, 0, false
	}
	for _, h := range s.holds {
		h.keep.due, h.expiry.due = parked, parked
	}
}

// armAllLocked gives all tasks their first time; they begin after delay.
func (s *Scheduler) armAllLocked(delay int64) {
	s.disarmLocked()
	now, wall := s.now()
	s.wallOffset = wall - now
	s.armed = true
	for _, e := range s.tasks {
		s.beginLocked(e, now+delay)
	}
}

// Shutdown drains: no run begins any more, those that were begun are waited for. If ctx ends before
// them the error is a LateError; then cancelling Serve's context is what remains. Before Serve it makes
// that return at once.
func (s *Scheduler) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	switch s.phase {
	case idle:
		s.phase = stillborn
		fallthrough
	case stillborn:
		s.mu.Unlock()
		return nil
	}
	s.stopping.Store(true)
	done := s.done
	s.mu.Unlock()
	s.kick()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return s.lateError(context.Cause(ctx))
	}
}

// lateError names the tasks that run.
func (s *Scheduler) lateError(cause error) error {
	late := &LateError{Err: cause}
	for _, st := range s.States() {
		if st.Running == 0 {
			continue
		}
		if late.Count++; len(late.Tasks) < 10 {
			late.Tasks = append(late.Tasks, fmt.Sprintf("%s (since %v)", st.Name, time.Duration(st.RunningMillis)*time.Millisecond))
		}
	}
	if late.Count == 0 {
		late.Tasks = []string{"the release of leases"}
	}
	return late
}

// fail ends Serve because of a task.
func (s *Scheduler) fail(task string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = &RunError{Task: task, Err: err}
	}
	s.stopping.Store(true)
	s.cancel()
	s.kick()
}
