// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// A Pace says how [Backoff] spaces its calls. The zero value has the defaults.
//
// Each delay has a factor r of its own, |a random number around Jitter|. After a success the interval
// is Start and the delay is Start*r. After a failure the delay is the interval*2*r, but at least Min
// and at most Max; then the interval is multiplied by 2*Jitter: by default it grows by one half.
type Pace struct {
	Start   time.Duration // first interval; 0 is 1 s
	Min     time.Duration // shortest delay after a failure; 0 is 1 ms
	Max     time.Duration // longest delay after a failure; 0 is 300 s
	Timeout time.Duration // of delays since the last success, calls not included; 0 is 300 s, negative no end
	Jitter  float64       // mean of r, 0.5 or more: with less, delays would shrink; 0 is 0.75

	// Random returns the next r, of which the absolute value is used. Nil is a normal distribution
	// with mean Jitter and standard deviation 0.1.
	Random func() float64
}

// Backoff calls f at once and again after delays that grow as long as f returns false, and are short
// again once it returns true, until f returns an error or [Done], or ctx ends. Where the delays since
// the last success would be more than the Timeout of p it returns an error that wraps [ErrTimeout].
// Else the package comment says what it returns.
func Backoff(ctx context.Context, p Pace, f func(context.Context) (ok bool, err error)) error {
	return plain.Backoff(ctx, p, f)
}

// Backoff is the function [Backoff] with the choices of c. With GoOn an error is reported and is a
// failure; Timeout of c is that of the loop as a whole.
func (c Call) Backoff(ctx context.Context, p Pace, f func(context.Context) (ok bool, err error)) error {
	if err := c.CheckBackoff(p, f); err != nil {
		return err
	}
	if c.Timeout > 0 {
		return c.until(ctx, f, func(ctx context.Context, c *Call) error { return c.Backoff(ctx, p, f) })
	}
	p.setDefaults()
	b := backoff{Pace: p, interval: float64(p.Start)}
	var w pause
	err := w.wait(ctx, c.InitialDelay)
	for err == nil {
		var ok, over bool
		callErr := Try(ctx, func(ctx context.Context) (err error) {
			ok, err = f(ctx)
			return err
		})
		if callErr != nil {
			if over, err = c.settle(ctx, f, callErr); over {
				return err
			}
			ok = false
		}
		delay, more := b.next(ok)
		if !more {
			return fmt.Errorf("looping call %s: %w after %v of failures", c.name(f), ErrTimeout, b.failing)
		}
		err = w.wait(ctx, delay)
	}
	return err
}

// CheckBackoff is CheckEvery for Backoff.
func (c Call) CheckBackoff(p Pace, f func(context.Context) (ok bool, err error)) error {
	interval := func(d time.Duration) bool { return d == 0 || d >= MinInterval && d <= MaxInterval }
	switch {
	case f == nil:
		return c.refuse("function", "nil", "a function")
	case c.PhaseLocked:
		return c.refuseFor(f, "PhaseLocked", true, "false: there is no fixed interval")
	case c.Max != 0:
		return c.refuseFor(f, "Max", c.Max, "0: that of the Pace counts")
	case !interval(p.Start):
		return c.refuseFor(f, "Start", p.Start, "0 or "+wantInterval)
	case !interval(p.Min):
		return c.refuseFor(f, "Min", p.Min, "0 or "+wantInterval)
	case !interval(p.Max):
		return c.refuseFor(f, "Max", p.Max, "0 or "+wantInterval)
	case p.Jitter != 0 && !(p.Jitter >= 0.5 && p.Jitter <= 100):
		return c.refuseFor(f, "Jitter", p.Jitter, "0 or 0.5 to 100")
	}
	p.setDefaults()
	if p.Min > p.Max {
		return c.refuseFor(f, "Min", p.Min, fmt.Sprintf("at most Max, %v", p.Max))
	}
	return c.check(f)
}

func (p *Pace) setDefaults() {
	if p.Start == 0 {
		p.Start = time.Second
	}
	if p.Min == 0 {
		p.Min = time.Millisecond
	}
	if p.Max == 0 {
		p.Max = 300 * time.Second
	}
	if p.Timeout == 0 {
		p.Timeout = 300 * time.Second
	}
	if p.Jitter == 0 {
		p.Jitter = 0.75
	}
	if p.Random == nil {
		mean := p.Jitter
		p.Random = func() float64 { return rand.NormFloat64()*0.1 + mean }
	}
}

// A backoff is the state of one loop.
type backoff struct {
	Pace
	interval float64       // in nanoseconds; not bounded by Max, as upstream
	failing  time.Duration // delays since the last success
}

// next returns the delay after a call; more is false where it would be beyond Timeout.
func (b *backoff) next(ok bool) (delay time.Duration, more bool) {
	r := math.Abs(b.Random())
	if ok {
		b.interval, b.failing = float64(b.Start), 0
		return nanoseconds(b.interval * r), true
	}
	delay = min(max(nanoseconds(b.interval*2*r), b.Min), b.Max)
	b.interval = max(b.interval*2*b.Jitter, float64(b.Min))
	b.interval = min(b.interval, math.MaxInt64) // far beyond any Max, and finite
	if b.Timeout > 0 && b.failing+delay > b.Timeout {
		return 0, false
	}
	b.failing += delay
	return delay, true
}

// nanoseconds rounds, and turns what no wait may be, as from a strange Random, into the longest.
func nanoseconds(ns float64) time.Duration {
	if !(ns < float64(MaxInterval)) {
		return MaxInterval
	}
	return time.Duration(math.Round(ns))
}
