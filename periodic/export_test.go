// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"sync/atomic"
	"time"
)

// Boundary is the rule for the start that the next interval counts from.
func Boundary(last, spacing, now, jitter int64) int64 { return boundary(last, spacing, now, jitter) }

// Never is the last start of a task that has had none.
const Never = never

// JitterOf returns by how much a task is put off, for a random number.
func JitterOf(t Task, r float64) time.Duration { return time.Duration(t.jitter(r)) }

// SetRandom replaces the random numbers of s.
func SetRandom(s *Scheduler, random func() float64) { s.random = random }

// A Clock can be moved, beside the time that goes by.
type Clock struct{ mono, wall atomic.Int64 }

// SetClock gives s a clock that can be moved. Call it before anything else.
func SetClock(s *Scheduler) *Clock {
	c := new(Clock)
	now := s.now
	s.now = func() (int64, int64) {
		mono, wall := now()
		return mono + c.mono.Load(), wall + c.wall.Load()
	}
	return c
}

// StepWall sets the wall clock, as an operator does.
func (c *Clock) StepWall(d time.Duration) { c.wall.Add(int64(d)) }

// Pause is what a process sees that was stopped: both clocks went on.
func (c *Clock) Pause(s *Scheduler, d time.Duration) {
	c.mono.Add(int64(d))
	c.wall.Add(int64(d))
	s.kick()
}

// QueueLen returns how many slots the queue has.
func QueueLen(s *Scheduler) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.len()
}
