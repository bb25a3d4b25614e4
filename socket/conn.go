// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A Conn is a connection that a [Server] handles. The handler calls [Conn.Wait] between messages;
// everything else is as with any net.Conn.
type Conn struct {
	net.Conn
	srv *Server

	mu      sync.Mutex
	want    time.Time // read deadline that the handler asked for
	waiting bool      // in Wait
	nudged  bool      // the connection has the read deadline of a drain, not want
	last    bool      // a drain has let one more message in
}

// NetConn returns the connection that c wraps, a *net.TCPConn or a *net.UnixConn as a rule.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Draining reports whether the server takes nothing new, so that a protocol with a farewell can say it.
func (c *Conn) Draining() bool { return c.srv.draining.Load() }

// Wait waits for the first byte of the peer's next message, which stays in r, a reader of c. It
// returns nil when there is one; io.EOF when the peer has ended, or when the server drains and the
// peer begins nothing in time; else the error of reading, such as that of a deadline the handler set.
// A handler that reads a message to its end between two calls is never cut in the middle of one.
func (c *Conn) Wait(r *bufio.Reader) error {
	if r.Buffered() > 0 {
		return nil // has arrived, so it is answered, drain or not
	}
	if !c.beginWait() {
		return io.EOF
	}
	_, err := r.Peek(1)
	return c.endWait(err)
}

// beginWait reports whether there is anything to wait for.
func (c *Conn) beginWait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = true // before the look at draining, which is set before the nudges
	if !c.srv.draining.Load() {
		return true
	}
	if c.last {
		c.waiting = false
		return false
	}
	c.nudgeLocked()
	return true
}

// endWait puts the handler's deadline back and tells a drain's from it.
func (c *Conn) endWait(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	c.last = c.srv.draining.Load()
	if !c.nudged {
		return err
	}
	c.nudged = false
	c.Conn.SetReadDeadline(c.want)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return io.EOF
	}
	return err
}

// nudge ends a Wait that gets nothing in time.
func (c *Conn) nudge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		c.nudgeLocked()
	}
}

func (c *Conn) nudgeLocked() {
	end := time.Now().Add(c.srv.grace())
	if !c.want.IsZero() && c.want.Before(end) {
		return // the handler's own comes first
	}
	c.nudged = true
	c.Conn.SetReadDeadline(end)
}

// SetReadDeadline sets the deadline of reading, Wait included. A drain may end a Wait before.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = t
	if c.nudged {
		return nil // takes effect after the Wait
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// linger tells the peer that no more comes and reads off what it sent meanwhile.
func (c *Conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
	io.Copy(io.Discard, c.Conn)
}
