// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// A Lease is the right to accept from a listening socket. It holds nothing that wakes this process:
// whoever serves takes a descriptor from it. Its methods may be called from any goroutine.
type Lease struct {
	Spec bind.Spec // what was asked for, with its Ordinal
	Addr string    // where the socket really is; in a probe what was asked for

	table *Table   // in a program Alone
	proc  *Process // in a child

	mu      sync.Mutex
	fd      int           // of a worker; -1 in a probe, before the first Dup, and once closed
	last    bool          // of a worker: nobody serves at the address afterwards
	own     bool          // of a worker: the launcher made the socket
	standIn StandIn       // of a worker: who serves the queues of others too
	early   map[int]Queue // queues of others that came before it, by slot
}

// A StandIn serves the queues of other workers while these cannot. Its methods are called one at a
// time.
type StandIn interface {
	// Serve takes over the queue of a slot, and its descriptor. One that it has comes again now and then.
	Serve(slot int, q Queue)

	// Return ends that, for a slot that it may not have.
	Return(slot int)
}

// ErrNotServing is in the error of using a Lease in a probe, where nothing is bound.
var ErrNotServing = errors.New("nothing is served in a probe")

// bindTimeout is for how long a worker waits for the launcher to bind, beyond the retry time of the
// Spec, if its context has no deadline.
const bindTimeout = 10 * time.Second

// Listen gives a lease of a socket for spec, whose Ordinal it chooses: each lease of an address is on
// another socket, and closing one frees it for the next. A worker gets it from the launcher, which
// binds it if need be; it waits until ctx ends, 10 s beyond RetryUntil without a deadline. A probe gets
// a lease that only remembers.
func (p *Process) Listen(ctx context.Context, spec bind.Spec) (*Lease, error) {
	var l *Lease
	var err error
	switch p.role {
	case Worker:
		l, err = p.ask(ctx, spec)
	case Probe:
		l = p.reserve(spec)
		l.Addr = spec.Address
	default:
		l, err = p.table.Claim(ctx, spec)
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.specs, func(s bind.Spec) bool { return s.Key() == l.Spec.Key() }) {
		p.specs = append(p.specs, l.Spec)
	}
	return l, nil
}

// Specs returns what [Process.Listen] was asked for in this process, each socket once.
func (p *Process) Specs() []bind.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.specs)
}

// ask has the launcher bind spec.
func (p *Process) ask(ctx context.Context, spec bind.Spec) (*Lease, error) {
	l := p.reserve(spec)
	if err := l.fetch(ctx); err != nil {
		p.release(l.Spec)
		return nil, err
	}
	return l, nil
}

// fetch gets the address of a worker's lease.
func (l *Lease) fetch(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, bindTimeout+l.Spec.RetryUntil)
		defer cancel()
	}
	spec, err := json.Marshal(l.Spec)
	if err != nil {
		return err
	}
	m, fds, err := l.proc.Request(ctx, wire.Message{Type: wire.Bind, Name: l.Spec.Key(), Spec: spec})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("listen %s %s: no answer from the launcher: %w", l.Spec.Network, l.Spec.Address, err)
	case err != nil:
		return err // of the launcher's bind, complete
	}
	closeAll(fds) // none are needed until it accepts
	l.Addr = m.Addr
	return nil
}

// acceptTimeout bounds how long a worker waits for a socket that the launcher has bound.
const acceptTimeout = 10 * time.Second

// acceptLocked gets the descriptor that this worker accepts from.
func (l *Lease) acceptLocked() error {
	ctx, cancel := context.WithTimeout(context.Background(), acceptTimeout)
	defer cancel()
	m, fds, err := l.proc.Request(ctx, wire.Message{Type: wire.Accept, Name: l.Spec.Key()})
	switch {
	case errors.Is(err, io.EOF):
		return ErrLeft // with the launcher
	case err != nil:
		return fmt.Errorf("accept %s %s: %w", l.Spec.Network, l.Spec.Address, err)
	case m.Type == wire.Done:
		return ErrLeft
	case len(fds) != 1:
		closeAll(fds)
		return fmt.Errorf("accept %s %s: the launcher sent %d descriptors, want 1", l.Spec.Network, l.Spec.Address, len(fds))
	}
	l.fd, l.own = fds[0], m.Own
	return nil
}

// Own reports whether nobody but this program serves on the socket, so that it may be closed to all
// when the program stops.
func (l *Lease) Own() bool {
	if l.table != nil {
		return l.table.made(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.own
}

// Alone reports whether the socket is the only one at its address.
func (l *Lease) Alone() bool { return l.table != nil }

// SetStandIn says who serves the queues of other workers, and returns those that came before.
func (l *Lease) SetStandIn(s StandIn) map[int]Queue {
	l.mu.Lock()
	defer l.mu.Unlock()
	early := l.early
	l.standIn, l.early = s, nil
	return early
}

// Offered gives the queue of another worker, which came in an unasked offer, to who accepts at the
// address.
func (p *Process) Offered(m Incoming) {
	if l := p.lease(m.Name); l != nil && len(m.FDs) == 1 {
		l.offered(m.Slot, Queue{m.Name, m.Addr, m.FDs[0], m.Own})
		return
	}
	closeAll(m.FDs)
}

// Revoked ends what Offered began, at all addresses.
func (p *Process) Revoked(m Incoming) {
	closeAll(m.FDs)
	p.mu.Lock()
	leases := slices.Collect(maps.Values(p.leased))
	p.mu.Unlock()
	for _, l := range leases {
		l.revoked(m.Slot)
	}
}

// Abandon says that nobody serves at the addresses of these leases afterwards, whatever the reason of the
// drain that follows.
func (p *Process) Abandon(keys []string) {
	for _, key := range keys {
		if l := p.lease(key); l != nil {
			l.mu.Lock()
			l.last = true
			l.mu.Unlock()
		}
	}
}

// Abandoned reports whether nobody serves at the address afterwards, see [Process.Abandon].
func (l *Lease) Abandoned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// lease returns the open lease of that key, nil without one.
func (p *Process) lease(key string) *Lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leased[key]
}

func (l *Lease) offered(slot int, q Queue) {
	if s := l.keep(slot, q); s != nil {
		s.Serve(slot, q)
	}
}

// keep keeps a queue for the stand-in to come; it returns the one that there is.
func (l *Lease) keep(slot int, q Queue) StandIn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.standIn != nil {
		return l.standIn
	}
	if _, twice := l.early[slot]; twice || l.proc == nil {
		closeFD(q.FD)
		return nil
	}
	if l.early == nil {
		l.early = make(map[int]Queue)
	}
	l.early[slot] = q
	return nil
}

func (l *Lease) revoked(slot int) {
	l.mu.Lock()
	s := l.standIn
	if q, ok := l.early[slot]; ok {
		closeFD(q.FD)
		delete(l.early, slot)
	}
	l.mu.Unlock()
	if s != nil {
		s.Return(slot)
	}
}

// reserve returns a lease of spec with the lowest Ordinal that no open lease of this child has.
func (p *Process) reserve(spec bind.Spec) *Lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	for spec.Ordinal = 0; p.leased[spec.Key()] != nil; {
		spec.Ordinal++
	}
	l := &Lease{Spec: spec, proc: p, fd: -1}
	p.leased[spec.Key()] = l
	return l
}

func (p *Process) release(spec bind.Spec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.leased, spec.Key())
}

// Hide says that nobody is to connect any more while the queue is emptied for the last time: the file of
// a unix socket goes from its path. It does nothing in a worker, whose launcher sees to that, and while
// the table is on hold. Show undoes it; Close makes it final.
func (l *Lease) Hide() error { return l.hide(true) }

// Show undoes Hide.
func (l *Lease) Show() error { return l.hide(false) }

func (l *Lease) hide(on bool) error {
	if l.table == nil {
		return nil
	}
	return l.table.hide(l, on)
}

// Close gives the right up; descriptors taken from the lease stay their owners'. A second Close does
// nothing.
func (l *Lease) Close() error {
	if l.table != nil {
		return l.table.release(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.proc == nil {
		return nil
	}
	l.proc.release(l.Spec)
	l.proc, l.standIn = nil, nil
	for _, q := range l.early {
		closeFD(q.FD)
	}
	l.early = nil
	if l.fd < 0 {
		return nil
	}
	fd := l.fd
	l.fd = -1
	return closeFD(fd)
}
