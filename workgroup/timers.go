// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup

import (
	"context"
	"errors"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

// Every runs looping.Every in the group: f is called every interval, as c says. What looping refuses is
// its error, a group that stops an error that wraps [ErrStopped]. The values of ctx are given to f.
func (g *Group) Every(ctx context.Context, c looping.Call, interval time.Duration, f func(context.Context) error) (*Handle, error) {
	if err := c.CheckEvery(interval, f); err != nil {
		return nil, err
	}
	return g.addTimer(ctx, &c, f, Timer, func(h *Handle) error {
		return c.Every(h.loop, interval, func(loop context.Context) error {
			return h.call(loop, c.Timeout, f)
		})
	})
}

// Dynamic runs looping.Dynamic in the group, as Every does looping.Every.
func (g *Group) Dynamic(ctx context.Context, c looping.Call, f func(context.Context) (time.Duration, error)) (*Handle, error) {
	if err := c.CheckDynamic(f); err != nil {
		return nil, err
	}
	return g.addTimer(ctx, &c, f, DynamicTimer, func(h *Handle) error {
		return c.Dynamic(h.loop, func(loop context.Context) (delay time.Duration, err error) {
			err = h.call(loop, c.Timeout, func(ctx context.Context) (err error) {
				delay, err = f(ctx)
				return err
			})
			return delay, err
		})
	})
}

// Backoff runs looping.Backoff in the group, as Every does looping.Every.
func (g *Group) Backoff(ctx context.Context, c looping.Call, p looping.Pace, f func(context.Context) (ok bool, err error)) (*Handle, error) {
	if err := c.CheckBackoff(p, f); err != nil {
		return nil, err
	}
	return g.addTimer(ctx, &c, f, BackoffTimer, func(h *Handle) error {
		return c.Backoff(h.loop, p, func(loop context.Context) (ok bool, err error) {
			err = h.call(loop, c.Timeout, func(ctx context.Context) (err error) {
				ok, err = f(ctx)
				return err
			})
			return ok, err
		})
	})
}

// addTimer begins a loop. It gives c the name of f, which a wrapped f has not.
func (g *Group) addTimer(ctx context.Context, c *looping.Call, f any, kind Kind, run func(*Handle) error) (*Handle, error) {
	if c.Name == "" {
		c.Name = looping.FuncName(f)
	}
	if c.Logger == nil {
		c.Logger = g.Logger
	}
	h := g.newHandle(ctx, c.Name, kind)
	h.run = func() error { return looping.Try(h.ctx, func(context.Context) error { return run(h) }) }
	if err := g.add(h); err != nil {
		h.cancel(nil)
		return nil, &WorkError{Group: g.name, Work: h.name, Err: err}
	}
	return h, nil
}

// call calls f for a timer. The context of f does not end when the loop is to end after this call, but
// does at the timeout of the loop.
func (h *Handle) call(loop context.Context, timeout time.Duration, f func(context.Context) error) error {
	if timeout == 0 {
		return f(h.ctx)
	}
	ctx, cancel := context.WithCancelCause(h.ctx)
	defer cancel(nil)
	defer context.AfterFunc(loop, func() {
		if cause := context.Cause(loop); cause != errQuit {
			cancel(cause)
		}
	})()
	err := f(ctx)
	if err != nil && loop.Err() != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return loop.Err()
	}
	return err
}
