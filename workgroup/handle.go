// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup

import (
	"container/list"
	"context"
	"errors"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

// A Kind is what a member of a group is.
type Kind string

// The kinds of members.
const (
	Goroutine    Kind = "goroutine"
	Timer        Kind = "timer"
	DynamicTimer Kind = "dynamic timer"
	BackoffTimer Kind = "back-off timer"
)

// A State is where a member is in its life.
type State string

// The states of a member.
const (
	Queued   State = "queued"
	Running  State = "running"
	Stopping State = "stopping" // asked to end
	Ended    State = "ended"
)

// A Handle is one member of a group: a goroutine or a timer. All methods may be called at any time,
// from many goroutines.
type Handle struct {
	group  *Group
	name   string
	kind   Kind
	run    func() error
	values context.Context // what the member was added with; its values count
	ctx    context.Context // of the functions
	cancel context.CancelCauseFunc
	loop   context.Context // of the loop of a timer: ends with ctx, or before it
	quit   context.CancelCauseFunc
	room   chan struct{} // closed when it begins, for a Go that waits

	done    chan struct{} // closed when it has ended
	settled chan struct{} // closed when those linked have been told too

	// Under the lock of the group.
	state   State
	since   time.Time
	asked   bool // to end
	waiting bool // in a wait for the group, where it holds no place
	place   *list.Element
	err     error
	links   []func(*Handle)
}

func (g *Group) newHandle(ctx context.Context, name string, kind Kind) *Handle {
	values := context.WithoutCancel(ctx)
	if m := g.memberOf(ctx); m != nil && m.ctx == ctx {
		values = m.values // else work that adds work would make an endless chain of contexts
	}
	h := &Handle{
		group: g, name: name, kind: kind, values: values, state: Queued, since: time.Now(),
		done: make(chan struct{}), settled: make(chan struct{}),
	}
	h.ctx, h.cancel = context.WithCancelCause(context.WithValue(h.values, memberKey{}, h))
	if kind != Goroutine {
		h.loop, h.quit = context.WithCancelCause(h.ctx)
	}
	return h
}

// Name returns the name that it was added with.
func (h *Handle) Name() string { return h.name }

// Kind returns what it is.
func (h *Handle) Kind() Kind { return h.kind }

// State returns where it is in its life.
func (h *Handle) State() State {
	h.group.mu.Lock()
	defer h.group.mu.Unlock()
	return h.state
}

// Done is closed when it has ended, or was taken back.
func (h *Handle) Done() <-chan struct{} { return h.done }

// Err returns what its function, or its loop, returned; nil before the end, and for a timer that was
// stopped. For one that was taken back it wraps ErrCanceled or ErrStopped.
func (h *Handle) Err() error {
	h.group.mu.Lock()
	defer h.group.mu.Unlock()
	return h.err
}

// Wait waits until it has ended and returns Err; looping.Value takes the value from that if there is
// one. The end of ctx ends the wait with the error of ctx. Functions called by Link may still run.
// A function does not wait for itself: that is an error.
func (h *Handle) Wait(ctx context.Context) error {
	if h.group.memberOf(ctx) == h && h.State() != Ended {
		return &WorkError{h.group.name, h.name, errors.New("waits for itself")}
	}
	select {
	case <-h.done:
		return h.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop asks it to end, and does not wait for that. A goroutine has its context cancelled, or does not
// begin. A timer makes no further call; one that runs is let finish, as upstream. Stopping twice, or
// what has ended, does nothing.
func (h *Handle) Stop() {
	if h.Cancel() {
		return
	}
	h.group.mu.Lock()
	defer h.group.mu.Unlock()
	h.stopLocked(false)
}

// stopLocked asks what has begun to end; a call of a timer only if now is true.
func (h *Handle) stopLocked(now bool) {
	if h.state == Ended {
		return
	}
	h.asked, h.state = true, Stopping
	if h.kind != Goroutine {
		h.quit(errQuit)
	}
	if h.kind == Goroutine || now {
		h.cancel(nil)
	}
}

// Cancel takes it back if it has not begun, and reports whether that was so. What has begun goes on.
func (h *Handle) Cancel() bool { return h.takeBack(ErrCanceled) }

func (h *Handle) takeBack(why error) bool {
	h.group.mu.Lock()
	ok := h.place != nil
	if ok {
		h.cancelLocked(why)
	}
	h.group.mu.Unlock()
	if ok {
		h.settle()
	}
	return ok
}

// Link has f called, with h, when h has ended; at once if it has. Calls are made one after the other,
// in the goroutine that ended or that took it back, and the group waits for them. A panic of f is an
// error of the group. f must not wait for the group.
func (h *Handle) Link(f func(*Handle)) {
	h.group.mu.Lock()
	ended := h.state == Ended
	if !ended {
		h.links = append(h.links, f)
	}
	h.group.mu.Unlock()
	if ended {
		h.tell([]func(*Handle){f})
	}
}

// tell calls those linked.
func (h *Handle) tell(links []func(*Handle)) {
	for _, f := range links {
		err := looping.Try(h.ctx, func(context.Context) error {
			f(h)
			return nil
		})
		if err != nil {
			g := h.group
			g.mu.Lock()
			g.keepLocked(&WorkError{Group: g.name, Work: h.name, Err: err})
			g.mu.Unlock()
			g.logFailure(h, err)
		}
	}
}

// finishLocked sets the result and returns who is to be told.
func (h *Handle) finishLocked(err error) (links []func(*Handle)) {
	h.state, h.since, h.err = Ended, time.Now(), err
	links, h.links = h.links, nil
	close(h.done)
	return links
}

// cancelLocked takes h out of the queue; settle follows without the lock.
func (h *Handle) cancelLocked(why error) {
	h.group.queue.Remove(h.place)
	h.place = nil
	h.cancel(nil)
	links := h.links
	h.finishLocked(&WorkError{h.group.name, h.name, why})
	h.links = links
}

// settle tells those linked to what was taken back.
func (h *Handle) settle() {
	h.group.mu.Lock()
	links := h.links
	h.links = nil
	h.group.mu.Unlock()
	h.tell(links)
	close(h.settled)
}

// awaitRoom waits until h begins, or cannot any more.
func (h *Handle) awaitRoom(ctx context.Context) error {
	select {
	case <-h.room:
		return nil
	case <-h.done: // taken back: the error is in ours again
	case <-ctx.Done():
		if h.takeBack(ctx.Err()) {
			return ctx.Err()
		}
	}
	select {
	case <-h.room: // it began in that moment
		return nil
	case <-h.done:
		return errors.Unwrap(h.Err())
	}
}

// quitAsked reports whether the loop of a timer was asked to end.
func (h *Handle) quitAsked() bool {
	return context.Cause(h.loop) == errQuit
}
