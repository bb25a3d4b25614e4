// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
)

var (
	schedules = flag.Int("schedules", 5000, "how many random schedules to play")
	firstSeed = flag.Uint64("seed", 0, "seed of the first random schedule")
)

// TestGroupKeepsItsPromises runs groups of random order, speed and luck, stopped at random moments in
// random ways, and holds every call that they make to the contract. More of them, or one again:
//
//	go test ./service -run TestGroupKeepsItsPromises -schedules 100000
//	go test ./service -run TestGroupKeepsItsPromises -schedules 1 -seed 4711
func TestGroupKeepsItsPromises(t *testing.T) {
	for n := range uint64(*schedules) {
		seed := *firstSeed + n
		synctest.Test(t, func(t *testing.T) {
			m := newModel(seed)
			m.play(t)
			if t.Failed() {
				t.Fatalf("seed %d: %v", seed, m)
			}
		})
	}
}

// A model is a group whose members watch each other.
type model struct {
	rnd     *rand.Rand
	ordered bool // by After; else one by one
	members []*modelMember
	group   *service.Group

	mu     sync.Mutex
	events []string
	faults []string
}

type modelMember struct {
	m     *model
	name  string
	after []*modelMember

	startFor, serveFor, drainFor time.Duration
	startErr, serveErr, drainErr error
	deaf                         bool // takes longer than it may

	quit                     chan struct{}
	started, served, drained int  // calls that began
	up, ended                bool // Start returned nil, Serve returned
	draining                 bool // Shutdown runs
}

func newModel(seed uint64) *model {
	m := &model{rnd: rand.New(rand.NewPCG(seed, 0))}
	m.ordered = m.rnd.IntN(2) == 0
	for i := range 1 + m.rnd.IntN(6) {
		mm := &modelMember{
			m:        m,
			name:     string(rune('a' + i)),
			startFor: m.seconds(3),
			drainFor: m.seconds(4),
			deaf:     m.one(12),
		}
		if m.one(10) {
			mm.startErr = errBroken
		}
		if m.one(3) {
			mm.serveFor = m.seconds(20)
		}
		if m.one(3) {
			mm.serveErr = errBroken
		}
		if m.one(10) {
			mm.drainErr = errBroken
		}
		for _, other := range m.members {
			if m.ordered && m.one(3) || !m.ordered && other == m.members[i-1] {
				mm.after = append(mm.after, other)
			}
		}
		m.members = append(m.members, mm)
	}
	return m
}

func (m *model) one(in int) bool { return m.rnd.IntN(in) == 0 }
func (m *model) seconds(below int) time.Duration {
	return time.Duration(m.rnd.IntN(below*4)) * time.Second / 4
}

func (m *model) String() string {
	text := fmt.Sprintf("ordered %v\n", m.ordered)
	for _, mm := range m.members {
		text += fmt.Sprintf("%s: start %v %v, serve %v %v, drain %v %v, deaf %v, after", mm.name,
			mm.startFor, mm.startErr, mm.serveFor, mm.serveErr, mm.drainFor, mm.drainErr, mm.deaf)
		for _, a := range mm.after {
			text += " " + a.name
		}
		text += "\n"
	}
	for _, e := range m.events {
		text += e + "\n"
	}
	return text
}

// play runs the group twice, if the first run leaves nothing behind.
func (m *model) play(t *testing.T) {
	svcs := make([]service.Service, len(m.members))
	for i, mm := range m.members {
		svcs[i] = mm
		if m.ordered {
			var names []string
			for _, a := range mm.after {
				names = append(names, a.name)
			}
			svcs[i] = service.After(mm, names...)
		}
	}
	m.group = newGroup(t, svcs...)
	m.group.ShutdownTimeout = 3 * time.Second
	for range 2 {
		if !m.run(t) {
			break
		}
	}
	time.Sleep(time.Hour) // the deaf come to their end
	for _, fault := range m.faults {
		t.Error(fault)
	}
}

// run starts, serves and stops the group, and reports whether it can be started again.
func (m *model) run(t *testing.T) (again bool) {
	for _, mm := range m.members {
		mm.started, mm.served, mm.drained, mm.up, mm.ended = 0, 0, 0, false, false
	}
	startCtx, cancelStart := context.WithCancel(t.Context())
	defer cancelStart()
	serveCtx, cancelServe := context.WithCancel(t.Context())
	defer cancelServe()
	if m.one(4) {
		time.AfterFunc(m.seconds(8), cancelStart)
	}
	if m.one(4) {
		time.AfterFunc(m.seconds(20), cancelServe)
	}
	var stops sync.WaitGroup
	for range m.rnd.IntN(3) {
		at, timeout := m.seconds(20), m.seconds(6)
		stops.Go(func() {
			time.Sleep(at)
			ctx, cancel := context.WithTimeout(servicetest.Draining(t.Context(), service.Stop), timeout)
			defer cancel()
			m.group.Shutdown(ctx)
		})
	}
	err := m.group.Start(startCtx)
	if err == nil {
		time.AfterFunc(30*time.Second, func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			m.group.Shutdown(ctx)
		})
		err = m.group.Serve(serveCtx)
	}
	stops.Wait()
	m.note("over: %v", err)
	m.check(err)
	time.Sleep(time.Minute)
	return !m.hasDeaf()
}

func (m *model) hasDeaf() bool {
	for _, mm := range m.members {
		if mm.deaf {
			return true
		}
	}
	return false
}

// check is called when the run is over.
func (m *model) check(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mm := range m.members {
		if mm.up && mm.served != 1 {
			m.fault("%s started and was served %d times", mm.name, mm.served)
		}
		if mm.started > 1 || mm.drained > 1 {
			m.fault("%s: %d starts, %d shutdowns", mm.name, mm.started, mm.drained)
		}
		if !mm.deaf && (mm.up && !mm.ended || mm.draining) {
			m.fault("%s still runs", mm.name)
		}
	}
	s := m.group.State()
	if !s.Ended() || s == service.StateStopped && err != nil && err.Error() != "stopped while it started" {
		m.fault("state %v after %v", s, err)
	}
}

// note writes an event down; the caller holds no lock.
func (m *model) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, fmt.Sprintf(format, args...))
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// event writes an event down and judges it, with the lock held.
func (mm *modelMember) event(what string, judge func()) {
	m := mm.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, mm.name+" "+what)
	judge()
}

// dependents returns the members that come after mm, if only through others.
func (mm *modelMember) dependents() []*modelMember {
	var list []*modelMember
	for _, other := range mm.m.members {
		for _, a := range other.after {
			if a == mm {
				list = append(append(list, other), other.dependents()...)
			}
		}
	}
	return list
}

func (mm *modelMember) Name() string { return mm.name }

func (mm *modelMember) Start(ctx context.Context) error {
	mm.event("start", func() {
		mm.started++
		mm.quit = make(chan struct{})
		for _, a := range mm.after {
			if !a.up {
				mm.m.fault("%s starts before %s is ready", mm.name, a.name)
			}
		}
	})
	err := mm.pause(ctx, mm.startFor)
	if err == nil {
		err = mm.startErr
	}
	mm.event(fmt.Sprintf("started: %v", err), func() { mm.up = err == nil })
	return err
}

func (mm *modelMember) Serve(ctx context.Context) error {
	mm.event("serve", func() {
		mm.served++
		if !mm.up {
			mm.m.fault("%s is served before it has started", mm.name)
		}
	})
	defer mm.event("served", func() { mm.ended = true })
	var done <-chan time.Time
	if mm.serveFor > 0 {
		done = time.After(mm.serveFor)
	}
	select {
	case <-done:
		return mm.serveErr
	case <-mm.quit:
		return nil
	case <-ctx.Done():
		if mm.deaf {
			time.Sleep(10 * time.Second)
		}
		return ctx.Err()
	}
}

func (mm *modelMember) Shutdown(ctx context.Context) error {
	mm.event("shutdown", func() {
		mm.drained++
		mm.draining = true
		if !mm.up {
			mm.m.fault("%s is shut down and has not started", mm.name)
		}
		for _, d := range mm.dependents() {
			if ctx.Err() == nil && (d.up && !d.ended || d.draining) {
				mm.m.fault("%s is shut down before %s has ended", mm.name, d.name)
			}
		}
	})
	defer mm.event("shut down", func() { mm.draining = false })
	if err := mm.pause(ctx, mm.drainFor); err != nil {
		return err
	}
	close(mm.quit)
	return mm.drainErr
}

func (mm *modelMember) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		if mm.deaf {
			time.Sleep(10 * time.Second)
		}
		return ctx.Err()
	}
}
