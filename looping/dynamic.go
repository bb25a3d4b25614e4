// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"math"
	"time"
)

// Longest is what the function of [Call.Dynamic] returns that has no delay of its own: the next call
// comes after Call.Max.
const Longest time.Duration = math.MinInt64

// errorDelay is waited by Dynamic after an error that came without a delay, where GoOn is set.
// At once again would be a loop that does nothing but fail.
const errorDelay = time.Second

// Dynamic calls f at once and then each time after the delay that f returned, from its end, until f
// returns an error or [Done], or ctx ends. The package comment says what it returns.
func Dynamic(ctx context.Context, f func(context.Context) (time.Duration, error)) error {
	return plain.Dynamic(ctx, f)
}

// Dynamic is the function [Dynamic] with the choices of c: a delay is at most Max. 0 and below is no
// delay, except [Longest], which stands for Max and is an [*OptionError] where there is none. With
// GoOn, after an error, the delay is what f returned with it if that is above 0, else Max, else a
// second.
func (c Call) Dynamic(ctx context.Context, f func(context.Context) (time.Duration, error)) error {
	if err := c.CheckDynamic(f); err != nil {
		return err
	}
	if c.Timeout > 0 {
		return c.until(ctx, f, func(ctx context.Context, c *Call) error { return c.Dynamic(ctx, f) })
	}
	var p pause
	err := p.wait(ctx, c.InitialDelay)
	for err == nil {
		var (
			delay time.Duration
			over  bool
		)
		callErr := Try(ctx, func(ctx context.Context) (err error) {
			delay, err = f(ctx)
			return err
		})
		if callErr != nil {
			if over, err = c.settle(ctx, f, callErr); over {
				return err
			}
			delay = c.delayAfterError(delay)
		}
		if delay == Longest && c.Max == 0 {
			return c.refuseFor(f, "Max", c.Max, "above 0, since the function returned Longest")
		}
		if c.Max > 0 && (delay == Longest || delay > c.Max) {
			delay = c.Max
		}
		err = p.wait(ctx, delay)
	}
	return err
}

func (c *Call) delayAfterError(delay time.Duration) time.Duration {
	switch {
	case delay > 0:
		return delay
	case c.Max > 0:
		return c.Max
	}
	return errorDelay
}
