// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"time"
)

// Leases keeps leases, each of which has at most one holder: in a database, on a bus, in memory for
// tests. What it keeps for a name never goes away, so that tokens only rise. Package periodic/leasetest
// holds what each implementation must do. Methods may be called by many goroutines and end with ctx.
type Leases interface {
	// Acquire takes the lease called name for ttl if nobody holds it, if its time is over, or if
	// holder itself took it before; the Grant then has a token above all that name has had. If another
	// holds it the token is 0 and the error nil.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Grant, error)

	// Renew makes the lease that token was given for last for ttl from now on. With begin it also
	// notes that a run begins now. If the token is no longer that of the lease the error is ErrLost,
	// and nothing is changed.
	Renew(ctx context.Context, name string, token int64, ttl time.Duration, begin bool) error

	// Release ends the lease that token was given for; the next Acquire gets it at once. It does
	// nothing, without an error, if the token is no longer that of the lease.
	Release(ctx context.Context, name string, token int64) error
}

// A Grant is the answer of Acquire.
type Grant struct {
	Token  int64         // above 0; 0: another holds the lease
	Holder string        // who holds it, if another does and that is known
	Wait   time.Duration // how long the other's lease lasts if it is not renewed; 0: not known
	Began  bool          // a run has begun before, under any holder
	Ago    time.Duration // how long ago, then
}

type leaseKey struct{}

// A fence is what a run knows of its lease.
type fence struct {
	s     *Scheduler
	hold  *hold
	token int64
}

// Token returns the fencing token of the run that ctx belongs to, and whether its lease still lasts, by
// the clock of this process. It rises with each holder: whoever is written to keeps the highest one that
// it has seen, and refuses a lower one. Without a lease it returns 0 and false.
//
// A process that was stopped wakes up in the middle of a run and may write before it knows that its
// lease is over. So the token decides, where the data is, and never the clock.
func Token(ctx context.Context) (token int64, ok bool) {
	f, found := ctx.Value(leaseKey{}).(*fence)
	if !found {
		return 0, false
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	now, _ := f.s.now()
	return f.token, f.hold.validLocked(f.token, now)
}

// LeaseName returns the name of the lease of the run that ctx belongs to, empty without one.
func LeaseName(ctx context.Context) string {
	if f, ok := ctx.Value(leaseKey{}).(*fence); ok {
		return f.hold.name
	}
	return ""
}
