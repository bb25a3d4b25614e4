// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lastLook is how long a connection that is told to end still looks for a request that came just
// then: reading with a deadline in the past would fail without looking.
const lastLook = 5 * time.Millisecond

// After its last answer a client may be silent for readOffTime before its connection is closed, and go
// on sending for readOffMost: it may have answers before that one to read.
const (
	readOffTime = 500 * time.Millisecond
	readOffMost = 5 * time.Second
)

var past = time.Unix(1, 0)

// errMoved is of writing to a connection that another server has.
var errMoved = errors.New("the connection has moved")

// A conn is a connection as net/http has it, under TLS if there is TLS. It owns the read deadline of
// the socket, for two reasons: it can be told to end, or to move on to another server, while it waits
// for a request, but at no moment when one has begun; and it remembers most deadlines instead of
// setting them.
type conn struct {
	net.Conn
	rule
	run      *run
	deadline atomic.Int64 // for reading, as the timekeeper counts: net/http's or our own
	reading  atomic.Bool  // Read runs
	set      atomic.Bool  // the socket has a read deadline: in the past, or that of a last look
	timed    atomic.Bool  // the socket has had a write deadline
	heeds    atomic.Bool  // a handler has asked for farewell
	farewell <-chan struct{}
	counted  bool // on the scoreboard, as one that can move; guarded by run.mu

	mu sync.Mutex // held to change the socket's read deadline, and to move
}

// Read reads as net/http asks, but returns io.EOF when the connection is to end, or has moved.
func (c *conn) Read(p []byte) (int, error) {
	c.reads(len(p))
	switch c.state.Load() {
	case begun:
		// It did not come in one piece.
		if c.run.header > 0 && (c.steps < 2 || c.deadline.Load() == none) {
			c.limit(c.run.header)
		}
	case leaving:
		if c.depart(len(p)) {
			return 0, io.EOF
		}
	case moved:
		return 0, io.EOF
	}
	c.reading.Store(true)
	n, err := c.read(p)
	c.reading.Store(false)
	return n, err
}

func (c *conn) read(p []byte) (int, error) {
	for {
		// Often so: net/http starts to watch for the end of the client in a goroutine that gets to run
		// when the request was answered.
		if c.deadline.Load() == passed {
			return 0, os.ErrDeadlineExceeded
		}
		if c.set.Load() {
			switch c.reset() {
			case ending:
				return c.look(p)
			case leaving:
				if c.depart(len(p)) {
					return 0, io.EOF
				}
			}
		}
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.arrived()
			return n, err
		}
		if !c.set.Load() || c.due() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// depart moves the connection to another server.
func (c *conn) depart(size int) bool {
	c.mu.Lock()
	leaves := c.leaves(size)
	if leaves {
		c.Conn.SetDeadline(time.Time{})
		c.set.Store(false)
	}
	c.mu.Unlock()
	if !leaves {
		c.run.pin()
		return false
	}
	c.run.send(c)
	return true
}

// limit sets a deadline of our own, in d, or none if d is not positive.
func (c *conn) limit(d time.Duration) {
	at := int64(none)
	if d > 0 {
		at = c.run.keeper.now() + int64(d)
	}
	c.deadline.Store(at)
	c.run.keeper.sooner(at)
}

// SetReadDeadline remembers t. Only one in the past is set at once, to end a read under way.
func (c *conn) SetReadDeadline(t time.Time) error {
	if waits := c.sets(); waits && t.IsZero() {
		return nil // ours holds
	}
	switch c.state.Load() {
	case taken:
		return c.Conn.SetReadDeadline(t)
	case moved:
		return nil
	}
	d := c.run.keeper.at(t)
	if d == c.deadline.Load() {
		return nil
	}
	c.deadline.Store(d)
	switch {
	case d != passed:
		c.run.keeper.sooner(d)
	case c.reading.Load():
		c.expire()
	}
	return nil
}

// expire makes reading fail if the deadline has passed.
func (c *conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.set.Load() && c.due() && c.state.Load() != moved {
		c.setPastLocked()
	}
}

// setPastLocked sets the socket's deadline. A read that it wakes must know by then what woke it.
func (c *conn) setPastLocked() {
	c.set.Store(true)
	c.Conn.SetReadDeadline(past)
}

// due reports whether the deadline has passed.
func (c *conn) due() bool {
	d := c.deadline.Load()
	return d == passed || d != none && d <= c.run.keeper.now()
}

// reset removes the socket's deadline unless a read is to fail. It returns the state.
func (c *conn) reset() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state.Load()
	if s == ending {
		return s
	}
	if d := c.deadline.Load(); d != passed {
		c.Conn.SetReadDeadline(time.Time{})
		c.set.Store(false)
		c.run.keeper.sooner(d) // it may have come while the socket's was set
	}
	return s
}

// end makes the connection end if no request has begun.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rule.end() {
		c.setPastLocked()
	}
}

// nudge makes the connection move on if no request has begun. It reports whether that is so.
func (c *conn) nudge() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.rule.nudge() {
		return false
	}
	c.setPastLocked()
	return true
}

// look reads what came until now on a connection that is to end.
func (c *conn) look(p []byte) (int, error) {
	c.mu.Lock()
	c.Conn.SetReadDeadline(time.Now().Add(lastLook))
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	if n == 0 {
		return 0, io.EOF
	}
	c.arrived()
	return n, err
}

// follow notes what net/http says of the connection.
func (c *conn) follow(s http.ConnState) {
	switch {
	case s == http.StateHijacked:
		c.state.Store(taken)
	case c.state.Load() == multiple:
	case s == http.StateActive:
		c.active()
	case s == http.StateIdle:
		c.limit(c.run.idle)
		c.rests()
		switch {
		case c.run.lets():
			c.rule.nudge() // the next read sees it
		case c.run.lingered.Load():
			c.end()
		}
	}
}

// serves reports whether closing the connection loses a request; those of HTTP/2 are counted apart.
func (c *conn) serves() bool {
	s := c.state.Load()
	return s == begun || s == working
}

// SetWriteDeadline sets t, but not none where there was none: net/http does so after each answer.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && !c.timed.Load() || c.state.Load() == moved {
		return nil
	}
	c.timed.Store(true)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both at once: net/http does so before it gives the connection away.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() == moved {
		return nil
	}
	c.deadline.Store(c.run.keeper.at(t))
	c.set.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// Write refuses when the connection is somebody else's.
func (c *conn) Write(p []byte) (int, error) {
	if c.state.Load() == moved {
		return 0, errMoved
	}
	return c.Conn.Write(p)
}

// ReadFrom lets the system copy from files and sockets, as without this wrapper.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	if c.state.Load() == moved {
		return 0, errMoved
	}
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// CloseWrite closes one direction where the connection can; net/http does so before it drops unread
// input.
func (c *conn) CloseWrite() error {
	if c.state.Load() == moved {
		return nil
	}
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// Close closes the connection unless it is somebody else's. After the last answer of a drain it first
// reads off what the client had sent before it could know: the kernel answers a close with unread input
// by a reset, which may overtake the answer.
func (c *conn) Close() error {
	switch c.state.Load() {
	case moved:
		return nil
	case working:
		if c.run.front.closing.Load() && !c.run.isCut() {
			c.state.Store(answered)
			c.readOff()
		}
	}
	return c.Conn.Close()
}

// readOff reads until the client has closed its side, or is silent.
func (c *conn) readOff() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	b := make([]byte, 4096)
	for end := time.Now().Add(readOffMost); time.Now().Before(end); {
		c.Conn.SetReadDeadline(time.Now().Add(readOffTime))
		if _, err := c.Conn.Read(b); err != nil {
			return
		}
	}
}

// cut closes the connection from another goroutine.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() != moved {
		c.Conn.Close()
	}
}
