// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Server serves a protocol over stream connections, one goroutine for each. It is a Service: Start
// makes it ready, Serve accepts, Shutdown drains. After that it can be started again. Its fields must
// not change while it serves.
type Server struct {
	// Listener is where connections come from. A [*Listener] is drained as the reason for a shutdown
	// asks for; any other is closed when it begins.
	Listener net.Listener

	// Handler serves one connection; returning closes it. ctx ends when the server stops at once.
	// While the server drains, [Conn.Wait] says when to return. A panic is logged and closes the
	// connection.
	Handler func(ctx context.Context, c *Conn)

	// Grace is for how long a connection that waits for its peer when a drain begins is given for one
	// more message. Default 100 ms; negative takes only what has arrived.
	Grace time.Duration

	// Logger gets panics and what goes wrong with accepting; nil is slog.Default().
	Logger *slog.Logger

	draining atomic.Bool // set under mu

	mu    sync.Mutex
	conns map[*Conn]struct{}
	done  chan struct{} // of the Serve that runs, closed when it returns; nil if none does
}

const (
	defaultGrace = 100 * time.Millisecond

	// glance is the shortest wait in which what has arrived is still read.
	glance = time.Millisecond

	// lingerTime is for how long a drained connection is read off after its last answer: closing with
	// unread input would destroy that answer on its way.
	lingerTime = 100 * time.Millisecond

	maxAcceptPause = time.Second
)

var errServing = errors.New("serves already")

// Start checks the fields and makes a stopped server ready to serve again, its Listener too.
func (s *Server) Start(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.done != nil {
		s.mu.Unlock()
		return errServing
	}
	s.draining.Store(false)
	s.mu.Unlock()
	if r, ok := s.Listener.(interface{ Reopen(context.Context) error }); ok {
		return r.Reopen(ctx)
	}
	return nil
}

func (s *Server) check() error {
	switch {
	case s.Listener == nil:
		return errors.New("socket.Server has no Listener")
	case s.Handler == nil:
		return errors.New("socket.Server has no Handler")
	}
	return nil
}

// Serve accepts and serves connections until Shutdown, then waits for those that are open and returns
// nil. When ctx ends it closes the listener and every connection and returns nil once the handlers
// have. Any other end of the listener is an error. After a Shutdown, and without a Start in between,
// it returns nil at once.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	if ok, err := s.begin(); !ok {
		return err
	}
	defer s.end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		s.Listener.Close()
		s.cut()
	})
	defer stop()

	var handlers sync.WaitGroup
	err := s.acceptAll(ctx, &handlers)
	if err != nil {
		cancel() // no drain: the connections go with the listener
	}
	handlers.Wait()
	return err
}

// begin makes this the one Serve that runs; false says that it must not.
func (s *Server) begin() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.done != nil:
		return false, errServing
	case s.draining.Load():
		return false, nil
	}
	if ln, ok := s.Listener.(*Listener); ok {
		ln.open() // a Shutdown from now on waits for the queue; Accept reports the error
	}
	s.done = make(chan struct{})
	s.conns = make(map[*Conn]struct{})
	return true, nil
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.done)
	s.done = nil
}

// acceptAll starts a handler for each connection until the listener ends; nil says that this was
// asked for.
func (s *Server) acceptAll(ctx context.Context, handlers *sync.WaitGroup) error {
	var pause time.Duration
	for {
		nc, err := s.Listener.Accept()
		if err == nil {
			pause = 0
			c := &Conn{Conn: nc, srv: s}
			if s.add(ctx, c) {
				handlers.Go(func() { s.handle(ctx, c) })
			}
			continue
		}
		if ctx.Err() != nil || s.draining.Load() && errors.Is(err, net.ErrClosed) {
			return nil
		}
		if !passes(err) {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), maxAcceptPause)
		s.logger().ErrorContext(ctx, "accept failed", "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// passes reports whether an error of Accept is one that goes away by itself.
func passes(err error) bool {
	for _, e := range []error{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// add takes note of c; false says that the server stops, and c is closed.
func (s *Server) add(ctx context.Context, c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		c.Conn.Close()
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// handle serves c and closes it.
func (s *Server) handle(ctx context.Context, c *Conn) {
	defer func() {
		if p := recover(); p != nil {
			s.logger().ErrorContext(ctx, "connection handler panicked",
				"peer", c.RemoteAddr(), "panic", p, "stack", string(debug.Stack()))
		}
		if s.draining.Load() && ctx.Err() == nil {
			c.linger()
		}
		c.Conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	s.Handler(ctx, c)
}

// Shutdown drains: the listener is shut down as the reason in ctx asks for, handlers finish what they
// have in hand, and connections that wait for their peer are closed after one more message or Grace.
// It returns when all are done, or when ctx ends: then the rest is closed and the error says how many
// that were.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	done := s.done
	for c := range s.conns {
		c.nudge()
	}
	s.mu.Unlock()
	if s.Listener == nil {
		return nil
	}
	err := s.shutListener(ctx)
	if done == nil {
		return err
	}
	select {
	case <-done:
		return err
	case <-ctx.Done():
	}
	if n := s.cut(); n > 0 {
		err = fmt.Errorf("%d connections cut: %w", n, context.Cause(ctx))
	}
	return err
}

func (s *Server) shutListener(ctx context.Context) error {
	if ln, ok := s.Listener.(interface{ Shutdown(context.Context) error }); ok {
		return ln.Shutdown(ctx)
	}
	return s.Listener.Close()
}

// cut closes every connection and returns how many there were.
func (s *Server) cut() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Conn.Close()
	}
	return len(s.conns)
}

func (s *Server) grace() time.Duration {
	if s.Grace == 0 {
		return defaultGrace
	}
	return max(s.Grace, glance)
}

func (s *Server) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.Default()
	}
	return s.Logger
}
