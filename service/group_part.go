// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// errSlowStart is the cause of a Start's context that StartTimeout ended.
var errSlowStart = errors.New("start timeout")

// A part is one member in one run of its group. Its life is one goroutine, [part.live], which starts
// others only for the methods of the service.
type part struct {
	*member
	r      *groupRun
	after  []*part // must be ready before it starts
	before []*part // must have ended before it stops: all that came after it, if only through others

	ready chan struct{} // closed when it serves
	ended chan struct{} // closed when it has ended, or will never start
	calls atomic.Int32  // of the service's methods that have not returned
}

// newParts makes the parts of a run: the members in their order, behind the prelude if there is one.
func newParts(r *groupRun) []*part {
	newPart := func(m *member) *part {
		m.set(StateNew, nil)
		return &part{member: m, r: r, ready: make(chan struct{}), ended: make(chan struct{})}
	}
	parts := make([]*part, len(r.g.members))
	for i, m := range r.g.members {
		parts[i] = newPart(m)
	}
	for i, p := range parts {
		for _, j := range r.g.members[i].after {
			p.after = append(p.after, parts[j])
		}
	}
	for _, p := range parts {
		p.holdBack(p.after)
	}
	if r.g.prelude == nil {
		return parts
	}
	first := newPart(&member{svc: prelude(r.g.prelude), name: "hooks"})
	r.g.prelude = nil
	for _, p := range parts {
		p.after = append(p.after, first)
	}
	return append(parts, first)
}

// holdBack has earlier, and what they come after, wait for p before they stop. One in between may have
// ended by itself by then, so it is not enough to wait for that.
func (p *part) holdBack(earlier []*part) {
	for _, q := range earlier {
		if !slices.Contains(q.before, p) {
			q.before = append(q.before, p)
			p.holdBack(q.after)
		}
	}
}

// A prelude is a service that is done when it has started.
type prelude func(ctx context.Context) error

func (p prelude) Start(ctx context.Context) error { return p(ctx) }
func (p prelude) Serve(ctx context.Context) error { return nil }

// live is the life of a part: it waits for its turn, starts, serves until it ends or is to stop, waits
// for its turn again, drains. Serve is called after every Start that returned nil, also where nobody
// wants it any more: a service may rely on it.
func (p *part) live() {
	defer close(p.ended)
	if !p.awaitTurn() || !p.start() {
		return
	}
	ctx, cancel := context.WithCancel(p.r.serving)
	defer cancel()
	p.r.oneStarted()
	serves := make(chan struct{})
	served := p.call(func() error {
		close(serves)
		return p.svc.Serve(ctx)
	})
	<-serves // ready means serving: not even a busy scheduler comes in between
	p.set(StateRunning, nil)
	close(p.ready)
	p.r.oneReady()

	select {
	case err := <-served:
		p.done(err)
		return
	case <-p.r.stopping:
	}
	draining, _ := p.r.drainContext()
	for _, q := range p.before {
		select {
		case <-q.ended:
		case <-draining.Done():
		}
	}
	p.drain(served, cancel)
}

// call calls a method of the service. The result waits for whoever wants it.
func (p *part) call(method func() error) <-chan error {
	p.calls.Add(1)
	result := make(chan error, 1)
	go func() {
		err := method()
		p.calls.Add(-1)
		result <- err
	}()
	return result
}

// awaitTurn waits until all are ready that must be, and returns false if the group stops before.
func (p *part) awaitTurn() bool {
	for _, q := range p.after {
		select {
		case <-q.ready:
		case <-p.r.stopping:
			return false
		}
	}
	select {
	case <-p.r.stopping:
		return false
	default:
		return true
	}
}

// start calls Start and reports whether the service is started. If it is told to give up, by its
// timeout or because the group stops, it still has the time of the drain to return.
func (p *part) start() bool {
	s, ok := find[Starter](p.svc)
	if !ok {
		return true
	}
	p.set(StateStarting, nil)
	limit, timeout := p.r.starting, p.r.g.startTimeout()
	if timeout > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeoutCause(limit, timeout, errSlowStart)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(limit)
	defer cancel()
	g, isGroup := find[*Group](p.svc)
	if isGroup {
		// It has started services of its own: Shutdown tells it why and until when.
		ctx, cancel = context.WithCancel(context.WithoutCancel(limit))
		defer cancel()
	}
	started := p.call(func() error { return s.Start(ctx) })
	select {
	case err := <-started:
		return p.started(limit, err)
	case <-limit.Done():
	}
	if context.Cause(limit) == errSlowStart {
		p.fail("start", fmt.Errorf("not ready within %v: %w", timeout, limit.Err()))
	}
	<-p.r.stopping // limit has ended, so this has happened or is about to
	draining, _ := p.r.drainContext()
	if isGroup {
		p.call(func() error { return g.Shutdown(draining) })
	}
	select {
	case err := <-started:
		return p.started(limit, err)
	case <-draining.Done():
	}
	cancel()
	select {
	case err := <-started:
		return p.started(limit, err)
	case <-time.After(killDelay):
		p.leave()
		return false
	}
}

// started takes the result of Start, and reports whether the service is started. limit is what Start
// was bounded by.
func (p *part) started(limit context.Context, err error) bool {
	switch {
	case err == nil:
		return true
	case limit.Err() == nil:
		p.fail("start", err)
	case errors.Is(err, ErrShutdownTimeout):
		p.cutOff()
	case context.Cause(limit) == errSlowStart:
		p.set(StateFailed, err)
	default: // it was told to give up
		p.set(StateStopped, nil)
	}
	return false
}

// done takes the result of a Serve that ended by itself, or because all was cancelled.
func (p *part) done(err error) {
	if p.r.serving.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	if err != nil {
		p.fail("serve", err)
		return
	}
	p.set(StateStopped, nil)
}

// drain calls Shutdown, or cancels a service without it, and waits for Serve and Shutdown. The end of
// the drain cancels what still runs; what then still runs after killDelay is given up.
func (p *part) drain(served <-chan error, cancel context.CancelFunc) {
	select {
	case err := <-served:
		p.done(err)
		return
	default:
	}
	p.set(StateDraining, nil)
	ctx, drains := p.r.drainContext()
	s, drainable := find[Shutdowner](p.svc)
	inTime := ctx.Err() == nil // its turn came before the end of the drain
	var shut <-chan error
	if drainable && inTime {
		shut = p.call(func() error { return s.Shutdown(ctx) })
	} else {
		cancel()
	}

	var (
		serveErr, shutErr error
		late              = drains && drainable && !inTime
		expired           = ctx.Done()
		giveUp            <-chan time.Time
	)
	for served != nil || shut != nil {
		select {
		case serveErr = <-served:
			served = nil
		case shutErr = <-shut:
			shut = nil
		case <-expired:
			expired = nil
			late = late || drains && inTime
			cancel()
			giveUp = time.After(killDelay)
		case <-giveUp:
			p.leave()
			return
		}
	}
	p.drained(ctx, late, serveErr, shutErr)
}

// drained takes the results of a drain that began with ctx.
func (p *part) drained(ctx context.Context, late bool, serveErr, shutErr error) {
	if late || shutErr != nil && ctx.Err() != nil && errors.Is(shutErr, ctx.Err()) {
		p.cutOff() // other errors are what being cut made of it
		return
	}
	if errors.Is(serveErr, context.Canceled) {
		serveErr = nil // as asked
	}
	p.done(serveErr)
	if shutErr != nil {
		err := p.wrap("shutdown", shutErr)
		p.set(StateFailed, err)
		p.r.addShutdownError(err)
	}
}

// fail ends the member, and with it the group.
func (p *part) fail(op string, err error) {
	err = p.wrap(op, err)
	p.set(StateFailed, err)
	p.r.fail(err)
}

// cutOff notes that the end of the drain cut the member.
func (p *part) cutOff() {
	p.set(StateFailed, ErrShutdownTimeout)
	p.r.addCut(p.name)
}

// leave notes that the member is given up while it still runs.
func (p *part) leave() {
	p.set(StateFailed, ErrShutdownTimeout)
	p.r.addLeft(p.name)
}
