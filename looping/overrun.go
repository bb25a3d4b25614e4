// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"sync"
	"time"
)

// An Overrun says that [Every] could not start calls when they were due: a call outlasted its interval,
// or the process stood still.
type Overrun struct {
	Call     string // name of the loop
	Interval time.Duration
	Took     time.Duration // how long the call took; 0 if the process stood still
	Late     time.Duration // how much later than due a call starts by that
	Skipped  int           // starts left out, with PhaseLocked or after a standstill
}

func (b *beats) report(o Overrun) {
	if b.call.OnOverrun == nil {
		if unlogged, ok := overrunLog.allow(time.Now()); ok {
			b.log(o, unlogged)
		}
		return
	}
	o.Call, o.Interval = b.call.name(b.f), b.interval
	b.call.OnOverrun(o)
}

func (b *beats) log(o Overrun, unlogged int) {
	b.call.logger().Warn("looping call outlasted its interval", "call", b.call.name(b.f), "interval", b.interval,
		"took", o.Took, "late", o.Late, "skipped", o.Skipped, "unlogged", unlogged)
}

// overrunLog bounds what the loops of this process log together. A machine that stands still makes all
// loops late at once: 100,000 lines then kept 100,000 loops late for seconds, and doubled their stacks.
var overrunLog limit

const logsPerSecond = 10

// A limit lets logsPerSecond lines pass in a second.
type limit struct {
	mu       sync.Mutex
	since    time.Time // when the second began
	lines    int
	unlogged int
}

// allow reports whether a line may be logged, and how many were not since the last one.
func (l *limit) allow(now time.Time) (unlogged int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := now.Sub(l.since); d >= time.Second || d < 0 { // below 0 between fake time and real
		l.since, l.lines = now, 0
	}
	if l.lines == logsPerSecond {
		l.unlogged++
		return 0, false
	}
	l.lines++
	unlogged, l.unlogged = l.unlogged, 0
	return unlogged, true
}
