// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"time"
)

// DueTimes returns when the first n calls of an Every were due, as the loop reckons.
func DueTimes(ctx context.Context, c Call, interval time.Duration, n int) ([]time.Time, error) {
	var dues []time.Time
	b := beats{call: &c, interval: interval, f: func(context.Context) error { return nil }}
	b.begin()
	defer b.ticker.Stop()
	for len(dues) < n {
		if b.wait {
			b.due = <-b.ticker.C
		}
		if err := b.before(ctx); err != nil {
			return dues, err
		}
		dues = append(dues, b.due)
		b.after(ctx, nil)
	}
	return dues, nil
}

// ForgetLogged lets overruns be logged as if none had been before.
func ForgetLogged() {
	overrunLog.mu.Lock()
	defer overrunLog.mu.Unlock()
	overrunLog.lines, overrunLog.unlogged, overrunLog.since = 0, 0, time.Time{}
}
