// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/handover"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/tlsfiles"
)

// lastWait is how long handlers may take to return after their requests were cut.
const lastWait = 250 * time.Millisecond

const (
	// serveWait is how long a drain waits for a Serve to follow Start: the accept queue is its to answer.
	serveWait = time.Second

	// acceptWait is how long after its call the first Accept of a run is sure to wait for connections.
	acceptWait = 20 * time.Millisecond
)

// A phase is where a run is in its life.
type phase int

const (
	fresh phase = iota
	serving
	over
)

// A run is a Server from one Start to the end of its Serve. All that happens to it comes together in
// serve, its one loop; the other methods change what the loop looks at and wake it.
type run struct {
	log    *slog.Logger
	ln     net.Listener
	front  *front
	keeper *timekeeper
	tls    *tls.Config      // nil without TLS
	files  *tlsfiles.Source // that tls follows; nil without
	h1     *http.Server     // accepts and serves
	h2     *http.Server     // knows the HTTP/2 connections, to tell them of a drain; nil without HTTP/2
	grace  time.Duration    // of idle connections in a drain
	spread time.Duration    // over which handlers learn of a drain
	stall  time.Duration    // how long a client may take no byte of an answer; 0 is without end
	idle   time.Duration    // timeouts of idle connections and of headers; 0 where net/http sees to them
	header time.Duration

	base     context.Context // of all requests
	cancel   context.CancelCauseFunc
	lingered atomic.Bool   // idle connections are waited for no more
	movable  atomic.Bool   // connections may move to another server
	stopped  atomic.Bool   // Shutdown was called
	moving   atomic.Bool   // idle connections move on
	shed     atomic.Int64  // so many more do that are not idle yet
	turned   atomic.Bool   // others have come or gone
	late     *lateListener // connections that were parked
	polled   chan struct{} // closed when the listener has been asked for connections
	pollOnce sync.Once
	wake     chan struct{} // something has changed; one note is enough, as the loop looks at everything
	done     chan struct{} // closed when the run is over

	mu       sync.Mutex
	phase    phase
	draining bool // Shutdown was called
	unserved bool // given up without a Serve
	opened   bool // the listener accepts, unless unserved
	cutting  bool // everything was closed
	cut      int  // requests lost by that
	conns    map[*conn]struct{}
	kept     map[*conn]struct{} // hijacked, and their handlers run
	replaced bool               // by a successor, or by siblings
	port     *handover.Port
	lot      *lot // of parked; nil before the first
	parked   map[*parked]struct{}
}

func emptyRun() *run {
	r := &run{
		polled: make(chan struct{}),
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		conns:  map[*conn]struct{}{},
		kept:   map[*conn]struct{}{},
		parked: map[*parked]struct{}{},
	}
	r.keeper = newTimekeeper(r.scan)
	return r
}

// stillborn returns a run that was shut down before it began.
func stillborn() *run {
	r := emptyRun()
	r.draining, r.unserved = true, true
	close(r.done)
	return r
}

func (r *run) is(p phase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase == p
}

// open makes a listener accept again that was shut down in an earlier run.
func (r *run) open(ctx context.Context) error {
	if ln, ok := r.ln.(interface{ Reopen(context.Context) error }); ok {
		if err := ln.Reopen(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.opened = true
	r.mu.Unlock()
	r.openPort()
	r.mu.Lock()
	unserved := r.unserved
	r.mu.Unlock()
	if unserved { // by a Shutdown that came meanwhile
		r.ln.Close()
		r.closePort()
	}
	return nil
}

// begin makes the run serving, or over if it was given up.
func (r *run) begin(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.phase == serving:
		return errServing
	case r.unserved:
		r.phase = over
		return nil
	}
	r.phase = serving
	r.base, r.cancel = context.WithCancelCause(ctx)
	return nil
}

// serve runs until the listener and all connections are gone, or until handlers do not return although
// all was cut.
func (r *run) serve(ctx context.Context) error {
	defer r.watch()()
	defer r.end()
	if !r.isOpened() {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	accepted := make(chan error, 1)
	go func() { accepted <- r.h1.Serve(&intake{Listener: r.ln, run: r}) }()
	if r.movable.Load() {
		go r.h1.Serve(r.late) // Shutdown, in end, waits for it
	}

	accepting := true
	var failed error
	var linger, another, last <-chan time.Time
	stopNow := ctx.Done()
	for accepting || !r.gone() || !r.carried() {
		if !accepting && r.turned.Swap(false) && r.yields() && r.able() != r.moving.Load() {
			if !r.carry() {
				another = time.After(r.grace)
			}
		}
		select {
		case err := <-accepted:
			accepting = false
			if r.stopping() {
				linger = time.After(r.grace)
				r.goAway()
				if r.yields() && !r.carry() {
					r.front.closing.Store(true)
				}
				break
			}
			r.cutAll(scoreboard.Other, err)
			if failed = r.cutError(err); failed == nil {
				failed = err
			}
		case <-another:
			// The successor has died, and nobody has taken its place in time.
			if !r.moving.Load() {
				r.front.closing.Store(true)
				linger = time.After(r.grace)
			}
		case <-linger:
			if r.front.closing.Load() {
				r.endIdle()
			}
			r.goAway() // those that were in their handshake before
		case <-r.wake:
		case <-stopNow:
			stopNow = nil
			r.cutAll(scoreboard.DeadlineKill, context.Cause(ctx))
		case <-last:
			return fmt.Errorf("handlers still run %v after their requests were cut", lastWait)
		}
		if last == nil && r.isCut() {
			last = time.After(lastWait)
		}
	}
	if failed == nil && ctx.Err() != nil {
		failed = r.cutError(context.Cause(ctx))
	}
	return failed
}

// end releases what is left, and lets net/http run what was registered for the end.
func (r *run) end() {
	r.stopped.Store(true)
	r.moving.Store(false)
	r.closePort()
	r.front.farewell.finish()
	r.cancel(http.ErrServerClosed)
	r.h1.Shutdown(r.base) // without connections or with them cut: it waits for none
	r.goAway()
	r.keeper.stop()
	r.mu.Lock()
	r.phase = over
	r.mu.Unlock()
	close(r.done)
}

// shutdown ends the accept loop, from which serve goes on, and waits for the end.
func (r *run) shutdown(ctx context.Context) error {
	r.mu.Lock()
	first := !r.draining
	r.draining = true
	if first {
		why := drain.From(ctx)
		r.replaced = why == drain.Replace || why == drain.Shrink
	}
	r.mu.Unlock()
	if first {
		moving := r.yields() && r.able()
		r.moving.Store(moving)
		r.stopped.Store(true)
		r.front.closing.Store(!moving)
		r.front.farewell.begin(spreadWithin(ctx, r.spread))
		if r.awaitAccept(ctx) {
			r.stopAccepting(ctx)
		}
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		r.cutAll(scoreboard.DeadlineKill, context.Cause(ctx))
	}
	return r.cutError(context.Cause(ctx))
}

// awaitAccept waits for the accept loop: a listener that nobody has accepted from gives its queue up
// when it is told to stop. It returns false if there will be no loop to stop.
func (r *run) awaitAccept(ctx context.Context) bool {
	_, drains := r.ln.(shutdowner)
	reason := drain.From(ctx)
	if (!drains || reason == drain.Replace || reason == drain.Shrink) && r.giveUp() {
		return false
	}
	late := time.After(serveWait)
	for {
		select {
		case <-r.polled:
			return true
		case <-r.done:
			return false
		case <-late:
		case <-ctx.Done():
		}
		if r.giveUp() || ctx.Err() != nil {
			return false
		}
		late = nil
	}
}

// giveUp ends a run that nobody serves.
func (r *run) giveUp() bool {
	r.mu.Lock()
	if r.phase != fresh {
		r.mu.Unlock()
		return false
	}
	r.unserved = true
	r.ln.Close()
	r.late.Close()
	r.mu.Unlock()
	r.closePort()
	close(r.done)
	return true
}

// A shutdowner is a listener that knows by the reason in ctx what to do with its queue.
type shutdowner interface {
	Shutdown(ctx context.Context) error
}

// stopAccepting returns when the accept loop was handed its last connection, or when ctx ends.
func (r *run) stopAccepting(ctx context.Context) {
	var err error
	if ln, ok := r.ln.(shutdowner); ok {
		err = ln.Shutdown(ctx)
	} else {
		err = r.ln.Close()
	}
	if err != nil && ctx.Err() == nil {
		r.log.Warn("listener did not stop cleanly", "error", err)
	}
}

// goAway tells HTTP/2 clients to begin no more streams; their connections end with the last one.
func (r *run) goAway() {
	if r.h2 != nil {
		r.h2.Shutdown(context.Background()) // serves no connections itself: it does not wait
	}
}

// endIdle ends the connections that wait for a request, and from now on each that begins to.
func (r *run) endIdle() {
	r.lingered.Store(true)
	r.mu.Lock()
	for c := range r.conns {
		c.end()
	}
	var all []*parked
	for p := range r.parked {
		r.takeLocked(p)
		all = append(all, p)
	}
	r.mu.Unlock()
	for _, p := range all {
		r.resume(p) // and end
	}
}

// yields reports whether others serve on.
func (r *run) yields() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replaced
}

func (r *run) stopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.draining || r.cutting
}

func (r *run) isOpened() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened
}

// gone reports whether no connection is open and no request runs, but what handlers took over for good.
func (r *run) gone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns) == 0 && r.front.streams.Load() == 0 && (r.cutting || r.heedingLocked() == 0)
}

// notify wakes the loop.
func (r *run) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
