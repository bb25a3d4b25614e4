// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

	mu sync.Mutex
	fd int // of a worker; -1 in a probe, and once closed
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
		spec = p.reserve(spec)
		l = &Lease{Spec: spec, Addr: spec.Address, proc: p, fd: -1}
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
	spec = p.reserve(spec)
	l := &Lease{Spec: spec, proc: p, fd: -1}
	err := l.fetch(ctx)
	if err != nil {
		p.release(spec)
		return nil, err
	}
	return l, nil
}

// fetch gets the descriptor of a worker's lease.
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
	case len(fds) != 1:
		closeAll(fds)
		return fmt.Errorf("listen %s %s: the launcher sent %d descriptors, want 1", l.Spec.Network, l.Spec.Address, len(fds))
	}
	l.fd, l.Addr = fds[0], m.Addr
	return nil
}

// reserve returns spec with the lowest Ordinal that no open lease of this child has, and takes it.
func (p *Process) reserve(spec bind.Spec) bind.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	for spec.Ordinal = 0; p.leased[spec.Key()]; {
		spec.Ordinal++
	}
	p.leased[spec.Key()] = true
	return spec
}

func (p *Process) release(spec bind.Spec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.leased, spec.Key())
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
	l.proc = nil
	if l.fd < 0 {
		return nil
	}
	fd := l.fd
	l.fd = -1
	return closeFD(fd)
}
