// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A lifecycle is a [State] that can be waited for. The zero value is new.
type lifecycle struct {
	mu      sync.Mutex
	state   State
	err     error // what led to StateFailed
	waiters []*waiter
}

// A waiter waits for one state.
type waiter struct {
	want State
	done chan error // buffered: whoever sets the state never waits for a waiter
}

// get returns the state, and what led to it if that is StateFailed.
func (l *lifecycle) get() (State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.err
}

// set moves to s and tells everybody who waited for it. No state is missed, however short it was.
func (l *lifecycle) set(s State, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s == l.state {
		return
	}
	l.state, l.err = s, err
	l.waiters = slices.DeleteFunc(l.waiters, func(w *waiter) bool {
		if over, err := l.overLocked(w.want); over {
			w.done <- err
			return true
		}
		return false
	})
}

// await waits until s is reached, and fails where it cannot be any more without a new start.
func (l *lifecycle) await(ctx context.Context, s State) error {
	l.mu.Lock()
	if over, err := l.overLocked(s); over {
		l.mu.Unlock()
		return err
	}
	w := &waiter{s, make(chan error, 1)}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()

	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiters = slices.DeleteFunc(l.waiters, func(other *waiter) bool { return other == w })
	return fmt.Errorf("%v, not %v: %w", l.state, s, context.Cause(ctx))
}

// overLocked reports whether waiting for s is over, and how.
func (l *lifecycle) overLocked(s State) (bool, error) {
	switch {
	case l.state == s:
		return true, nil
	case l.state.Ended() && l.err != nil:
		return true, fmt.Errorf("%v, not %v: %w", l.state, s, l.err)
	case l.state.Ended():
		return true, errors.New(l.state.String() + ", not " + s.String())
	}
	return false, nil
}
