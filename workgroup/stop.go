// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup

import (
	"context"
	"errors"
	"slices"
	"time"
)

// slow is how often a wait without end says what it waits for.
const slow = 30 * time.Second

// StopTimers stops all timers and waits for the calls that run, except that of its caller, until ctx
// ends. Work goes on, and new timers can be added.
func (g *Group) StopTimers(ctx context.Context) error {
	g.mu.Lock()
	for h := range g.timers {
		h.stopLocked(false)
	}
	g.mu.Unlock()
	return g.await(ctx, true)
}

// Stop stops the group now: timers first, then all contexts are cancelled, and what is queued is taken
// back. It waits until all has ended; the end of ctx ends that with a [*RunningError], and Stop may be
// called again. Called by a function of the group, with its context, it leaves that alone.
func (g *Group) Stop(ctx context.Context) error {
	g.close(g.memberOf(ctx), true)
	return g.await(ctx, false)
}

// Shutdown stops the group gracefully: timers make no further call, then what runs is waited for, and
// what is queued runs. At the end of ctx the rest is cancelled as by Stop, and the error is a
// [*RunningError]; a Stop may follow to wait for it. A caller of the group is left alone as by Stop.
func (g *Group) Shutdown(ctx context.Context) error {
	g.close(g.memberOf(ctx), false)
	err := g.await(ctx, false)
	if err != nil {
		g.close(g.memberOf(ctx), true)
	}
	return err
}

// Wait waits until nothing runs and nothing is queued; with timers that is when they have ended. It
// returns what [Group.Errors] returns, joined. The end of ctx ends it with a [*RunningError].
func (g *Group) Wait(ctx context.Context) error {
	if err := g.await(ctx, false); err != nil {
		return err
	}
	switch errs := g.Errors(); len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	default:
		return errorList(errs)
	}
}

// Start opens a group that was stopped, for another time; one that is open is ready. It fails while
// members of the time before still run.
func (g *Group) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping && g.started {
		if names := g.namesLocked(false, nil); len(names) > 0 {
			return &RunningError{Group: g.name, Names: names, Err: errors.New("not started again")}
		}
		g.stopping, g.stopped, g.errs = false, make(chan struct{}), nil
	}
	g.started = true // a stop before the first Start holds: the launcher may be faster
	return nil
}

// Serve returns nil when the group was stopped and all its members have ended. The end of ctx stops it
// at once. What members fail with is logged and kept, and is no error of Serve.
func (g *Group) Serve(ctx context.Context) error {
	g.mu.Lock()
	stopped := g.stopped
	g.started = true
	g.mu.Unlock()
	select {
	case <-stopped:
	case <-ctx.Done():
	}
	if ctx.Err() == nil && g.await(ctx, false) == nil {
		return nil
	}
	g.close(nil, true)
	return g.await(context.WithoutCancel(ctx), false)
}

// close lets nothing in any more and asks timers, or all, to end. It does not wait.
func (g *Group) close(self *Handle, now bool) {
	g.mu.Lock()
	if !g.stopping {
		g.stopping = true
		close(g.stopped)
	}
	for h := range g.timers {
		h.stopLocked(now && h != self)
	}
	for h := range g.work {
		if now && h != self {
			h.stopLocked(true)
		}
	}
	// Who waits for room has added nothing yet.
	ended := g.cancelQueueLocked(func(h *Handle) bool { return now || h.room != nil }, ErrStopped)
	g.mu.Unlock()
	for _, h := range ended {
		h.settle()
	}
}

// await waits until the group is empty but for its caller, timers first, or of timers alone.
//
// A member in here gives its place to what is queued, which would wait for it otherwise, and does not
// wait for another member in here: two that stop their group wait for nobody, not for each other.
func (g *Group) await(ctx context.Context, timersOnly bool) error {
	self := g.memberOf(ctx)
	if self != nil {
		defer g.lend(self)()
	}
	tell := time.NewTicker(slow)
	defer tell.Stop()
	for {
		h := g.pick(self, timersOnly)
		if h == nil {
			return nil
		}
		select {
		case <-h.settled:
		case <-tell.C:
			g.logger().Warn("still waiting for a work group", "group", g.name, "for", shorten(g.names(timersOnly, self)))
		case <-ctx.Done():
			if names := g.names(timersOnly, self); len(names) > 0 {
				return &RunningError{Group: g.name, Names: names, Err: ctx.Err()}
			}
			return nil
		}
	}
}

// lend gives the place of a member that waits to others. The returned function takes it back, which
// may mean that one more than Limit runs for a while.
func (g *Group) lend(self *Handle) (back func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if self.waiting || self.state == Ended {
		return func() {}
	}
	self.waiting = true
	if self.kind == Goroutine {
		g.running--
		g.nextLocked()
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		self.waiting = false
		if self.kind == Goroutine && self.state != Ended {
			g.running++
		}
	}
}

// pick returns a member to wait for: a timer if there is one.
func (g *Group) pick(self *Handle, timersOnly bool) *Handle {
	g.mu.Lock()
	defer g.mu.Unlock()
	for h := range g.timers {
		if h != self && (self == nil || !h.waiting) {
			return h
		}
	}
	if timersOnly {
		return nil
	}
	for h := range g.work {
		if h != self && (self == nil || !h.waiting) {
			return h
		}
	}
	if e := g.queue.Front(); e != nil {
		return e.Value.(*Handle)
	}
	return nil
}

func (g *Group) names(timersOnly bool, self *Handle) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.namesLocked(timersOnly, self)
}

// namesLocked returns the sorted names of those that are waited for.
func (g *Group) namesLocked(timersOnly bool, self *Handle) []string {
	var names []string
	for h := range g.timers {
		if h != self {
			names = append(names, h.name)
		}
	}
	if !timersOnly {
		for h := range g.work {
			if h != self {
				names = append(names, h.name)
			}
		}
		for e := g.queue.Front(); e != nil; e = e.Next() {
			names = append(names, e.Value.(*Handle).name)
		}
	}
	slices.Sort(names)
	return names
}
