// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// run makes a run of a task that needs no lease.
func (s *Scheduler) run(e *entry, wanted int64) {
	defer s.wg.Done()
	s.perform(s.base, e, wanted)
}

// perform calls the task and accounts for it, also when the task ends its goroutine.
func (s *Scheduler) perform(ctx context.Context, e *entry, wanted int64) (err error) {
	begun := s.began(e, wanted)
	err = errGoexit
	defer func() { s.ended(e, begun, err) }()
	if e.task.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.task.Timeout)
		defer cancel()
	}
	err = call(ctx, e.task.Run)
	return err
}

// call calls f; a panic is an error.
func call(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f(ctx)
}

// began records the start of a run and returns when it was.
func (s *Scheduler) began(e *entry, wanted int64) int64 {
	now, wall := s.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.start = wall
	e.runs++
	if now-wanted > e.task.lateAfter() {
		e.late++
	}
	return now
}

// ended records the end of a run and gives its turn to the next.
func (s *Scheduler) ended(e *entry, begun int64, err error) {
	now, _ := s.now()
	if err != nil {
		s.complain(e, err)
	}
	e.mu.Lock()
	e.took, e.err = time.Duration(now-begun), err
	if err != nil {
		e.failures++
	}
	s.leaveLocked(e)
}

// leaveLocked gives the turn of a run of e to the next, and unlocks e.mu.
func (s *Scheduler) leaveLocked(e *entry) {
	e.running--
	e.outlasted = false
	again := e.pending > 0
	e.mu.Unlock()
	s.active.Add(-1)
	if !again && e.hold == nil && !s.hungry.Load() && !s.stopping.Load() {
		return
	}
	s.mu.Lock()
	if again && !s.stopping.Load() {
		s.awaitTurnLocked(e)
	}
	s.feedLocked()
	s.mu.Unlock()
	if e.hold != nil || s.stopping.Load() {
		s.kick()
	}
}

// complain logs the error of a run, and ends Serve where it shall.
func (s *Scheduler) complain(e *entry, err error) {
	if s.opts.StopOnError {
		s.fail(e.task.Name, err)
		return
	}
	attrs := []any{"task", e.task.Name, "error", err}
	var p *PanicError
	if errors.As(err, &p) {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	s.opts.Logger.Error("periodic task failed", attrs...)
}
