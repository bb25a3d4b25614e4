// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"time"
)

// coalesce is how long the loop sleeps at least when it has more to do than wake-ups are worth: what
// falls due meanwhile is done with the next one.
const (
	coalesce     = int64(200 * time.Microsecond)
	coalesceFrom = 8 // things done in one turn
)

// idleWait is how long the loop sleeps with nothing to wait for.
const idleWait = time.Hour

// loop does what is due, in one goroutine with one timer, until all has come to its end. Runs have
// goroutines of their own, from their start on.
func (s *Scheduler) loop(ctx context.Context) {
	timer := time.NewTimer(idleWait)
	defer timer.Stop()
	cancelled := ctx.Done()
	for {
		s.mu.Lock()
		wait, over := s.turnLocked()
		s.mu.Unlock()
		if over {
			return
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.wakec:
		case <-cancelled:
			cancelled = nil
			s.stopping.Store(true)
		}
	}
}

// turnLocked does what is due and returns how long to sleep then, or that Serve is over.
func (s *Scheduler) turnLocked() (wait time.Duration, over bool) {
	now, wall := s.now()
	if s.calendars > 0 {
		s.followWall(now, wall)
	}
	done := 0
	for {
		top, ok := s.queue.first()
		if !ok || top.at > now {
			break
		}
		done++
		s.dueLocked(top.e, now)
	}
	if s.hungry.Load() {
		s.feedLocked()
	}
	if s.letGoLocked() && s.stopping.Load() && s.active.Load() == 0 {
		return 0, true
	}
	return s.sleepLocked(now, done), false
}

// dueLocked does what the first of the queue is due for.
func (s *Scheduler) dueLocked(e *entry, now int64) {
	switch {
	case e.tick != nil:
		s.queue.drop()
		e.due = parked
		e.tick(now)
	case s.stopping.Load():
		s.queue.drop()
		e.due = parked
	default:
		s.beatLocked(e, now)
		if e.due == parked {
			s.queue.drop()
		} else {
			s.queue.again()
		}
	}
}

func (s *Scheduler) sleepLocked(now int64, done int) time.Duration {
	top, ok := s.queue.first()
	if !ok {
		if s.calendars > 0 {
			return time.Duration(wallCheck)
		}
		return idleWait
	}
	wait := top.at - now
	if done >= coalesceFrom {
		wait = max(wait, coalesce)
	}
	if s.calendars > 0 {
		wait = min(wait, wallCheck)
	}
	return time.Duration(max(0, wait))
}

// beatLocked begins the runs that a task is due for, or counts why not.
func (s *Scheduler) beatLocked(e *entry, now int64) {
	wanted := e.due
	runs, missed := s.advance(e, now)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.missed += uint64(missed)
	if runs == 0 {
		return
	}
	if busy := e.pending > 0 || e.running > 0; busy {
		room := 0
		if e.task.Overlap != OverlapSkip {
			room = MaxBacklog - int(e.pending)
		}
		if runs > room {
			s.skippedLocked(e, runs-room, now)
			runs = room
		}
	}
	if runs == 0 {
		return
	}
	if e.pending == 0 {
		e.wanted = wanted
	}
	e.pending += int32(runs)
	s.launchLocked(e)
}

// skippedLocked counts runs that are left out because one still runs, and says so once for that one.
func (s *Scheduler) skippedLocked(e *entry, n int, now int64) {
	e.skipped += uint64(n)
	if e.outlasted {
		return
	}
	e.outlasted = true
	_, wall := s.now()
	s.opts.Logger.Warn("periodic task outlasts its interval", "task", e.task.Name,
		"running", e.running, "waiting", e.pending, "last_start", time.Duration(wall-e.start).Truncate(time.Millisecond))
}

// launchLocked begins pending runs of e as far as it may; the rest waits for its turn. It needs mu and
// e.mu.
func (s *Scheduler) launchLocked(e *entry) {
	for e.pending > 0 && (e.running == 0 || e.task.Overlap == OverlapConcurrent) {
		if s.stopping.Load() || s.base.Err() != nil {
			return
		}
		if int(s.active.Load()) >= s.opts.Concurrency {
			s.awaitTurnLocked(e)
			return
		}
		e.pending--
		e.running++
		s.active.Add(1)
		s.wg.Add(1)
		if e.hold != nil {
			go s.runLeased(e, e.wanted)
		} else {
			go s.run(e, e.wanted)
		}
	}
}

// awaitTurnLocked puts e behind those that wait for a turn.
func (s *Scheduler) awaitTurnLocked(e *entry) {
	if !e.ready {
		e.ready = true
		s.ready = append(s.ready, e)
		s.hungry.Store(true)
	}
}

// feedLocked gives turns to those that wait for one. Whoever stores hungry looks at active again, by
// calling this, and whoever lowers active looks at hungry: so no turn is lost between the two.
func (s *Scheduler) feedLocked() {
	n := 0
	for n < len(s.ready) && int(s.active.Load()) < s.opts.Concurrency && !s.stopping.Load() {
		e := s.ready[n]
		s.ready[n] = nil
		n++
		e.ready = false
		e.mu.Lock()
		s.launchLocked(e)
		e.mu.Unlock()
	}
	s.ready = s.ready[n:]
	if s.stopping.Load() || len(s.ready) == 0 {
		s.ready = nil
		s.hungry.Store(false)
	}
}
