// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"sync"

	"github.com/mainstay-go/mainstay/internal/proc"
)

// An edition is what the workers of one generation are started with: the plan, the snapshot of the
// configuration it came from, and the listeners they asked for.
type edition struct {
	plan     *plan
	snapshot int  // memfd
	inPlace  bool // the workers of the generation before take it over

	mu   sync.Mutex
	keys map[string]bool // of the listeners in use; workers add to them
}

// newEdition makes the edition of a plan.
func newEdition(p *plan) (*edition, error) {
	fd, err := p.Snapshot.Memfd()
	if err != nil {
		return nil, err
	}
	ed := &edition{plan: p, snapshot: fd, keys: make(map[string]bool)}
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

// close gives the snapshot up; workers have their own descriptors of it.
func (ed *edition) close() { closeAll([]int{ed.snapshot}) }

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
