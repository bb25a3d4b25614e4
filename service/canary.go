// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// A Canary says how a reload tries the new plan on one worker of each set before it goes on. The
// first new worker serves beside the old ones of its set for Time; if it ends, or is worse than they
// are, the reload is taken back. Sets that roll stop-first, and new sets, have nobody to be compared
// with and no canary. What is compared are the requests that package web counts.
type Canary struct {
	// Time for which the canary serves before it is judged; zero means no canary.
	Time time.Duration

	// Errors is by how much the share of its answers that are 500 or more may exceed that of the old
	// workers; default 0.05, negative means not at all.
	Errors float64

	// Slowdown is how many times as long as with the old workers a request may take, in the mean;
	// default 2, less than 1 is an error. Up to 5 ms more are never too slow.
	Slowdown float64

	// Requests that the canary, and the old workers together, must have answered for a comparison;
	// default 20. With fewer, the canary is only held to staying alive, and not to be stuck: requests
	// that take a second and more, where those of the old workers do not.
	Requests int
}

// setDefaults fills in what is zero.
func (c *Canary) setDefaults() {
	c.Errors = cmp.Or(c.Errors, 0.05)
	c.Slowdown = cmp.Or(c.Slowdown, 2)
	c.Requests = cmp.Or(c.Requests, 20)
}

// validate refuses what cannot be meant.
func (c *Canary) validate() error {
	switch {
	case c.Time < 0:
		return &OptionError{"canary time", c.Time, "0 or more"}
	case c.Errors > 1:
		return &OptionError{"canary errors", c.Errors, "a share, up to 1"}
	case c.Slowdown < 1:
		return &OptionError{"canary slowdown", c.Slowdown, "1 or more"}
	case c.Requests < 0:
		return &OptionError{"canary requests", c.Requests, "0 or more"}
	}
	return nil
}

const (
	lookEvery    = 10 * time.Millisecond // at how many requests run
	neverTooSlow = 5 * time.Millisecond
	surelyStuck  = time.Second // needs no many requests to be seen
)

// A tally is what workers did while a canary was tried.
type tally struct {
	before         uint64 // requests answered before that
	served, failed uint64
	running        int           // at the end
	area           time.Duration // requests that ran, times how long they ran
}

// requests returns how many there were, those that still run among them.
func (t tally) requests() int { return int(t.served) + t.running }

// mean returns how long a request took, or has taken: by Little's law, without a clock in any request.
func (t tally) mean() time.Duration { return t.area / time.Duration(max(t.requests(), 1)) }

// rate returns the share of answers that were failures.
func (t tally) rate() float64 { return float64(t.failed) / float64(max(t.served, 1)) }

// verdict says what is wrong with a canary beside the old workers; empty is nothing.
func (c Canary) verdict(canary, old tally) string {
	if old.before+old.served > 0 && canary.mean() > surelyStuck && c.tooSlow(canary.mean(), old) {
		return fmt.Sprintf("it is stuck: each of %d requests takes %v or more, with the old workers %v", canary.requests(), round(canary.mean()), round(old.mean()))
	}
	if least := uint64(c.Requests); canary.served < least || old.served < least {
		return ""
	}
	if canary.rate() > old.rate()+max(c.Errors, 0) {
		return fmt.Sprintf("%d of %d requests failed, with the old workers %d of %d", canary.failed, canary.served, old.failed, old.served)
	}
	if c.tooSlow(canary.mean(), old) {
		return fmt.Sprintf("a request takes %v in the mean, with the old workers %v", round(canary.mean()), round(old.mean()))
	}
	return ""
}

// tooSlow reports whether a request that takes d is slow beside the old workers' mean.
func (c Canary) tooSlow(d time.Duration, old tally) bool {
	return d > old.mean()+neverTooSlow && float64(d) > c.Slowdown*float64(old.mean())
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// judge compares a canary with the old workers of its set for a time and posts the verdict.
func (s *shell) judge(a core.Action) {
	ed := s.editions[a.Generation]
	if ed == nil {
		return // the change was dropped, and nobody waits
	}
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.ending, time.Duration(a.Nanos))
		defer cancel()
		canary, old := s.watch(ctx, a)
		if s.ending.Err() == nil {
			s.post(core.Event{Kind: core.EventJudged, Incarnation: a.Incarnation, Text: ed.plan.Canary.verdict(canary, old)})
		}
	})
}

// watch adds up what the canary and the old workers of its set do until ctx ends.
func (s *shell) watch(ctx context.Context, a core.Action) (canary, old tally) {
	begun := make(map[uint64]scoreboard.Counts) // by incarnation, as first seen
	now := make(map[uint64]scoreboard.Counts)   // as last seen
	area := make(map[uint64]time.Duration)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for last := time.Now(); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		t := time.Now()
		for inc, counts := range s.counts(a.Set) {
			if _, known := begun[inc]; !known {
				begun[inc] = counts
			}
			now[inc] = counts
			area[inc] += time.Duration(counts.Running) * t.Sub(last)
		}
		last = t
	}
	for inc, counts := range now {
		sum := &old
		if inc == a.Incarnation {
			sum = &canary
		}
		sum.before += begun[inc].Served
		sum.served += counts.Served - begun[inc].Served
		sum.failed += counts.Failed - begun[inc].Failed
		sum.running += counts.Running
		sum.area += area[inc]
	}
	return canary, old
}

// counts returns what the boards of a set's workers say, by incarnation.
func (s *shell) counts(set string) map[uint64]scoreboard.Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[uint64]scoreboard.Counts)
	for inc, c := range s.children {
		if c.identity.Set == set {
			counts[inc] = c.Board.Read()
		}
	}
	return counts
}
