// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// The race detector makes frames and stacks larger.

//go:build !race

package looping_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

// TestWaitingFitsIntoTheSmallestStack starts loops and looks at what their stacks take while they wait:
// 2 kB each, or twice that if the frames do not fit.
func TestWaitingFitsIntoTheSmallestStack(t *testing.T) {
	const n = 4000
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection changes what new stacks get
	collectAmongSmallStacks()
	before := stacks()
	ctx, cancel := context.WithCancel(t.Context())
	var wg, called sync.WaitGroup
	called.Add(2 * n)
	for range n {
		wg.Go(func() {
			calls := 0
			c := looping.Call{InitialDelay: 10 * time.Millisecond, OnOverrun: func(looping.Overrun) {}}
			c.Every(ctx, time.Second, func(context.Context) error {
				if calls++; calls <= 2 {
					called.Done()
				}
				return nil
			})
		})
	}
	called.Wait()
	each := (stacks() - before) / n
	cancel()
	wg.Wait()
	// Stacks come in spans, so a few bytes more than 2 kB; and the machine may be busy, so that some
	// of the loops are late, which takes more.
	if each > 3000 {
		t.Errorf("%d bytes of stack for each loop, want 2048", each)
	}
}

// collectAmongSmallStacks has the runtime begin new stacks at the smallest size: it takes what the
// collection before saw on average.
func collectAmongSmallStacks() {
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { <-release })
	}
	runtime.GC()
	close(release)
	wg.Wait()
}

func stacks() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}
