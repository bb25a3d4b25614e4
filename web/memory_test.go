// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A memConn is one end of a connection in memory that behaves as a socket does where net.Pipe does not:
// what is sent waits for the other end, a read whose deadline has passed finds nothing even so, and what
// comes to an end that is closed resets the connection. What had come before a reset can still be read,
// as by a client that reads all the time.
type memConn struct {
	in, out *stream
}

// A stream is one direction.
type stream struct {
	mu       sync.Mutex
	buf      []byte
	came     time.Time // when the last byte was sent
	finished time.Time // when its end was sent; zero before
	closed   bool      // nobody reads any more
	reset    bool      // what was sent was not read
	deadline time.Time // of reads
	changed  chan struct{}
}

// memPipe returns the two ends of a connection.
func memPipe() (client, server *memConn) {
	up, down := &stream{changed: make(chan struct{})}, &stream{changed: make(chan struct{})}
	return &memConn{in: down, out: up}, &memConn{in: up, out: down}
}

// noteLocked wakes those who wait.
func (s *stream) noteLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.noteLocked()
}

// read reads what is there, and returns 0 bytes, no error and when to try again if there is nothing.
func (s *stream) read(b []byte) (n int, changed <-chan struct{}, deadline time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return 0, nil, time.Time{}, net.ErrClosed
	case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
		return 0, nil, time.Time{}, os.ErrDeadlineExceeded
	case len(s.buf) > 0:
		n = copy(b, s.buf)
		s.buf = s.buf[n:]
		return n, nil, time.Time{}, nil
	case s.reset:
		return 0, nil, time.Time{}, syscall.ECONNRESET
	case !s.finished.IsZero():
		return 0, nil, time.Time{}, io.EOF
	}
	return 0, s.changed, s.deadline, nil
}

func (c *memConn) Read(b []byte) (int, error) {
	for {
		n, changed, deadline, err := c.in.read(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			late = time.After(time.Until(deadline))
		}
		select {
		case <-changed:
		case <-late:
		}
	}
}

func (c *memConn) Write(b []byte) (int, error) {
	c.out.mu.Lock()
	finished, closed := !c.out.finished.IsZero(), c.out.closed
	if !finished && !closed {
		c.out.buf, c.out.came = append(c.out.buf, b...), time.Now()
		c.out.noteLocked()
	}
	c.out.mu.Unlock()
	switch {
	case finished:
		return 0, net.ErrClosed
	case closed:
		c.in.change(func() { c.in.reset = true })
		return 0, syscall.EPIPE
	}
	return len(b), nil
}

func (c *memConn) Close() error {
	var unread, again bool
	c.in.change(func() {
		unread, again = len(c.in.buf) > 0, c.in.closed
		c.in.closed = true
	})
	if again {
		return net.ErrClosed
	}
	c.CloseWrite()
	if unread {
		c.out.change(func() { c.out.reset = true })
	}
	return nil
}

func (c *memConn) CloseWrite() error {
	c.out.change(func() {
		if c.out.finished.IsZero() {
			c.out.finished = time.Now()
		}
	})
	return nil
}

// came returns when the last byte came from the other end.
func (c *memConn) came() time.Time {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.came
}

// left returns when the other end said that it sends no more, zero if it has not.
func (c *memConn) left() time.Time {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.finished
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.change(func() { c.in.deadline = t })
	return nil
}

func (c *memConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *memConn) SetWriteDeadline(time.Time) error { return nil } // writing never waits
func (c *memConn) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "memory", Net: "memory"} }
func (c *memConn) RemoteAddr() net.Addr             { return c.LocalAddr() }
