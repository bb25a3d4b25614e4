// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

// WhenFull is what Go does when as many goroutines run as may.
type WhenFull int

const (
	Block WhenFull = iota // wait for room, until the context ends
	Fail                  // return an error that wraps ErrFull
	Queue                 // begin later; with the queue full, fail
)

// The defaults of Options.
const (
	DefaultLimit      = 1000
	DefaultQueueLimit = 10_000
	DefaultKeepErrors = 100
)

// Options of a group. The zero value works.
type Options struct {
	// Limit is how many goroutines run at a time, timers not counted; 0 is DefaultLimit.
	Limit int

	// WhenFull says what Go does when Limit is reached.
	WhenFull WhenFull

	// QueueLimit bounds what waits with Queue; 0 is DefaultQueueLimit.
	QueueLimit int

	// KeepErrors bounds the errors kept for Errors, the oldest going first; 0 is DefaultKeepErrors.
	KeepErrors int

	// Logger gets what members fail with; nil for slog.Default().
	Logger *slog.Logger
}

// A Group runs goroutines and timers that stop together. Make one with [New]. All methods may be
// called from many goroutines, and from the functions of the group.
type Group struct {
	name string
	Options

	mu       sync.Mutex
	timers   map[*Handle]bool // not settled
	work     map[*Handle]bool // begun and not settled
	queue    *list.List       // of *Handle: not begun
	running  int              // of work, those that hold a place
	stopping bool
	stopped  chan struct{} // closed when stopping is set
	started  bool          // by Start, or Serve has begun, since the group was open
	errs     []error
}

// New makes a group, which is open at once. The name is for logs and diagnostics.
func New(name string, o Options) (*Group, error) {
	g := &Group{
		name: name, Options: o, timers: map[*Handle]bool{}, work: map[*Handle]bool{},
		queue: list.New(), stopped: make(chan struct{}),
	}
	refuse := func(option string, value any, want string) (*Group, error) {
		return nil, &OptionError{Group: name, Name: option, Value: value, Want: want}
	}
	switch {
	case name == "":
		return refuse("name", `""`, "a name")
	case o.Limit < 0:
		return refuse("Limit", o.Limit, "0 or above")
	case o.WhenFull < Block || o.WhenFull > Queue:
		return refuse("WhenFull", int(o.WhenFull), "Block, Fail or Queue")
	case o.QueueLimit < 0:
		return refuse("QueueLimit", o.QueueLimit, "0 or above")
	case o.KeepErrors < 0:
		return refuse("KeepErrors", o.KeepErrors, "0 or above")
	}
	g.setDefaults()
	return g, nil
}

func (g *Group) setDefaults() {
	if g.Limit == 0 {
		g.Limit = DefaultLimit
	}
	if g.QueueLimit == 0 {
		g.QueueLimit = DefaultQueueLimit
	}
	if g.KeepErrors == 0 {
		g.KeepErrors = DefaultKeepErrors
	}
}

// Name returns the name of the group.
func (g *Group) Name() string { return g.name }

// Go runs f in a goroutine of the group, under a name for diagnostics; empty is that of the function.
// When the group is full it does what WhenFull says; ctx bounds the wait for room, and gives f its
// values. An error is a [*WorkError] that wraps [ErrFull], [ErrStopped] or the error of ctx: f was then
// not called and will not be. A nil function is an [*OptionError].
func (g *Group) Go(ctx context.Context, name string, f func(ctx context.Context) error) (*Handle, error) {
	if f == nil {
		return nil, &OptionError{Group: g.name, Work: name, Name: "function", Value: "nil", Want: "a function"}
	}
	if name == "" {
		name = looping.FuncName(f)
	}
	h := g.newHandle(ctx, name, Goroutine)
	h.run = func() error { return looping.Try(h.ctx, f) }
	err := ctx.Err()
	if err == nil {
		err = g.add(h)
	}
	if err == nil && h.room != nil {
		err = h.awaitRoom(ctx)
	}
	if err != nil {
		h.cancel(nil)
		return nil, &WorkError{Group: g.name, Work: name, Err: err}
	}
	return h, nil
}

// add begins or queues h.
func (g *Group) add(h *Handle) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.stopping:
		return ErrStopped
	case h.kind != Goroutine || g.running < g.Limit && g.queue.Len() == 0:
		g.beginLocked(h)
		return nil
	case g.WhenFull == Fail || g.WhenFull == Queue && g.queue.Len() >= g.QueueLimit:
		return ErrFull
	case g.WhenFull == Block:
		h.room = make(chan struct{})
	}
	h.place = g.queue.PushBack(h)
	return nil
}

func (g *Group) beginLocked(h *Handle) {
	h.state, h.since = Running, time.Now()
	if h.kind == Goroutine {
		g.running++
		g.work[h] = true
	} else {
		g.timers[h] = true
	}
	if h.room != nil {
		close(h.room)
	}
	go g.live(h)
}

// nextLocked begins what there is room for.
func (g *Group) nextLocked() {
	for g.running < g.Limit && g.queue.Len() > 0 {
		h := g.queue.Remove(g.queue.Front()).(*Handle)
		h.place = nil
		g.beginLocked(h)
	}
}

// live is the goroutine of a member.
func (g *Group) live(h *Handle) {
	err := errGoexit
	defer func() { g.end(h, err) }()
	err = h.run()
}

// end settles a member: its result stands, its place is free, then those linked are told.
func (g *Group) end(h *Handle, err error) {
	h.cancel(nil)
	if h.kind != Goroutine && h.quitAsked() && errors.Is(err, context.Canceled) {
		err = nil // it ended as it was asked to
	}
	failed := err != nil && !errors.Is(err, looping.Done)
	g.mu.Lock()
	if failed && h.asked && errors.Is(err, context.Canceled) {
		failed = false
	}
	if failed {
		g.keepLocked(&WorkError{Group: g.name, Work: h.name, Err: err})
	}
	links := h.finishLocked(err)
	if h.kind == Goroutine {
		if !h.waiting {
			g.running--
		}
		g.nextLocked()
	}
	g.mu.Unlock()
	if failed {
		g.logFailure(h, err)
	}
	h.tell(links)
	g.mu.Lock()
	delete(g.timers, h)
	delete(g.work, h)
	g.mu.Unlock()
	close(h.settled)
}

func (g *Group) logFailure(h *Handle, err error) {
	attrs := []any{"group", g.name, "work", h.name, "err", err}
	if p, ok := errors.AsType[*looping.PanicError](err); ok {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	g.logger().Error("work failed", attrs...)
}

func (g *Group) logger() *slog.Logger {
	if g.Logger != nil {
		return g.Logger
	}
	return slog.Default()
}

func (g *Group) keepLocked(err error) {
	if len(g.errs) == g.KeepErrors {
		g.errs = slices.Delete(g.errs, 0, 1)
	}
	g.errs = append(g.errs, err)
}

// Errors returns what members failed with, oldest first, each a [*WorkError]: the last of them, as
// many as KeepErrors says. That a member was stopped is no failure.
func (g *Group) Errors() []error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.errs)
}

// Cancel takes back all that is queued and returns how much that was. What has begun goes on.
func (g *Group) Cancel() int {
	g.mu.Lock()
	ended := g.cancelQueueLocked(func(*Handle) bool { return true }, ErrCanceled)
	g.mu.Unlock()
	for _, h := range ended {
		h.settle()
	}
	return len(ended)
}

// cancelQueueLocked takes back what is queued and chosen. The caller settles it without the lock.
func (g *Group) cancelQueueLocked(chosen func(*Handle) bool, why error) (ended []*Handle) {
	for e := g.queue.Front(); e != nil; {
		h := e.Value.(*Handle)
		e = e.Next()
		if chosen(h) {
			h.cancelLocked(why)
			ended = append(ended, h)
		}
	}
	return ended
}
