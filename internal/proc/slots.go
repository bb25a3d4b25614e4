// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// A Place is where a worker serves: what takes over a place takes over its queues.
type Place struct {
	Set  string
	Slot int
}

// A Queue is an accept queue to be handed to a worker.
type Queue struct {
	Key  string // of the listener
	Addr string // where it really is
	FD   int    // a duplicate of the socket, the receiver's to close
	Own  bool   // the launcher made the socket: nobody else serves on it afterwards
}

// turnout is what new connections to a set find.
type turnout struct {
	open map[int]bool // slots; nil is all of them
	left bool         // nobody of the set serves any more
}

// home is where a socket was that was given up.
type home struct {
	spec bind.Spec
	addr string
}

// ErrLeft is in the error of taking a queue for a set that serves no more.
var ErrLeft = errors.New("the set serves no more")

// Give returns the queue at key of a place: the one it had, else the first of the address if nobody has
// that, else a new one beside the others, where the address can have several sockets. Where a second
// one cannot be had, as after a change of user, the place shares the first, and the error says why.
func (t *Table) Give(key string, p Place) (q Queue, shared, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if to := t.sets[p.Set]; to != nil && to.left {
		return Queue{FD: -1}, nil, fmt.Errorf("set %s: %w", p.Set, ErrLeft)
	}
	e := t.findLocked(key)
	switch {
	case e == nil && t.ending:
		return Queue{FD: -1}, nil, fmt.Errorf("listener %s: %w", key, ErrLeft)
	case e == nil || e.sock == nil:
		return Queue{FD: -1}, nil, fmt.Errorf("no listener %s", key)
	}
	s := e.slots[p]
	if s == nil || e.away[p] {
		if delete(e.away, p); s == nil {
			s, shared = e.settle(p)
		}
		if err := t.steerLocked(e); err != nil {
			return Queue{FD: -1}, shared, err
		}
	}
	s.Ungate()
	q, err = e.queue(s)
	return q, shared, err
}

// settle finds a socket for a place that has none.
func (e *entry) settle(p Place) (s *bind.Socket, shared error) {
	s = e.group.Sockets()[0]
	if len(e.slots) > 0 && e.group.Splits() {
		if next, err := e.group.Join(); err != nil {
			shared = err
		} else {
			s = next
		}
	}
	e.slots[p] = s
	return s, shared
}

func (e *entry) queue(s *bind.Socket) (Queue, error) {
	fd, err := s.Dup()
	return Queue{e.spec.Key(), e.sock.Addr, fd, s.Made()}, err
}

// Steer has new connections come to the sockets of these slots of a set alone. What is in a queue
// stays there.
func (t *Table) Steer(set string, slots []int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	to := &turnout{open: make(map[int]bool)}
	for _, id := range slots {
		to.open[id] = true
	}
	t.sets[set] = to
	return t.steerSetLocked(set)
}

func (t *Table) steerSetLocked(set string) error {
	var errs []error
	for _, e := range t.entries {
		if e.serves(set) {
			errs = append(errs, t.steerLocked(e))
		}
	}
	return errors.Join(errs...)
}

// steerLocked tells the kernel which sockets of e are open.
func (t *Table) steerLocked(e *entry) error {
	if !e.group.Splits() {
		return nil
	}
	err := e.group.Steer(func(s *bind.Socket) bool {
		for p, mine := range e.slots {
			if mine == s && !e.away[p] && t.openLocked(p) {
				return true
			}
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("steer %s: %w", e.spec.Key(), err)
	}
	return nil
}

func (t *Table) openLocked(p Place) bool {
	to := t.sets[p.Set]
	return to == nil || !to.left && (to.open == nil || to.open[p.Slot])
}

// serves reports whether a place of the set has a socket of e.
func (e *entry) serves(set string) bool {
	for p := range e.slots {
		if p.Set == set {
			return true
		}
	}
	return false
}

// Abandon says that the worker of a place does not serve at these addresses: new connections there go to
// other slots, until one is given the queue again.
func (t *Table) Abandon(p Place, keys []string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, key := range keys {
		if e := t.findLocked(key); e != nil && e.slots[p] != nil {
			e.away[p] = true
			errs = append(errs, t.steerLocked(e))
		}
	}
	return errors.Join(errs...)
}

// Queues returns the queues that are a place's alone, for another worker to serve.
func (t *Table) Queues(p Place) ([]Queue, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Queue
	var errs []error
	for _, e := range t.entries {
		s := e.slots[p]
		if s == nil || !e.group.Splits() || e.shared(p) {
			continue
		}
		q, err := e.queue(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, q)
	}
	return all, errors.Join(errs...)
}

// shared reports whether another place has the socket of p too.
func (e *entry) shared(p Place) bool {
	for other, s := range e.slots {
		if other != p && s == e.slots[p] {
			return true
		}
	}
	return false
}

// Retire closes the sockets of a place that nothing is steered to any more, and returns how many
// connections are left in its queues: unless forced it closes nothing while there are any. An address
// keeps its last socket.
func (t *Table) Retire(p Place, force bool) (left int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, e := range t.entries {
		if s := e.slots[p]; s != nil && e.group.Splits() && !e.shared(p) {
			n, err := s.Queued()
			left += n
			errs = append(errs, err)
		}
	}
	if left > 0 && !force {
		return left, errors.Join(errs...)
	}
	for _, e := range t.entries {
		s := e.slots[p]
		if s == nil {
			continue
		}
		if e.group.Splits() && !e.shared(p) && len(e.group.Sockets()) > 1 {
			errs = append(errs, e.group.Remove(s))
			e.sock = e.group.Sockets()[0] // as it may have been that one
		}
		delete(e.slots, p)
		delete(e.away, p)
		errs = append(errs, t.steerLocked(e))
	}
	return left, errors.Join(errs...)
}

// Leave gives up the sockets of a set that nobody comes to any more: its workers empty their queues
// and end. Addresses that no other set serves are closed here, so that the last worker's end is that of
// the socket; those of others are steered to them. [Table.Return] undoes it for workers to come.
func (t *Table) Leave(set string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sets[set] = &turnout{left: true}
	return errors.Join(t.steerSetLocked(set), t.closeLocked(func(e *entry) bool {
		if e.sock == nil || !e.serves(set) {
			return false
		}
		for p := range e.slots {
			if to := t.sets[p.Set]; to == nil || !to.left {
				return false
			}
		}
		t.homes[e.spec.Key()] = home{e.spec, e.sock.Addr}
		return true
	}))
}

// Return has workers of a set served again that had left.
func (t *Table) Return(set string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if to := t.sets[set]; to != nil && to.left {
		delete(t.sets, set)
	}
}

// DropIdle closes the sockets with the given keys that no worker has taken, as the program ends: none is
// to take one any more.
func (t *Table) DropIdle(keys []string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ending = true
	named := make(map[string]bool)
	for _, key := range keys {
		named[key] = true
	}
	return t.closeLocked(func(e *entry) bool { return e.sock != nil && named[e.spec.Key()] && len(e.slots) == 0 })
}

// homeRetry is for how long to try to have an address back: its last workers may still empty their queues.
const homeRetry = 3 * time.Second

// homeLocked returns spec with the address that it had before its set left: one that asked for any port
// gets that one again.
func (t *Table) homeLocked(spec bind.Spec) bind.Spec {
	if home := t.homes[spec.Key()]; home.addr != "" && strings.HasPrefix(spec.Network, "tcp") {
		spec.Address = home.addr
		spec.RetryUntil = max(spec.RetryUntil, homeRetry)
	}
	return spec
}
