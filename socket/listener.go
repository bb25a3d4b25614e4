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
	"syscall"
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
	until    time.Time    // of draining: handshakes under way have this long
	gate     *bind.Gate   // before ln, if there is one
	extras   extras       // queues of other workers that are served besides
	turn     bool         // of the extras to be looked at first
	over     chan struct{}
	resumed  chan struct{} // closed when a drain is taken back
	gated    bool          // there was a gate, maybe lifted by now
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
	for {
		t, ln, err := l.open()
		if errors.Is(err, proc.ErrLeft) {
			<-t.over // which the launcher is about to ask for
			continue
		}
		if err != nil {
			return nil, err
		}
		c, err := ln.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c, err = l.woken(t)
		}
		switch {
		case err == errEmpty:
			continue
		case errors.Is(err, syscall.EINVAL):
			l.bereft(t)
			continue
		case err != nil:
			return nil, err
		}
		l.tune(t, c)
		return c, nil
	}
}

// bereft waits for the end of a term whose socket listens no more. The launcher has emptied its queue and
// shut it down, for the slot of this worker was removed: the order to drain is on its way, or is being
// followed.
func (l *Listener) bereft(t *term) {
	l.mu.Lock()
	if l.term == t && t.draining {
		l.endLocked()
	}
	l.mu.Unlock()
	<-t.over
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
			return t, nil, &net.OpError{Op: "accept", Net: l.spec.Network, Addr: l.addr, Err: err}
		}
		t.ln = ln
		l.standInLocked(t)
	}
	return t, t.ln, nil
}

func (l *Listener) closed() error {
	return &net.OpError{Op: "accept", Net: l.spec.Network, Addr: l.addr, Err: net.ErrClosed}
}

// woken looks at what the deadline of the listener came for: somebody waits in the queue of another
// worker, or the last look into the queues is due, which ends the term when they are empty. A listener
// whose deadline has passed does not even look at its own. The error is errEmpty if nothing came of it.
func (l *Listener) woken(t *term) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != t {
		return nil, l.closed()
	}
	last := t.draining && !time.Now().Before(t.until)
	own := func() (net.Conn, error) { return acceptNow(t.ln) }
	others := func() (net.Conn, error) { return t.extras.accept(last) }
	if t.turn = !t.turn; t.turn {
		own, others = others, own // so that neither waits for the other to be empty
	}
	for _, accept := range []func() (net.Conn, error){own, others} {
		if c, err := accept(); err != errEmpty {
			return c, err
		}
	}
	if last {
		l.endLocked()
		return nil, l.closed()
	}
	t.rest()
	return nil, errEmpty
}

// rest has Accept wait again, until the end of a drain if there is one, unless somebody is in the queue of
// another worker.
func (t *term) rest() {
	if t.extras.filled() {
		setDeadline(t.ln, time.Unix(1, 0))
		return
	}
	setDeadline(t.ln, t.until)
}

func setDeadline(ln net.Listener, at time.Time) {
	ln.(interface{ SetDeadline(time.Time) error }).SetDeadline(at)
}

// tune sets what a listener made of a descriptor does not pass on to its connections, and takes away
// what a gate does.
func (l *Listener) tune(t *term, c net.Conn) {
	tc, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if l.mayBeGated(t) {
		admit(tc)
	}
	if l.keepAliveIdle < 0 {
		tc.SetKeepAlive(false)
	} else {
		tc.SetKeepAlivePeriod(l.keepAliveIdle)
	}
}

// mayBeGated reports whether connections may come from behind a gate: ours, or that of another process
// that accepts from the same socket and was told to stop a moment earlier.
func (l *Listener) mayBeGated(t *term) bool {
	if !t.lease.Alone() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.gated
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
// How connections are held off: the file of a unix socket goes from its path when the drain begins. The
// queue of an abstract name is made as short as can be, so that one that connects in the moment in
// which it is found empty is lost, or two. Over TCP first packets are dropped: by a minimum time to
// live, which those of peers one hop away that send 255 have; else by a second socket or a packet
// filter. A socket that others made, such as the service manager, is theirs to close.
//
// [Listener.Resume] takes a drain back that has not come to its end.
func (l *Listener) Shutdown(ctx context.Context) error {
	t, resumed := l.beginDrain(drain.From(ctx))
	if t == nil {
		return nil
	}
	select {
	case <-t.over:
		return nil
	case <-resumed:
		return ErrResumed
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == t && t.draining {
		l.endLocked()
		return context.Cause(ctx)
	}
	return nil
}

// beginDrain returns the term that is to drain, nil if there is nothing to wait for, and the channel that
// is closed when the drain is taken back.
func (l *Listener) beginDrain(why drain.Reason) (*term, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.term
	switch {
	case t == nil:
		return nil, nil
	case t.ln == nil, // without a first Accept none follows
		(why == drain.Replace || why == drain.Shrink) && !t.lease.Abandoned():
		l.endLocked()
		return nil, nil
	case t.draining:
		return t, t.resumed
	}
	t.draining, t.gated = true, true // before the gate: connections may inherit it from then on
	t.lease.Hide()                   // the name goes first: nobody shall find it and be refused
	var settle time.Duration
	t.gate, settle = shut(t.ln, t.lease)
	t.extras.shut(l.spec)
	// Accept goes on as before until handshakes under way have had their time, then looks once more.
	t.until = time.Now().Add(settle)
	t.rest()
	return t, t.resumed
}

// ErrResumed is what Shutdown returns when [Listener.Resume] took it back.
var ErrResumed = errors.New("the listener accepts on")

// Resume takes back a Shutdown that still empties the queue, as when a stop is cancelled: the gate is
// lifted and Accept goes on. It does nothing to a Listener that does not drain. The error is
// net.ErrClosed if it is closed, and that of putting the file of a unix socket back; then the drain
// goes on.
func (l *Listener) Resume() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.term
	if t == nil {
		return l.closed()
	}
	if !t.draining {
		return nil
	}
	if err := t.lease.Show(); err != nil {
		return err
	}
	err := errors.Join(reopenGate(t.ln, t.gate), t.extras.open())
	t.draining, t.until, t.gate = false, time.Time{}, nil
	t.rest()
	close(t.resumed)
	t.resumed = make(chan struct{})
	return err
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
	t.extras.close()
	err = errors.Join(err, t.lease.Close())
	if t.gate != nil {
		t.gate.Drop() // last: the closed socket now refuses
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
	l.term = &term{lease: lease, over: make(chan struct{}), resumed: make(chan struct{})}
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
