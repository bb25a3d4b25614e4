// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package leasetest holds implementations of periodic.Leases to what they promise.
//
//	func TestLeases(t *testing.T) {
//		leasetest.Run(t, leasetest.Kit{New: newLeases, TTL: time.Second, Expires: true})
//	}
package leasetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

// A Kit says how to get the leases under test.
type Kit struct {
	// New returns leases for one process; each call is another process that uses the same store.
	New func(t *testing.T) periodic.Leases

	// TTL is how long the leases of the tests last: long enough for a slow machine.
	TTL time.Duration

	// Expires says that a lease ends with its ttl, and not only with its process.
	Expires bool
}

// patience bounds every wait.
const patience = 30 * time.Second

// Run runs all tests of the kit. They use names of their own, so a store may be used again.
func Run(t *testing.T, k Kit) {
	tests := []struct {
		name string
		test func(*kit)
	}{
		{"one of two gets it", (*kit).oneOfTwo},
		{"tokens rise", (*kit).tokensRise},
		{"renewals keep it", (*kit).renewalsKeep},
		{"an old token is refused", (*kit).oldToken},
		{"the start of a run is kept", (*kit).began},
		{"names are independent", (*kit).names},
		{"of many at once one gets it", (*kit).race},
		{"its holder may take it anew", (*kit).again},
		{"the context ends a call", (*kit).cancelled},
	}
	if k.Expires {
		tests = append(tests, []struct {
			name string
			test func(*kit)
		}{
			{"it expires", (*kit).expires},
			{"an expired one may be renewed until it is taken", (*kit).lateRenewal},
		}...)
	}
	for i, test := range tests {
		// No t.Run: the kit must run inside of a synctest bubble too.
		t.Log(test.name)
		test.test(&kit{T: t, Kit: k, lease: fmt.Sprintf("kit %d: %s/%d", i, test.name, time.Now().UnixNano())})
		if t.Failed() {
			t.Fatalf("failed: %s", test.name)
		}
	}
}

type kit struct {
	*testing.T
	Kit
	lease string
}

// take tries to acquire the lease.
func (k *kit) take(l periodic.Leases, holder string) periodic.Grant {
	k.Helper()
	g, err := l.Acquire(k.Context(), k.lease, holder, k.TTL)
	if err != nil {
		k.Fatalf("Acquire = %v", err)
	}
	return g
}

// must acquires the lease, waiting for it.
func (k *kit) must(l periodic.Leases, holder string) periodic.Grant {
	k.Helper()
	for deadline := time.Now().Add(patience); ; {
		g := k.take(l, holder)
		if g.Token > 0 {
			return g
		}
		if time.Now().After(deadline) {
			k.Fatalf("Acquire = %+v for %v", g, patience)
		}
		time.Sleep(max(g.Wait, k.TTL/50))
	}
}

func (k *kit) renew(l periodic.Leases, token int64, begin bool) error {
	return l.Renew(k.Context(), k.lease, token, k.TTL, begin)
}

func (k *kit) release(l periodic.Leases, token int64) {
	k.Helper()
	if err := l.Release(k.Context(), k.lease, token); err != nil {
		k.Errorf("Release = %v", err)
	}
}

func (k *kit) oneOfTwo() {
	a, b := k.New(k.T), k.New(k.T)
	if g := k.take(a, "a"); g.Token <= 0 || g.Began {
		k.Errorf("first Acquire = %+v, want a token, and no run before", g)
	}
	g := k.take(b, "b")
	if g.Token != 0 || g.Wait < 0 || g.Wait > k.TTL {
		k.Errorf("second Acquire = %+v, want no token, and at most %v to wait", g, k.TTL)
	}
	if k.Expires && (g.Holder != "a" || g.Wait == 0) {
		k.Errorf("second Acquire = %+v, want the holder's name and a time to wait", g)
	}
}

func (k *kit) tokensRise() {
	stores := []periodic.Leases{k.New(k.T), k.New(k.T), k.New(k.T)}
	last := int64(0)
	for i := range 10 {
		l := stores[i%len(stores)]
		g := k.must(l, fmt.Sprint("holder ", i))
		if g.Token <= last {
			k.Errorf("token %d after %d", g.Token, last)
		}
		last = g.Token
		k.release(l, g.Token)
	}
}

func (k *kit) renewalsKeep() {
	a, b := k.New(k.T), k.New(k.T)
	g := k.take(a, "a")
	for range 8 {
		time.Sleep(k.TTL / 4)
		if err := k.renew(a, g.Token, false); err != nil {
			k.Fatalf("Renew = %v", err)
		}
		if other := k.take(b, "b"); other.Token != 0 {
			k.Fatalf("Acquire = %+v while another renews", other)
		}
	}
}

func (k *kit) oldToken() {
	a, b := k.New(k.T), k.New(k.T)
	first := k.take(a, "a")
	k.release(a, first.Token)
	if err := k.renew(a, first.Token, false); !errors.Is(err, periodic.ErrLost) {
		k.Errorf("Renew after Release = %v, want ErrLost", err)
	}
	second := k.must(b, "b")
	for _, begin := range []bool{false, true} {
		if err := k.renew(a, first.Token, begin); !errors.Is(err, periodic.ErrLost) {
			k.Errorf("Renew with an old token = %v, want ErrLost", err)
		}
	}
	if err := k.renew(a, second.Token+1, false); !errors.Is(err, periodic.ErrLost) {
		k.Errorf("Renew with a token that nobody has = %v, want ErrLost", err)
	}
	k.release(a, first.Token) // without effect
	if err := k.renew(b, second.Token, false); err != nil {
		k.Errorf("Renew = %v, want nil: an old token was released", err)
	}
	if err := a.Renew(k.Context(), k.lease+" that never was", 1, k.TTL, false); !errors.Is(err, periodic.ErrLost) {
		k.Errorf("Renew of nothing = %v, want ErrLost", err)
	}
	if err := a.Release(k.Context(), k.lease+" that never was", 1); err != nil {
		k.Errorf("Release of nothing = %v, want nil", err)
	}
}

func (k *kit) began() {
	a, b := k.New(k.T), k.New(k.T)
	g := k.take(a, "a")
	before := time.Now()
	if err := k.renew(a, g.Token, true); err != nil {
		k.Fatalf("Renew = %v", err)
	}
	after := time.Now()
	time.Sleep(k.TTL / 4)
	if err := k.renew(a, g.Token, false); err != nil { // not a start
		k.Fatalf("Renew = %v", err)
	}
	k.release(a, g.Token)
	least := time.Since(after)
	got := k.must(b, "b")
	most := time.Since(before)
	const rounding = 10 * time.Millisecond // of the store's clock
	if !got.Began || got.Ago < least-rounding || got.Ago > most+rounding {
		k.Errorf("Acquire = %+v, want a run from %v to %v ago", got, least, most)
	}
}

func (k *kit) names() {
	l := k.New(k.T)
	g := k.take(l, "a")
	other, err := k.New(k.T).Acquire(k.Context(), k.lease+" 2", "b", k.TTL)
	if err != nil || other.Token == 0 {
		k.Errorf("Acquire of another name = %+v, %v", other, err)
	}
	if err := k.renew(l, g.Token, false); err != nil {
		k.Errorf("Renew = %v", err)
	}
}

func (k *kit) race() {
	const rounds, holders = 5, 6
	stores := make([]periodic.Leases, holders)
	for i := range stores {
		stores[i] = k.New(k.T)
	}
	seen := map[int64]bool{}
	for round := range rounds {
		grants := make([]periodic.Grant, holders)
		var wg sync.WaitGroup
		for i, l := range stores {
			wg.Go(func() {
				g, err := l.Acquire(k.Context(), k.lease, fmt.Sprint(round, i), k.TTL)
				if err != nil {
					k.Errorf("Acquire = %v", err)
				}
				grants[i] = g
			})
		}
		wg.Wait()
		var got []int
		for i, g := range grants {
			if g.Token > 0 {
				got = append(got, i)
			}
		}
		if len(got) != 1 {
			k.Fatalf("%d of %d got the lease", len(got), holders)
		}
		token := grants[got[0]].Token
		if seen[token] {
			k.Errorf("token %d was given twice", token)
		}
		seen[token] = true
		k.release(stores[got[0]], token)
	}
}

func (k *kit) cancelled() {
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	l := k.New(k.T)
	if _, err := l.Acquire(ctx, k.lease, "a", k.TTL); err == nil {
		k.Error("Acquire = nil with a cancelled context")
	}
	g := k.take(l, "a")
	if err := l.Renew(ctx, k.lease, g.Token, k.TTL, false); err == nil || errors.Is(err, periodic.ErrLost) {
		k.Errorf("Renew = %v with a cancelled context, want its error", err)
	}
}

func (k *kit) expires() {
	a, b := k.New(k.T), k.New(k.T)
	start := time.Now()
	first := k.take(a, "a")
	second := k.must(b, "b")
	if got := time.Since(start); got < k.TTL-5*time.Millisecond {
		k.Errorf("the lease was over after %v, want not before %v", got, k.TTL)
	}
	if second.Token <= first.Token {
		k.Errorf("token %d after %d", second.Token, first.Token)
	}
	if err := k.renew(a, first.Token, true); !errors.Is(err, periodic.ErrLost) {
		k.Errorf("Renew = %v, want ErrLost", err)
	}
}

func (k *kit) lateRenewal() {
	a, b := k.New(k.T), k.New(k.T)
	g := k.take(a, "a")
	time.Sleep(k.TTL + k.TTL/10)
	if err := k.renew(a, g.Token, false); err != nil {
		k.Errorf("Renew of an expired lease that nobody took = %v", err)
	}
	if other := k.take(b, "b"); other.Token != 0 {
		k.Errorf("Acquire = %+v after the renewal", other)
	}
}

func (k *kit) again() {
	a, b := k.New(k.T), k.New(k.T)
	first := k.take(a, "a")
	second := k.take(a, "a") // the answer to the first did not arrive
	if second.Token <= first.Token {
		k.Errorf("Acquire = %+v after token %d", second, first.Token)
	}
	if err := k.renew(a, first.Token, false); !errors.Is(err, periodic.ErrLost) {
		k.Errorf("Renew with the first token = %v, want ErrLost", err)
	}
	if other := k.take(b, "b"); other.Token != 0 {
		k.Errorf("Acquire = %+v", other)
	}
}
