// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// An intake is the listener that net/http accepts from.
type intake struct {
	net.Listener
	run   *run
	first sync.Once
}

// Accept returns the next connection, wrapped, and under TLS if there is TLS.
func (in *intake) Accept() (net.Conn, error) {
	in.first.Do(func() { time.AfterFunc(acceptWait, in.run.poll) })
	nc, err := in.Listener.Accept()
	in.run.poll()
	if err != nil {
		return nil, err
	}
	c, err := in.run.admit(nc)
	if err != nil {
		return nil, err
	}
	if in.run.tls != nil {
		return tls.Server(c, in.run.tls), nil
	}
	return c, nil
}

// poll notes that the listener was asked for connections.
func (r *run) poll() { r.pollOnce.Do(func() { close(r.polled) }) }

// Close does nothing: the run ends its listener itself.
func (in *intake) Close() error { return nil }

// admit makes nc a connection of r.
func (r *run) admit(nc net.Conn) (*conn, error) {
	limitStall(nc, r.stall)
	c := &conn{Conn: nc, run: r, rule: rule{steps: 2, blind: r.tls != nil || r.h2 != nil}, farewell: r.front.farewell.any()}
	if !isOwn(nc) {
		r.movable.Store(false)
	}
	if r.tls != nil {
		c.state.Store(greeting)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cutting {
		nc.Close()
		return nil, net.ErrClosed
	}
	r.conns[c] = struct{}{}
	if c.counted = r.movable.Load(); c.counted {
		scoreboard.Current().Hold(1)
	}
	c.limit(r.header) // now that a scan sees it
	return c, nil
}

// isOwn reports whether a connection is as the kernel gave it: what a foreign listener has put around
// it would be lost on the way to another server.
func isOwn(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// forget ends that.
func (r *run) forget(c *conn) {
	r.mu.Lock()
	delete(r.conns, c)
	if c.counted {
		c.counted = false
		scoreboard.Current().Hold(-1)
	}
	stopping := r.draining || r.cutting
	r.mu.Unlock()
	if stopping {
		r.notify()
	}
}

// scan ends the waits of connections whose deadlines have passed.
func (r *run) scan() {
	now := r.keeper.now()
	r.mu.Lock()
	due, next := r.expireLocked(now)
	for c := range r.conns {
		switch d := c.deadline.Load(); {
		case d == none || d == passed:
		case d <= now:
			c.expire()
		default:
			next = min(next, d)
		}
	}
	r.mu.Unlock()
	for _, p := range due {
		r.lastLook(p)
	}
	if next != never {
		r.keeper.sooner(max(next, now+int64(scanPause)))
	}
}

// connState follows the connections of net/http.
func (r *run) connState(nc net.Conn, s http.ConnState) {
	c := connOf(nc)
	if c == nil {
		return
	}
	c.follow(s)
	if s == http.StateClosed || s == http.StateHijacked {
		r.forget(c)
	}
}

// connOf returns the wrapper of a connection of net/http.
func connOf(nc net.Conn) *conn {
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
		// How net/http passes on a connection that speaks HTTP/2 without TLS.
		if u, ok := nc.(interface{ UnencryptedNetConn() net.Conn }); ok {
			nc = u.UnencryptedNetConn()
		}
	}
	c, _ := nc.(*conn)
	return c
}
