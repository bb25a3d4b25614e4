// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// A Table holds the listening sockets of a program that is Alone: those it serves on itself, each
// claimed by a [Lease], and those it keeps for its workers. Its methods may be called from any
// goroutine; none but Claim and Ensure waits for anything.
type Table struct {
	mu      sync.Mutex
	entries []*entry // in the order in which they came
	held    bool
	ending  bool                // no worker gets a socket that is not there
	sets    map[string]*turnout // of those that were steered, or have left
	homes   map[string]home     // of the sockets that were given up with their sets, by key
}

// entry is the socket of an address, or the place of one that is being bound.
type entry struct {
	spec    bind.Spec
	sock    *bind.Socket  // the first; nil while it is being bound
	bound   chan struct{} // closed when that is over, well or not
	lease   *Lease        // who claimed it, nil for nobody
	closing bool          // whoever claimed it empties the queue for the last time

	group *bind.Group            // sock, and those that were made for more workers
	slots map[Place]*bind.Socket // whose worker has which
	away  map[Place]bool         // of slots: their worker does not serve here any more
}

// A Listener is what [Table.List] says of an address.
type Listener struct {
	Key     string // of its Spec
	Network string
	Addr    string // where it really is
	Sockets int    // at the address, one for each slot that serves there
	Closing bool   // nobody is to connect any more
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{sets: make(map[string]*turnout), homes: make(map[string]home)}
}

// Claim gives a lease of a socket for spec: one in the table that nobody has claimed, else it binds
// one. Its Ordinal is that of spec if that socket is there and free, else the lowest free one, so that a program that asks for one
// address twice gets two sockets, and the same two when its workers ask.
func (t *Table) Claim(ctx context.Context, spec bind.Spec) (*Lease, error) {
	for {
		t.mu.Lock()
		e := t.unclaimedLocked(&spec)
		l := &Lease{Spec: spec, table: t}
		switch {
		case e == nil:
			e = t.placeLocked(spec)
			e.lease = l
			t.mu.Unlock()
			sock, err := t.fill(ctx, e)
			if err != nil {
				return nil, err
			}
			l.Addr = sock.Addr
			return l, nil
		case e.sock != nil:
			e.lease = l
			l.Addr = e.sock.Addr
			t.mu.Unlock()
			return l, nil
		}
		t.mu.Unlock()
		if err := e.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// unclaimedLocked returns the first entry for spec that nobody has claimed and sets the Ordinal of
// spec to its own; nil says that there is none, and that Ordinal is free.
func (t *Table) unclaimedLocked(spec *bind.Spec) *entry {
	if e := t.findLocked(spec.Key()); e != nil && e.lease == nil {
		return e // the socket that a listener had before it was closed
	}
	for spec.Ordinal = 0; ; spec.Ordinal++ {
		if e := t.findLocked(spec.Key()); e == nil || e.lease == nil {
			return e
		}
	}
}

// Ensure binds spec, for workers to come, unless the table has that very socket; bound says that it
// had to. An address that was given up with the last set that served there, see [Table.Leave], is bound
// again when a worker is to accept there, by [Table.Recall]: that main of other workers asks for it says
// nothing.
func (t *Table) Ensure(ctx context.Context, spec bind.Spec) (bound bool, err error) {
	return t.ensure(ctx, spec, false)
}

// Recall binds the address of that key again if it was given up.
func (t *Table) Recall(ctx context.Context, key string) error {
	t.mu.Lock()
	home, ok := t.homes[key]
	ok = ok && t.findLocked(key) == nil && !t.ending
	t.mu.Unlock()
	if !ok {
		return nil
	}
	_, err := t.ensure(ctx, home.spec, true)
	return err
}

func (t *Table) ensure(ctx context.Context, spec bind.Spec, recall bool) (bound bool, err error) {
	for {
		t.mu.Lock()
		e := t.findLocked(spec.Key())
		if _, left := t.homes[spec.Key()]; e == nil && left && !recall {
			t.mu.Unlock()
			return false, nil
		}
		if e == nil {
			e = t.placeLocked(spec)
			t.mu.Unlock()
			_, err := t.fill(ctx, e)
			return err == nil, err
		}
		ready := e.sock != nil
		t.mu.Unlock()
		if ready {
			return false, nil
		}
		if err := e.wait(ctx); err != nil {
			return false, err
		}
	}
}

// Adopt takes over a socket that somebody else bound, under the lowest free Ordinal of its Spec.
// Nobody has claimed it yet.
func (t *Table) Adopt(sock *bind.Socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for sock.Spec.Ordinal = 0; t.findLocked(sock.Spec.Key()) != nil; {
		sock.Spec.Ordinal++
	}
	e := t.placeLocked(sock.Spec)
	e.has(sock)
	close(e.bound)
}

// placeLocked makes room for a socket, so that nobody else binds it meanwhile.
func (t *Table) placeLocked(spec bind.Spec) *entry {
	e := &entry{spec: spec, bound: make(chan struct{})}
	t.entries = append(t.entries, e)
	return e
}

// fill binds the socket of a place that the caller made, or gives the place up.
func (t *Table) fill(ctx context.Context, e *entry) (*bind.Socket, error) {
	t.mu.Lock()
	spec := t.homeLocked(e.spec)
	t.mu.Unlock()
	sock, err := bind.Bind(ctx, spec)
	t.mu.Lock()
	defer t.mu.Unlock()
	defer close(e.bound)
	if err == nil && !slices.Contains(t.entries, e) { // CloseAll came first
		err = errors.Join(fmt.Errorf("listen %s %s: the program ends", e.spec.Network, e.spec.Address), sock.Close())
	}
	if err != nil {
		t.removeLocked(e)
		return nil, err
	}
	sock.Spec = e.spec
	e.has(sock)
	delete(t.homes, e.spec.Key())
	return sock, nil
}

// has gives e its socket.
func (e *entry) has(sock *bind.Socket) {
	e.sock, e.group, e.slots = sock, bind.NewGroup(sock), make(map[Place]*bind.Socket)
	e.away = make(map[Place]bool)
}

// wait waits until the socket of e is bound, or is not to be.
func (e *entry) wait(ctx context.Context) error {
	select {
	case <-e.bound:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("listen %s %s: %w", e.spec.Network, e.spec.Address, context.Cause(ctx))
	}
}

func (t *Table) findLocked(key string) *entry {
	for _, e := range t.entries {
		if e.spec.Key() == key {
			return e
		}
	}
	return nil
}

func (t *Table) removeLocked(e *entry) {
	t.entries = slices.DeleteFunc(t.entries, func(other *entry) bool { return other == e })
}

// Addr returns where the socket at key really is.
func (t *Table) Addr(key string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.findLocked(key)
	if e != nil && e.sock != nil {
		return e.sock.Addr, nil
	}
	if home, ok := t.homes[key]; ok {
		return home.addr, nil
	}
	return "", fmt.Errorf("no listener %s", key)
}

// Hold says whether a launcher, or a reload in this process, needs the sockets: while it does, closing
// a lease leaves the socket in the table for the next claim. Else the socket is closed with it.
func (t *Table) Hold(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = on
}

// Keep closes all sockets but those with the given keys. One that is claimed goes only while the table
// is on hold: main claims in a launcher too, but there the plan alone decides what is needed.
func (t *Table) Keep(keys []string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closeLocked(func(e *entry) bool {
		needed := slices.Contains(keys, e.spec.Key()) || e.lease != nil && !t.held
		return !needed && e.sock != nil // what is being bound is needed
	})
}

// Drop closes the sockets with the given keys, claimed or not: a launcher's, whose leases nobody
// accepts on.
func (t *Table) Drop(keys []string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closeLocked(func(e *entry) bool { return e.sock != nil && slices.Contains(keys, e.spec.Key()) })
}

// CloseAll closes every socket, claimed or not, and gives up what is being bound.
func (t *Table) CloseAll() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closeLocked(func(*entry) bool { return true })
}

func (t *Table) closeLocked(which func(*entry) bool) error {
	var errs []error
	t.entries = slices.DeleteFunc(t.entries, func(e *entry) bool {
		if !which(e) {
			return false
		}
		errs = append(errs, e.close())
		return true
	})
	return errors.Join(errs...)
}

// close closes the sockets of e, if it has any. Workers have duplicates of those that they accept from.
func (e *entry) close() error {
	if e.sock == nil {
		return nil
	}
	return e.group.Close()
}

// release ends a claim.
func (t *Table) release(l *Lease) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.ofLocked(l)
	if e == nil {
		return nil // closed by Keep or CloseAll
	}
	e.lease = nil
	if t.held || e.sock == nil {
		return nil
	}
	t.removeLocked(e)
	return e.close()
}

// hide takes the file of the socket that l claims away, or puts it back.
func (t *Table) hide(l *Lease, on bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.ofLocked(l)
	if e == nil || e.sock == nil || t.held && on {
		return nil
	}
	e.closing = on
	if on {
		return e.sock.Hide()
	}
	return e.sock.Show()
}

// made reports whether the socket that l claims was made here.
func (t *Table) made(l *Lease) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.ofLocked(l)
	return e != nil && e.sock != nil && e.sock.Made()
}

// ofLocked returns the entry that l claims.
func (t *Table) ofLocked(l *Lease) *entry {
	for _, e := range t.entries {
		if e.lease == l {
			return e
		}
	}
	return nil
}

// Look calls f with the descriptor of each socket at key, which f must neither keep nor close.
func (t *Table) Look(key string, f func(fd int)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.findLocked(key)
	if e == nil || e.sock == nil {
		return
	}
	for _, s := range e.group.Sockets() {
		f(s.FD)
	}
}

// List returns the sockets in the order in which they were bound.
func (t *Table) List() []Listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Listener
	for _, e := range t.entries {
		if e.sock != nil {
			list = append(list, Listener{e.spec.Key(), e.spec.Network, e.sock.Addr, len(e.group.Sockets()), e.closing})
		}
	}
	return list
}
