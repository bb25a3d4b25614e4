// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"cmp"
	"math"
	"sync"
	"time"
)

// parked is the due time of an entry that waits for nothing.
const parked = math.MinInt64

// never is the last start of a task that has had none.
const never = math.MinInt64 / 2

// An entry is something that the scheduler does at a time: a run of a task, or one of the two moments
// of a lease. Times are nanoseconds of the scheduler's clock, which starts at 0.
type entry struct {
	task *Task // nil for the moments of a lease
	hold *hold // nil for a task that every worker runs
	tick func(now int64)
	seq  uint64

	// Guarded by Scheduler.mu.
	due   int64 // when it is wanted next, or parked
	last  int64 // the start that the interval counts from, or never
	at    int64 // the date that due stands for, as Unix time; of a task with a Schedule
	ready bool  // waits in Scheduler.ready

	mu        sync.Mutex
	pending   int32 // runs that wait for the one before them or for their turn
	running   int32
	wanted    int64 // when the run was due that is pending or was begun last
	outlasted bool  // the overlap of this run was logged
	record
}

// A record is what State tells of the past of a task.
type record struct {
	start                                 int64 // Unix time of the last start, 0 before the first
	took                                  time.Duration
	err                                   error // of the last run that ended
	runs, failures, skipped, missed, late uint64
}

// runnable reports whether the scheduler runs the task at all.
func (e *entry) runnable(o *Options) bool {
	return !e.task.Disabled && !o.Disabled && !(e.task.External && o.SkipExternal)
}

// boundary returns the start that the next interval counts from, for a run that begins now: the latest
// multiple of the interval since last, so that a late run does not move the ones after it, and jitter.
// It is oslo.service's rule.
func boundary(last, every, now, jitter int64) int64 {
	if last == never {
		return now
	}
	return now - (now-last)%every + jitter
}

// jitter returns by how much a run is put off; r is random in [0, 1).
func (t *Task) jitter(r float64) int64 {
	switch {
	case t.Jitter > 0:
		return int64(r * float64(t.Jitter))
	case t.Jitter < 0 || t.Schedule != nil:
		return 0
	}
	return int64(t.Every.Seconds()*r/20) * int64(time.Second)
}

// lateAfter is how late a run may begin before it is counted as late.
func (t *Task) lateAfter() int64 {
	if t.Schedule == nil {
		return int64(min(time.Second, t.Every/2))
	}
	return int64(time.Second)
}

// missedAfter is how late a date may be met before it was missed; the next date ends it in any case.
const missedAfter = time.Minute

// arm says when a task is due for the first time, if the scheduler begins at base.
func (s *Scheduler) arm(e *entry, base int64) {
	now, wall := s.now()
	switch {
	case e.task.Immediately:
		e.last, e.at, e.due = never, wall+base-now, base
	case e.task.Schedule == nil:
		e.due = base + int64(cmp.Or(e.task.Delay, e.task.Every))
		e.last = e.due - int64(e.task.Every)
	default:
		s.plan(e, wall, now, wall)
	}
}

// armAfter says when a task is due that began its last run so long ago, in whatever process.
func (s *Scheduler) armAfter(e *entry, ago time.Duration) {
	now, wall := s.now()
	if e.task.Schedule == nil {
		e.last = now - int64(ago)
		e.due = e.last + int64(e.task.Every)
		return
	}
	s.plan(e, wall-int64(ago), now, wall)
}

// plan sets the first date of the calendar after the given one; a date that has passed is due now. A
// calendar without a date, or one that fails, parks its task.
func (s *Scheduler) plan(e *entry, after, now, wall int64) {
	next, err := ask(e.task.Schedule, time.Unix(0, after))
	if err == nil && !next.IsZero() && next.UnixNano() <= after {
		err = ErrBackward
	}
	if err != nil {
		s.opts.Logger.Error("periodic task has no next date", "task", e.task.Name, "error", err)
	}
	if err != nil || next.IsZero() {
		e.due = parked
		return
	}
	e.at = next.UnixNano()
	e.due = max(now, now+e.at-wall) + e.task.jitter(s.random())
}

// advance moves the task to its next time and returns how many runs its time has come for, and how
// many were missed.
func (s *Scheduler) advance(e *entry, now int64) (runs, missed int) {
	if e.task.Schedule != nil {
		return s.advanceDate(e, now)
	}
	every := int64(e.task.Every)
	if e.last != never {
		missed = int((now - e.due) / every)
	}
	e.last = boundary(e.last, every, now, e.task.jitter(s.random()))
	e.due = e.last + every
	return e.task.catchUp(missed, missed > 0)
}

func (s *Scheduler) advanceDate(e *entry, now int64) (runs, missed int) {
	_, wall := s.now()
	if wall < e.at { // the clock went back since due was set
		e.due = now + e.at - wall
		return 0, 0
	}
	lateBy := wall - e.at
	s.plan(e, e.at, now, wall)
	for e.due != parked && e.at <= wall {
		if missed++; missed == MaxBacklog { // however many more: nobody needs their number
			s.plan(e, wall, now, wall)
			break
		}
		s.plan(e, e.at, now, wall)
	}
	return e.task.catchUp(missed, missed > 0 || lateBy >= int64(missedAfter))
}

// catchUp returns how many runs to make now, after so many were missed besides the one that is due,
// and how many to count as missed. gone says that the one that is due counts as missed too.
func (t *Task) catchUp(missed int, gone bool) (runs, lost int) {
	switch {
	case t.CatchUp == CatchUpAll:
		runs = 1 + min(missed, MaxBacklog-1)
		return runs, missed + 1 - runs
	case t.CatchUp == CatchUpNone && gone:
		return 0, missed + 1
	}
	return 1, missed
}

// Limits of how the wall clock is followed.
const (
	wallCheck = int64(5 * time.Second)       // how often it is looked at, while there are tasks with a Schedule
	wallSlack = int64(20 * time.Millisecond) // a smaller difference is the work of its own adjustment
	wallBack  = int64(3 * time.Hour)         // a larger step back was the correction of a wrong clock
)

// followWall moves the tasks with a Schedule when the wall clock was set. A step forward makes dates
// due: CatchUp decides. After a step back a date that was met is not met again, unless the step was so
// large that the clock must have been wrong before: cron's rule.
func (s *Scheduler) followWall(now, wall int64) {
	step := wall - now - s.wallOffset
	if step > -wallSlack && step < wallSlack {
		return
	}
	s.wallOffset = wall - now
	s.opts.Logger.Info("the wall clock was set", "step", time.Duration(step))
	for _, e := range s.tasks {
		if e.task.Schedule == nil || e.due == parked {
			continue
		}
		if step < -wallBack {
			s.plan(e, wall, now, wall)
		} else {
			e.due = max(now, now+e.at-wall)
		}
		s.queue.abandon()
		if e.due != parked {
			s.queue.push(e)
		}
	}
}
