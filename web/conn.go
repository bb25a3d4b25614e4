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

var past = time.Unix(1, 0)

// What a connection does.
const (
	opened   = iota // nothing was read yet
	idle            // nothing was read since the last answer
	begun           // something of a request was read
	working         // a request is handled or answered
	greeting        // TLS, before the first request
	ending          // told to end while opened, idle or greeting
	multiple        // HTTP/2, which GOAWAY ends
	taken           // hijacked by a handler
)

// A conn is a connection as net/http has it, under TLS if there is TLS. It owns the read deadline of
// the socket, for two reasons: it can be told to end while it waits for a request, but at no moment
// when one has begun; and it remembers most deadlines instead of setting them.
//
// Where a request begins, and where its header ends, is seen from the read deadlines that net/http
// sets after StateIdle: the first before it waits, unless the request is in its buffer already, the
// second before it reads on, the third with the header complete.
type conn struct {
	net.Conn
	run      *run
	state    atomic.Int32
	deadline atomic.Int64 // for reading, as the timekeeper counts: net/http's or our own
	reading  atomic.Bool  // Read runs
	set      atomic.Bool  // the socket has a read deadline: in the past, or that of a last look
	timed    atomic.Bool  // the socket has had a write deadline
	steps    int          // deadlines since StateIdle; of the goroutine that reads requests
	early    bool         // a byte of the next request was read as well; of the one that reads at all

	mu sync.Mutex // held to change the socket's read deadline
}

// Read reads as net/http asks, but returns io.EOF when the connection is to end.
func (c *conn) Read(p []byte) (int, error) {
	if c.state.Load() == begun && c.run.header > 0 {
		// It did not come in one piece.
		if c.steps < 2 || c.deadline.Load() == none {
			c.limit(c.run.header)
		}
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
		if c.set.Load() && c.reset() {
			return c.look(p)
		}
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.arrived(len(p))
			return n, err
		}
		if !c.set.Load() || c.due() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// arrived notes that bytes were read.
func (c *conn) arrived(size int) {
	switch c.state.Load() {
	case working:
		// Net/http watches for the end of the client by reading one byte while a request is handled.
		c.early = c.early || size == 1
	case opened, idle, ending:
		c.state.Store(begun)
	}
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
	switch c.state.Load() {
	case idle, begun, ending:
		c.steps++
		switch {
		case c.steps == 1 && t.IsZero():
			return nil // ours holds
		case c.steps == 2:
			c.state.Store(begun) // at least in the buffer of net/http
		case c.steps > 2:
			c.state.Store(working)
		}
	case taken:
		return c.Conn.SetReadDeadline(t)
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
	if !c.set.Load() && c.due() {
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

// reset removes the socket's deadline unless a read is to fail. It reports whether the connection is
// to end.
func (c *conn) reset() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() == ending {
		return true
	}
	if d := c.deadline.Load(); d != passed {
		c.Conn.SetReadDeadline(time.Time{})
		c.set.Store(false)
		c.run.keeper.sooner(d) // it may have come while the socket's was set
	}
	return false
}

// end makes the connection end if no request has begun.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range [...]int32{opened, idle, greeting} {
		if c.state.CompareAndSwap(s, ending) {
			c.setPastLocked()
			return
		}
	}
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
	c.arrived(len(p))
	return n, err
}

// follow notes what net/http says of the connection.
func (c *conn) follow(s http.ConnState) {
	state := c.state.Load()
	switch {
	case s == http.StateHijacked:
		c.state.Store(taken)
	case state == multiple:
	case s == http.StateActive && state != working:
		c.state.Store(working)
	case s == http.StateIdle:
		c.steps = 0
		c.limit(c.run.idle)
		if c.early {
			c.early = false
			c.state.Store(begun)
			return
		}
		c.state.Store(idle)
		if c.run.lingered.Load() {
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
	if t.IsZero() && !c.timed.Load() {
		return nil
	}
	c.timed.Store(true)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both at once: net/http does so before it gives the connection away.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline.Store(c.run.keeper.at(t))
	c.set.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// ReadFrom lets the system copy from files and sockets, as without this wrapper.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// CloseWrite closes one direction where the connection can; net/http does so before it drops unread
// input.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}
