// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// A Listener is a net.Listener on a socket that the program keeps: it can be handed to worker
// processes and outlives those who accept from it. Make one with [Listen]. Its methods may be called
// from many goroutines.
//
// It can be used again: after Close or Shutdown, [Listener.Reopen] makes it accept anew, on the
// same socket where the launcher kept that.
type Listener struct {
	spec          bind.Spec
	keepAliveIdle time.Duration

	mu   sync.Mutex
	term *term // nil while closed
	addr net.Addr
}

// A term is the time from taking a lease of a socket to accepting nothing more from it. Its fields
// are guarded by the Listener's mu.
type term struct {
	lease    *proc.Lease
	ln       net.Listener // nil until the first Accept: who does not accept is not woken
	draining bool         // the queue is emptied, then the term ends
	gate     func()       // opens the gate before ln, if there is one
	over     chan struct{}
}

// errEmpty is what acceptNow says of an empty queue.
var errEmpty = errors.New("nothing in the queue")

// Addr returns the address that the socket is bound to, with the real port.
func (l *Listener) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr
}

// Accept waits for the next connection: a *net.TCPConn, or a *net.UnixConn. Its error is
// net.ErrClosed after Close, and after Shutdown once the queue is empty.
func (l *Listener) Accept() (net.Conn, error) {
	t, ln, err := l.open()
	if err != nil {
		return nil, err
	}
	c, err := ln.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c, err = l.acceptLast(t)
	}
	if err != nil {
		return nil, err
	}
	l.tune(c)
	return c, nil
}

// open returns the current term, and its listener, made by now.
func (l *Listener) open() (*term, net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.term
	if t == nil {
		return nil, nil, l.closed()
	}
	if t.ln == nil {
		ln, err := serve(t.lease)
		if err != nil {
			return nil, nil, &net.OpError{Op: "accept", Net: l.spec.Network, Addr: l.addr, Err: err}
		}
		t.ln = ln
	}
	return t, t.ln, nil
}

func (l *Listener) closed() error {
	return &net.OpError{Op: "accept", Net: l.spec.Network, Addr: l.addr, Err: net.ErrClosed}
}

// acceptLast takes from the queue what is in it and ends the term when that is nothing. A listener
// whose deadline has passed does not even look.
func (l *Listener) acceptLast(t *term) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != t {
		return nil, l.closed()
	}
	c, err := acceptNow(t.ln)
	if err == errEmpty {
		l.endLocked()
		return nil, l.closed()
	}
	return c, err
}

// tune sets what a listener made of a descriptor does not pass on to its connections.
func (l *Listener) tune(c net.Conn) {
	tc, ok := c.(*net.TCPConn)
	switch {
	case !ok:
	case l.keepAliveIdle < 0:
		tc.SetKeepAlive(false)
	default:
		tc.SetKeepAlivePeriod(l.keepAliveIdle)
	}
}

// Close stops accepting at once; a waiting Accept returns net.ErrClosed. Connections that wait in the
// queue are left to the other processes that accept from the socket, and lost if there are none.
// Accepted connections are not touched. Closing a closed Listener does nothing.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endLocked()
}

// Shutdown stops accepting in the way that the reason for the drain in ctx asks for.
//
// If others serve on, a successor or siblings, the queue is theirs: Accept returns net.ErrClosed at
// once. Otherwise nothing that the kernel accepted is lost: new connections are held off, to be
// refused when the socket is closed, Accept goes on returning what is in the queue, and then
// net.ErrClosed. Shutdown returns after that; so keep accepting until Accept fails. If ctx ends
// before, the rest of the queue is given up and Shutdown returns ctx's error. It does not wait, and
// gives the queue up, if Accept was not called since Listen or Reopen.
//
// The file of a unix socket, if this process owns it, is removed when the drain begins. An abstract
// name cannot be: who connects to it in the very moment in which the queue is found empty is lost, as
// is who connects to a socket that others made, such as the service manager, and that they close.
func (l *Listener) Shutdown(ctx context.Context) error {
	t := l.beginDrain(drain.From(ctx))
	if t == nil {
		return nil
	}
	select {
	case <-t.over:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == t {
		l.endLocked()
		return context.Cause(ctx)
	}
	return nil
}

// beginDrain returns the term that is to drain, nil if there is nothing to wait for.
func (l *Listener) beginDrain(why drain.Reason) *term {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.term
	switch {
	case t == nil:
		return nil
	case why == drain.Replace, why == drain.Shrink, t.ln == nil: // without a first Accept none follows
		l.endLocked()
		return nil
	case t.draining:
		return t
	}
	t.draining = true
	if releaseEarly {
		t.lease.Close() // the name goes first: nobody shall find it and be refused
	}
	open, settle := shut(t.ln)
	t.gate = open
	// Accept goes on as before until handshakes under way have had their time, then looks once more.
	t.ln.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(settle))
	return t
}

// endLocked ends the current term, if there is one.
func (l *Listener) endLocked() error {
	t := l.term
	if t == nil {
		return nil
	}
	l.term = nil
	var err error
	if t.ln != nil {
		err = t.ln.Close()
	}
	err = errors.Join(err, t.lease.Close())
	if t.gate != nil {
		t.gate() // last: the closed socket now refuses
	}
	close(t.over)
	return err
}

// Reopen makes a closed Listener accept again; an open one is left as it is. It waits for a Shutdown
// that still drains, until ctx ends. Services call it when they start, so that they can start again.
// The address is the one before if the launcher kept the socket; else a port 0 is chosen anew.
func (l *Listener) Reopen(ctx context.Context) error {
	l.mu.Lock()
	t, spec := l.term, l.spec
	draining := t != nil && t.draining
	l.mu.Unlock()
	if t != nil && !draining {
		return nil
	}
	if draining {
		select {
		case <-t.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	lease, err := proc.Self().Listen(ctx, spec)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != nil { // opened by another call meanwhile
		return lease.Close()
	}
	l.term = &term{lease: lease, over: make(chan struct{})}
	l.spec = lease.Spec // an address that was asked for twice comes back in the same order
	l.addr = netAddr(l.spec.Network, lease.Addr)
	return nil
}

// netAddr returns the address of a socket in the form that package net gives it.
func netAddr(network, address string) net.Addr {
	if network == "unix" || address == "" || address[0] == '/' || address[0] == '@' {
		return &net.UnixAddr{Name: address, Net: "unix"}
	}
	if at, err := netip.ParseAddrPort(address); err == nil {
		return net.TCPAddrFromAddrPort(at)
	}
	return plainAddr{network, address}
}

// A plainAddr is an address that nothing is bound to yet: a process that only makes the plan has those.
type plainAddr struct{ network, address string }

func (a plainAddr) Network() string { return a.network }
func (a plainAddr) String() string  { return a.address }
