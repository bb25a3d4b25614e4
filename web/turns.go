// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
)

// Turns lets a number of requests be handled at once and the others wait in line. A buffered channel
// does the same, with two locks where this has two atomic operations.
type turns struct {
	size  int64
	taken atomic.Int64
	queue atomic.Int64 // length of line

	mu   sync.Mutex
	line list.List // of chan struct{}, closed when a turn is given
}

// take waits for a turn; it is false if ctx ends first.
func (t *turns) take(ctx context.Context) bool {
	// Nobody overtakes those in line.
	if t.queue.Load() == 0 && t.tryTake() {
		return true
	}
	ready := make(chan struct{})
	t.mu.Lock()
	t.queue.Add(1)
	place := t.line.PushBack(ready)
	t.giveLocked() // a turn may have been returned before this was in line
	t.mu.Unlock()
	select {
	case <-ready:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-ready:
		t.taken.Add(-1)
		t.giveLocked()
	default:
		t.line.Remove(place)
		t.queue.Add(-1)
	}
	return false
}

// giveBack ends a turn.
func (t *turns) giveBack() {
	t.taken.Add(-1)
	// Either this sees the line, or whoever joins it sees the turn.
	if t.queue.Load() > 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.giveLocked()
	}
}

func (t *turns) tryTake() bool {
	for {
		n := t.taken.Load()
		if n >= t.size {
			return false
		}
		if t.taken.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// giveLocked gives the turns that are free to the first in line.
func (t *turns) giveLocked() {
	for t.line.Len() > 0 && t.tryTake() {
		close(t.line.Remove(t.line.Front()).(chan struct{}))
		t.queue.Add(-1)
	}
}
