// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// cutAll closes everything, once, and counts the requests that this loses.
func (r *run) cutAll(cause scoreboard.Cause, why error) {
	r.mu.Lock()
	if r.cutting || r.phase != serving {
		r.mu.Unlock()
		return
	}
	r.cutting = true
	r.cut = int(r.front.streams.Load())
	for c := range r.conns {
		if c.serves() {
			r.cut++
		}
		c.cut() // not TLS, which may wait for seconds to say goodbye
	}
	for p := range r.parked {
		r.takeLocked(p)
		p.close()
	}
	if r.cut > 0 {
		scoreboard.Current().AddLost(cause, uint64(r.cut))
	}
	if n := r.heedingLocked(); n > 0 {
		scoreboard.Current().AddLost(scoreboard.StreamCut, uint64(n))
		r.cut += n
	}
	r.mu.Unlock()
	r.front.farewell.finish()
	r.cancel(why)
	r.ln.Close()
	r.notify()
}

// cutError says how many requests were cut; nil for none.
func (r *run) cutError(why error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut == 0 {
		return nil
	}
	if why == nil {
		why = context.Canceled
	}
	return fmt.Errorf("requests cut: %d: %w", r.cut, why)
}

func (r *run) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cutting
}

// heedingLocked returns how many connections are in the hands of handlers that end them in a drain.
func (r *run) heedingLocked() (n int) {
	for c := range r.kept {
		if c.heeds.Load() {
			n++
		}
	}
	return n
}
