// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
)

// errStopped is the error of a Start that Shutdown ended.
var errStopped = errors.New("stopped while it started")

// A groupRun is one start of a [Group] and all that follows from it. It has one drain at most, which
// begins with the first reason to stop; later ones can only end it sooner.
type groupRun struct {
	g     *Group
	parts []*part

	starting context.Context // of every Start
	giveUp   context.CancelFunc
	serving  context.Context // of every Serve
	cancel   context.CancelFunc
	unhook   func() bool // lets go of the context of Group.Start

	starts   atomic.Int32  // parts whose Start has not returned nil yet
	pending  atomic.Int32  // parts that are not ready yet
	ready    chan struct{} // closed when all parts are ready and no drain has begun
	stopping chan struct{} // closed when the drain has begun
	ended    chan struct{} // closed when every part has ended

	mu       sync.Mutex
	draining context.Context    // of every Shutdown; nil before the drain
	expire   context.CancelFunc // ends the drain
	killed   bool               // nobody drained: all was cancelled at once
	finished bool               // every part has ended
	err      error              // what ended the group
	shut     []error            // of Shutdown
	cut      []string           // members that the end of the drain cut
	left     []string           // those of cut that still run
}

// newGroupRun starts the members of g, with the values of ctx, and does not wait.
func newGroupRun(ctx context.Context, g *Group) *groupRun {
	r := &groupRun{
		g:        g,
		ready:    make(chan struct{}),
		stopping: make(chan struct{}),
		ended:    make(chan struct{}),
	}
	r.starting, r.giveUp = context.WithCancel(ctx)
	r.serving, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.parts = newParts(r)
	r.starts.Store(int32(len(r.parts)))
	r.pending.Store(int32(len(r.parts)))
	r.unhook = context.AfterFunc(ctx, func() { r.fail(context.Cause(ctx)) })
	if len(r.parts) == 0 {
		close(r.ready)
	}

	var wg sync.WaitGroup
	for _, p := range r.parts {
		wg.Go(p.live)
	}
	go func() {
		wg.Wait()
		r.finish()
	}()
	return r
}

// failedRun is a run that err kept from beginning.
func failedRun(g *Group, err error) *groupRun {
	r := &groupRun{g: g, ready: make(chan struct{}), ended: make(chan struct{}), finished: true, err: err}
	r.serving, r.cancel = context.WithCancel(context.Background())
	close(r.ended)
	return r
}

// oneStarted notes that one part more is about to serve.
func (r *groupRun) oneStarted() {
	if r.starts.Add(-1) == 0 && r.g.started != nil {
		r.g.started()
	}
}

// oneReady notes that one part more is ready.
func (r *groupRun) oneReady() {
	if r.pending.Add(-1) > 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining == nil {
		r.unhook()
		r.g.state.set(StateRunning, nil)
		close(r.ready)
	}
}

// awaitReady waits until all parts are ready, and otherwise until all have ended.
func (r *groupRun) awaitReady() error {
	select {
	case <-r.ready:
		return nil
	case <-r.ended:
	}
	select {
	case <-r.ready: // and ended since
		return nil
	default:
	}
	if err := joinErrors(r.failure(), r.cutError()); err != nil {
		return err
	}
	return errStopped
}

// fail notes the first error and drains what is left.
func (r *groupRun) fail(err error) {
	r.mu.Lock()
	if r.err == nil && !r.finished {
		r.err = err
	}
	r.mu.Unlock()
	r.stop(drain.With(context.WithoutCancel(r.serving), Stop), r.g.shutdownTimeout())
}

// stop begins the drain with ctx, bounded by timeout too if that is positive. If there is a drain
// already it ends with ctx at the latest; the returned function lets go of ctx again.
func (r *groupRun) stop(ctx context.Context, timeout time.Duration) (unhook func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopLocked(ctx, timeout)
}

func (r *groupRun) stopLocked(ctx context.Context, timeout time.Duration) (unhook func() bool) {
	switch {
	case r.finished:
		return func() bool { return true }
	case r.draining != nil:
		return context.AfterFunc(ctx, r.expire)
	}
	if timeout > 0 {
		r.draining, r.expire = context.WithTimeout(ctx, timeout)
	} else {
		r.draining, r.expire = context.WithCancel(ctx)
	}
	r.g.state.set(StateDraining, nil)
	close(r.stopping)
	r.giveUp()
	return func() bool { return true }
}

// kill cancels everything at once.
func (r *groupRun) kill() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.serving))
	cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killed = r.killed || r.draining == nil
	r.stopLocked(ctx, 0)
	r.cancel()
}

// shutdown drains with ctx and waits for the end.
func (r *groupRun) shutdown(ctx context.Context) error {
	defer r.stop(ctx, 0)()
	<-r.ended
	return joinErrors(r.shutdownError(), r.cutError())
}

// finish is called when every part has ended.
func (r *groupRun) finish() {
	r.unhook()
	r.giveUp()
	r.cancel()
	err := joinErrors(r.failure(), r.shutdownError(), r.cutError())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = true
	if r.expire != nil {
		r.expire()
	}
	if err != nil {
		r.g.state.set(StateFailed, err)
	} else {
		r.g.state.set(StateStopped, nil)
	}
	close(r.ended)
}

// over returns an error if anything of this run still goes on.
func (r *groupRun) over() error {
	select {
	case <-r.ended:
	default:
		return errors.New("started already")
	}
	var names []string
	for _, p := range r.parts {
		if p.calls.Load() > 0 {
			names = append(names, p.name)
		}
	}
	if names != nil {
		return fmt.Errorf("still running since it was stopped: %s", strings.Join(names, ", "))
	}
	return nil
}

// drainContext returns the context of Shutdown, after stopping was closed, and whether there is a
// drain at all.
func (r *groupRun) drainContext() (ctx context.Context, drains bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.draining, !r.killed
}

func (r *groupRun) addCut(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = append(r.cut, name)
}

func (r *groupRun) addLeft(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = append(r.cut, name)
	r.left = append(r.left, name)
}

func (r *groupRun) addShutdownError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = append(r.shut, err)
}

// failure returns what ended the group.
func (r *groupRun) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// shutdownError returns what Shutdown of the members returned.
func (r *groupRun) shutdownError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return joinErrors(r.shut...)
}

// cutError returns what was cut, and what of it still runs.
func (r *groupRun) cutError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut == nil {
		return nil
	}
	return &cutError{slices.Clone(r.cut), slices.Clone(r.left)}
}

// leftError returns what still runs.
func (r *groupRun) leftError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		return nil
	}
	return &cutError{left: slices.Clone(r.left)}
}
