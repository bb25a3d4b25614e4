// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"sync"
	"time"
)

// MemoryLeases keeps leases in this process: for tests, and for programs of one process. The zero value
// is ready to use.
type MemoryLeases struct {
	mu     sync.Mutex
	leases map[string]*memoryLease
}

type memoryLease struct {
	token   int64
	holder  string // empty: released
	expires time.Time
	began   time.Time
}

// Acquire takes a lease: see [Leases].
func (m *MemoryLeases) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Grant, error) {
	if err := context.Cause(ctx); err != nil {
		return Grant{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.leases[name]
	if l == nil {
		if m.leases == nil {
			m.leases = make(map[string]*memoryLease)
		}
		l = new(memoryLease)
		m.leases[name] = l
	}
	now := time.Now()
	if l.holder != "" && l.holder != holder && now.Before(l.expires) {
		return Grant{Holder: l.holder, Wait: l.expires.Sub(now)}, nil
	}
	l.token++
	l.holder, l.expires = holder, now.Add(ttl)
	g := Grant{Token: l.token}
	if !l.began.IsZero() {
		g.Began, g.Ago = true, now.Sub(l.began)
	}
	return g, nil
}

// Renew prolongs a lease: see [Leases].
func (m *MemoryLeases) Renew(ctx context.Context, name string, token int64, ttl time.Duration, begin bool) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.leases[name]
	if l == nil || l.token != token || l.holder == "" {
		return ErrLost
	}
	now := time.Now()
	l.expires = now.Add(ttl)
	if begin {
		l.began = now
	}
	return nil
}

// Release ends a lease: see [Leases].
func (m *MemoryLeases) Release(ctx context.Context, name string, token int64) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.leases[name]; l != nil && l.token == token {
		l.holder = ""
	}
	return nil
}
