// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"time"
)

// Every calls f at once and then every interval, from start to start, until f returns an error or
// [Done], or ctx ends. The package comment says what it returns and when calls start. The interval is
// from [MinInterval] to [MaxInterval].
func Every(ctx context.Context, interval time.Duration, f func(context.Context) error) error {
	return every(ctx, &plain, interval, f)
}

// Every is the function [Every] with the choices of c.
func (c Call) Every(ctx context.Context, interval time.Duration, f func(context.Context) error) error {
	return every(ctx, &c, interval, f)
}

// every is the loop.
//
// Programs have goroutines by the ten thousand in here: what waits in this function must fit, with the
// runtime's frames below and the caller's above it, into the smallest stack (2 kB, of which 1.1 are
// usable), or it takes twice the memory. So the only wait is here, whatever can be elsewhere is, and
// there is no defer. TestWaitingFitsIntoTheSmallestStack holds that.
func every(ctx context.Context, c *Call, interval time.Duration, f func(context.Context) error) error {
	if err := c.checkEvery(interval, f); err != nil {
		return err
	}
	if c.Timeout > 0 {
		return everyUntil(ctx, c, interval, f)
	}
	b := beats{call: c, interval: interval, f: f}
	b.begin()
	for {
		if b.wait {
			select {
			case b.due = <-b.ticker.C:
			case <-ctx.Done():
			}
		}
		if err := b.before(ctx); err != nil {
			return err
		}
		if over, err := b.after(ctx, Try(ctx, f)); over {
			return err
		}
	}
}

// everyUntil is every with a timeout.
func everyUntil(ctx context.Context, c *Call, interval time.Duration, f func(context.Context) error) error {
	return c.until(ctx, f, func(ctx context.Context, c *Call) error { return every(ctx, c, interval, f) })
}
