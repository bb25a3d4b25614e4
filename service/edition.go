// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"slices"
	"sync"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// An edition is what the workers of one generation are started with: the plan, the snapshot of the
// configuration it came from, and the listeners they asked for.
type edition struct {
	plan     *plan
	snapshot int           // memfd of the plan's snapshot
	spawn    int           // memfd for workers to come: base and what a mutate has made of it
	base     proc.Snapshot // of the last reload; without one it is the plan's
	inPlace  bool          // the workers of the generation before take it over

	mu   sync.Mutex
	keys map[string]bool // of the listeners in use; workers add to them
}

// newEdition makes the edition of a plan. base is what its workers start from before they take over
// the plan's snapshot; nil for those that start from that.
func newEdition(p *plan, base proc.Snapshot) (*edition, error) {
	ed := &edition{plan: p, base: p.Snapshot, snapshot: -1, spawn: -1, keys: make(map[string]bool)}
	var mutated proc.Snapshot
	if base != nil {
		ed.base, mutated = base, p.Snapshot
	}
	var err error
	if ed.snapshot, err = p.Snapshot.Memfd(); err == nil {
		ed.spawn, err = ed.base.MemfdMutated(mutated)
	}
	if err != nil {
		ed.close()
		return nil, err
	}
	for _, spec := range p.Listeners {
		ed.keys[spec.Key()] = true
	}
	return ed, nil
}

// use notes that workers of this edition listen on keys.
func (ed *edition) use(keys ...string) {
	ed.mu.Lock()
	defer ed.mu.Unlock()
	for _, key := range keys {
		ed.keys[key] = true
	}
}

// listeners returns the keys in use.
func (ed *edition) listeners() []string {
	ed.mu.Lock()
	defer ed.mu.Unlock()
	var keys []string
	for key := range ed.keys {
		keys = append(keys, key)
	}
	return keys
}

// without returns the addresses that main listens on in this edition and not in another. What services
// listen on by themselves is not known before they do.
func (ed *edition) without(other *edition) (keys []string) {
	for _, spec := range ed.plan.Listeners {
		if key := spec.Key(); !slices.ContainsFunc(other.plan.Listeners, func(s bind.Spec) bool { return s.Key() == key }) {
			keys = append(keys, key)
		}
	}
	return keys
}

// close gives the snapshots up; workers have their own descriptors of them.
func (ed *edition) close() {
	for _, fd := range []int{ed.snapshot, ed.spawn} {
		if fd >= 0 {
			closeAll([]int{fd})
		}
	}
}

// closeEditions gives up the editions there are, at the end.
func (s *shell) closeEditions() {
	for _, ed := range s.editions {
		ed.close()
	}
}

// closeListeners closes the launcher's sockets, at the end.
func (s *shell) closeListeners() {
	proc.Self().Table().Drop(s.keysInUse())
}
