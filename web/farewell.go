// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// farewells is into how many parts a window is divided over which connections learn of a drain.
const farewells = 64

// A farewell tells connections of a drain: all at once, or a part of them after the other, so that the
// clients of endless answers do not all come back in the same moment.
type farewell struct {
	parts []chan struct{} // closed one by one

	mu     sync.Mutex
	closed int // parts
	timer  *time.Timer
}

func newFarewell(window time.Duration) *farewell {
	n := 1
	if window > 0 {
		n = farewells
	}
	f := &farewell{parts: make([]chan struct{}, n)}
	for i := range f.parts {
		f.parts[i] = make(chan struct{})
	}
	return f
}

// any returns the channel of a connection.
func (f *farewell) any() chan struct{} {
	if len(f.parts) == 1 {
		return f.parts[0]
	}
	return f.parts[rand.IntN(len(f.parts))]
}

// begin closes the first part now and the last one at the end of window.
func (f *farewell) begin(window time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed > 0 {
		return
	}
	f.nextLocked()
	if f.closed < len(f.parts) {
		pause := window / time.Duration(len(f.parts)-1)
		f.timer = time.AfterFunc(pause, func() { f.tick(pause) })
	}
}

func (f *farewell) tick(pause time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed < len(f.parts) {
		f.nextLocked()
		f.timer.Reset(pause)
	}
}

func (f *farewell) nextLocked() {
	close(f.parts[f.closed])
	f.closed++
}

// finish closes what is left.
func (f *farewell) finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
	}
	for f.closed < len(f.parts) {
		f.nextLocked()
	}
}

type connKey struct{}

// Draining returns a channel that is closed when the Server begins to drain that serves the request
// with context ctx: the moment for an endless answer to end itself, and for a handler that took its
// connection over to say goodbye, as by the status 1001 of websockets. It is nil for other contexts.
//
// With DrainSpread that is not one moment for all. A handler that took its connection over and has
// called Draining is waited for like one that answers.
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(connKey{}).(*conn)
	if c == nil {
		return nil
	}
	c.heeds.Store(true)
	return c.farewell
}

// spreadWithin is the window of a drain that ends with ctx: what learns of it last gets as long to end
// as it was left alone before.
func spreadWithin(ctx context.Context, window time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		window = min(window, max(0, time.Until(end)/2))
	}
	return window
}
