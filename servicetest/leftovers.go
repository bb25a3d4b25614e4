// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"time"
)

const labelKey = "servicetest"

// labelled labels this goroutine, and all that it and its goroutines start, and returns ctx with the
// label, for those that set labels of their own. So goroutines of other tests, which may run at the
// same time, are never taken for leftovers of this one.
func labelled(ctx context.Context, label string) context.Context {
	ctx = pprof.WithLabels(ctx, pprof.Labels(labelKey, label))
	pprof.SetGoroutineLabels(ctx)
	return ctx
}

// leftovers returns the stacks of the goroutines with that label, empty if there are none, or none a
// moment later: one that has done its work may not have ended yet.
func leftovers(label string) string {
	for wait := time.Millisecond; ; wait *= 2 {
		left := labelledStacks(label)
		if left == "" || wait > time.Second {
			return left
		}
		time.Sleep(wait)
	}
}

// labelledStacks reads the goroutine profile, which alone shows labels.
func labelledStacks(label string) string {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	want := fmt.Sprintf("%q:%q", labelKey, label)
	var left []string
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(block, want) && !harmless(block) {
			left = append(left, strings.TrimSpace(block))
		}
	}
	return strings.Join(left, "\n\n")
}

// harmless reports whether a stack is of a goroutine that the standard library keeps for the process.
func harmless(stack string) bool {
	return strings.Contains(stack, "os/signal.loop")
}
