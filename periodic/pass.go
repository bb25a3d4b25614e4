// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"time"
)

// MaxIdle is the longest wait that RunDue returns.
const MaxIdle = time.Minute

// RunDue makes one pass, for programs that have a loop of their own, as oslo.service's
// run_periodic_tasks does: it runs what is due, one task after the other in the order in which they
// became due, and returns how long to wait before the next pass, at most MaxIdle. Between passes time
// goes on: an interval counts from the first pass, or from Add.
//
// The error is nil unless Options.StopOnError is set; then the first error of a task ends the pass.
// Tasks with a Scope need Serve, and are not run. RunDue and Serve refuse each other with ErrServing.
func (s *Scheduler) RunDue(ctx context.Context) (idleFor time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == serving || s.phase == passing {
		return 0, ErrServing
	}
	s.startLocked(ctx, passing)
	defer s.passedLocked()
	if !s.armed {
		s.armAllLocked(0)
	}
	now, wall := s.now()
	if s.calendars > 0 {
		s.followWall(now, wall)
	}
	for ctx.Err() == nil && !s.stopping.Load() {
		top, ok := s.queue.first()
		if !ok || top.at > now {
			break
		}
		s.passLocked(top.e, now)
		now, _ = s.now()
	}
	idleFor = MaxIdle
	if top, ok := s.queue.first(); ok {
		idleFor = max(0, min(idleFor, time.Duration(top.at-now)))
	}
	return idleFor, s.failure
}

// passLocked runs one task, in this goroutine; mu is free meanwhile.
func (s *Scheduler) passLocked(e *entry, now int64) {
	s.queue.drop()
	if e.tick != nil {
		e.due = parked
		return
	}
	wanted := e.due
	runs, missed := s.advance(e, now)
	s.pushLocked(e)
	e.mu.Lock()
	e.missed += uint64(missed)
	e.mu.Unlock()
	for range runs {
		if s.stopping.Load() {
			return
		}
		e.mu.Lock()
		e.running++
		e.mu.Unlock()
		s.active.Add(1)
		base := s.base
		s.mu.Unlock()
		func() {
			defer s.mu.Lock() // also when the task ends this goroutine
			s.perform(base, e, wanted)
		}()
	}
}

func (s *Scheduler) passedLocked() {
	s.cancel()
	s.phase = idle
	close(s.done)
}
