// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Deadlines are nanoseconds since the timekeeper's epoch; these are special.
const (
	none   = 0             // no deadline
	passed = 1             // any time before the epoch: one set to fail at once
	never  = math.MaxInt64 // after all others
)

// scanPause is the least time between two scans for deadlines that the first one saw.
const scanPause = 10 * time.Millisecond

// A timekeeper has one timer for the read deadlines of all connections of a run. Each request sets
// half a dozen, nearly all of which are moved long before they come: setting those of the socket took
// 5 % of the CPU time of a small request, remembering them takes next to nothing.
type timekeeper struct {
	epoch time.Time
	scan  func()       // looks at all connections and tells their next deadline by sooner
	next  atomic.Int64 // no deadline comes before that without a scan

	mu      sync.Mutex // held to set the timer together with next
	timer   *time.Timer
	stopped bool
}

func newTimekeeper(scan func()) *timekeeper {
	k := &timekeeper{epoch: time.Now(), scan: scan}
	k.next.Store(never)
	return k
}

// at returns t as a deadline.
func (k *timekeeper) at(t time.Time) int64 {
	if t.IsZero() {
		return none
	}
	return max(passed, int64(t.Sub(k.epoch)))
}

func (k *timekeeper) now() int64 { return int64(time.Since(k.epoch)) }

// sooner makes sure of a scan at the deadline d.
func (k *timekeeper) sooner(d int64) {
	if d == none || d >= k.next.Load() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped || d >= k.next.Load() {
		return
	}
	k.next.Store(d)
	wait := time.Duration(d - k.now())
	if k.timer == nil {
		k.timer = time.AfterFunc(wait, k.fire)
	} else {
		k.timer.Reset(wait)
	}
}

// fire scans. Whoever stores a deadline and then finds next still in the past did so before the scan
// begins, so the scan sees it; whoever comes later finds never, and calls sooner.
func (k *timekeeper) fire() {
	k.mu.Lock()
	k.next.Store(never)
	k.mu.Unlock()
	k.scan()
}

// stop ends the timer; a scan that runs already is not waited for.
func (k *timekeeper) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	if k.timer != nil {
		k.timer.Stop()
	}
}
