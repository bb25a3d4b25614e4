// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"log/slog"
	"sync"
	"time"
)

// A limiter is oslo.log's rate limit: so many records of all loggers in an interval, the rest is dropped.
type limiter struct {
	burst    int
	interval time.Duration
	except   slog.Level

	mu      sync.Mutex
	end     time.Time // of the interval
	count   int       // in it
	dropped int       // in it
}

// newLimiter returns nil if there is no limit.
func newLimiter(p *plan) *limiter {
	if p.RateBurst < 1 || p.RateInterval < 1 {
		return nil
	}
	v := &limiter{burst: p.RateBurst, interval: time.Duration(p.RateInterval) * time.Second, except: p.except}
	v.end = time.Now().Add(v.interval)
	return v
}

// allow reports whether a record of that level is logged. It says itself where records begin to be
// dropped and, when the next one comes, how many were.
func (v *limiter) allow(l *Log, level slog.Level) bool {
	if level >= v.except {
		return true
	}
	now := time.Now()
	v.mu.Lock()
	dropped := 0
	if !now.Before(v.end) {
		dropped = v.dropped
		v.end, v.count, v.dropped = now.Add(v.interval), 0, 0
	}
	v.count++
	ok := v.count <= v.burst
	first := v.count == v.burst+1
	if !ok {
		v.dropped++
	}
	v.mu.Unlock()
	if dropped > 0 {
		l.write(l.notice(slog.LevelWarn, "Logging rate limit: records dropped", "count", dropped))
	}
	if first {
		l.write(l.notice(slog.LevelError, "Logging rate limit: dropping", "burst", v.burst, "interval", v.interval))
	}
	return ok
}
