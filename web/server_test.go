// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/web"
)

var _ interface {
	service.Service
	service.Starter
	service.Shutdowner
	service.Checker
	service.Namer
} = (*web.Server)(nil)

func TestName(t *testing.T) {
	if got := new(web.Server).Name(); got != "web" {
		t.Errorf("Name without a Label = %q, want web", got)
	}
	if got := (&web.Server{Label: "api"}).Name(); got != "api" {
		t.Errorf("Name = %q, want api", got)
	}
}

func TestNoListener(t *testing.T) {
	s := new(web.Server)
	for op, err := range map[string]error{"Start": s.Start(t.Context()), "Check": s.Check(t.Context()), "Serve": s.Serve(t.Context())} {
		if err == nil || err.Error() != "listener: missing" {
			t.Errorf("%s without a Listener = %v", op, err)
		}
	}
}

// Serve does what Start does where nobody called it.
func TestServeWithoutStart(t *testing.T) {
	ln := listen(t)
	s := &web.Server{Listener: ln, Handler: hello}
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context()) }()
	conn := dial(t, "tcp", ln.Addr().String())
	conn.get("/")
	conn.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// A reusableListener is like a socket.Listener: it hands out its queue after a Shutdown too, but not if
// nobody has accepted before, and Reopen makes it accept again.
type reusableListener struct {
	conns chan net.Conn

	mu       sync.Mutex
	queue    []net.Conn
	accepted bool           // since Reopen
	asked    []drain.Reason // of each Shutdown
	closed   chan struct{}  // the current one
}

func newReusableListener() *reusableListener {
	return &reusableListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *reusableListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	closed := l.closed
	l.accepted = true
	l.mu.Unlock()
	select {
	case c := <-l.conns:
		return c, nil
	case <-closed:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		c := l.queue[0]
		l.queue = l.queue[1:]
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *reusableListener) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, drain.From(ctx))
	if !l.accepted {
		for _, c := range l.queue {
			c.Close()
		}
		l.queue = nil
	}
	close(l.closed)
	return nil
}

func (l *reusableListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *reusableListener) Reopen(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		l.closed, l.accepted = make(chan struct{}), false
	default:
	}
	return nil
}

func (l *reusableListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func TestRestartOnTheSameListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newReusableListener()
		s := &web.Server{Listener: ln, Handler: hello}
		for _, reason := range []drain.Reason{drain.Replace, drain.Shrink, drain.Stop} {
			r := start(t, s)
			conn := dialPipe(t, ln.conns)
			conn.get("/")
			if err := r.shutdown(reason, time.Minute); err != nil {
				t.Errorf("Shutdown = %v", err)
			}
			if err := r.wait(); err != nil {
				t.Errorf("Serve = %v", err)
			}
		}
		// Serve alone opens it as well.
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context()) }()
		dialPipe(t, ln.conns).get("/")
		s.Shutdown(t.Context())
		if err := <-served; err != nil {
			t.Errorf("Serve without Start = %v", err)
		}
		if got, want := fmt.Sprint(ln.asked), "[replace shrink stop none]"; got != want {
			t.Errorf("the listener was shut down for %s, want %s", got, want)
		}
	})
}

// What is in the accept queue when a final stop begins is answered, however early it comes.
func TestDrainQueue(t *testing.T) {
	for name, before := range map[string]func(*web.Server, func()){
		"while it serves": func(s *web.Server, serve func()) {
			go serve()
			synctest.Wait()
		},
		"as it begins to serve": func(s *web.Server, serve func()) {
			go serve()
		},
		"before it serves": func(s *web.Server, serve func()) {
			time.AfterFunc(time.Second/2, serve)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newReusableListener()
				s := &web.Server{Listener: ln, Handler: hello, Logger: slog.New(slog.DiscardHandler)}
				if err := s.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				served := make(chan error, 1)
				before(s, func() { served <- s.Serve(t.Context()) })
				var conns []*client
				ln.mu.Lock()
				for range 20 {
					ours, theirs := net.Pipe()
					ln.queue = append(ln.queue, theirs)
					conns = append(conns, newClient(t, ours))
				}
				ln.mu.Unlock()
				drained := make(chan error, 1)
				go func() { drained <- s.Shutdown(drain.With(t.Context(), drain.Stop)) }()
				for _, conn := range conns {
					if a := conn.get("/"); !a.closes() {
						t.Error("an answer in the drain has no Connection: close")
					}
				}
				if err := <-drained; err != nil {
					t.Errorf("Shutdown = %v", err)
				}
				if err := <-served; err != nil {
					t.Errorf("Serve = %v", err)
				}
			})
		})
	}
}

// A Start that no Serve follows does not keep a Shutdown waiting for long.
func TestShutdownWithoutServe(t *testing.T) {
	for name, c := range map[string]struct {
		ln     net.Listener
		reason drain.Reason
		want   time.Duration
	}{
		"the queue is nobody's else": {newReusableListener(), drain.Stop, time.Second},
		"it is a successor's":        {newReusableListener(), drain.Replace, 0},
		"it cannot be emptied":       {newPipeListener(), drain.Stop, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &web.Server{Listener: c.ln, Handler: hello, Logger: slog.New(slog.DiscardHandler)}
				if err := s.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				if err := s.Shutdown(drain.With(t.Context(), c.reason)); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("Shutdown took %v, want %v", took, c.want)
				}
				if err := s.Serve(t.Context()); err != nil {
					t.Errorf("Serve = %v", err)
				}
				if _, err := c.ln.Accept(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the listener is open: Accept = %v", err)
				}
			})
		})
	}
}

// A Shutdown during Start wins over the Reopen under way.
func TestShutdownDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &slowListener{newReusableListener(), make(chan struct{})}
		s := &web.Server{Listener: ln, Handler: hello, Logger: slog.New(slog.DiscardHandler)}
		started := make(chan error, 1)
		go func() { started <- s.Start(t.Context()) }()
		synctest.Wait()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown during Start = %v", err)
		}
		close(ln.reopen)
		if err := <-started; err != nil {
			t.Errorf("Start = %v", err)
		}
		if err := s.Serve(t.Context()); err != nil {
			t.Errorf("Serve = %v", err)
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener is open: Accept = %v", err)
		}
	})
}

type slowListener struct {
	*reusableListener
	reopen chan struct{}
}

func (l *slowListener) Reopen(ctx context.Context) error {
	<-l.reopen
	return l.reusableListener.Reopen(ctx)
}

func TestReopenFails(t *testing.T) {
	s := &web.Server{Listener: failingListener{newReusableListener()}, Logger: slog.New(slog.DiscardHandler)}
	for op, err := range map[string]error{"Start": s.Start(t.Context()), "Serve": s.Serve(t.Context())} {
		if err == nil || err.Error() != "address in use" {
			t.Errorf("%s = %v", op, err)
		}
	}
}

type failingListener struct{ *reusableListener }

func (failingListener) Reopen(context.Context) error { return errors.New("address in use") }

func TestShutdownBeforeServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Never started.
		s := &web.Server{Listener: newPipeListener(), Handler: hello, Logger: slog.New(slog.DiscardHandler)}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown before anything = %v", err)
		}
		if err := s.Serve(t.Context()); err != nil {
			t.Errorf("Serve after Shutdown = %v", err)
		}

		// Started.
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown after Start = %v", err)
			}
		}
		if err := s.Serve(t.Context()); err != nil {
			t.Errorf("Serve after Start and Shutdown = %v", err)
		}

		// Start undoes it.
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown again = %v", err)
		}
		ln := newPipeListener()
		s.Listener = ln
		start(t, s)
		ln.dial(t).get("/")
	})
}

// A later Shutdown with less time cuts what an earlier one waits for.
func TestShutdownTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: sleeper})
		ln.dial(t).send(slowRequest)
		began := time.Now()
		errs := make(chan error, 2)
		go func() { errs <- r.shutdown(drain.Stop, time.Minute) }()
		time.Sleep(time.Second)
		go func() { errs <- r.shutdown(drain.Stop, time.Second) }()
		for range 2 {
			if err := <-errs; err == nil || !strings.Contains(err.Error(), "requests cut: 1") {
				t.Errorf("Shutdown = %v, want 1 request cut", err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v, want 2s", took)
		}
		if err := r.shutdown(drain.Stop, time.Minute); err != nil {
			t.Errorf("Shutdown after the end = %v", err)
		}
	})
}

func TestServesAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		s := &web.Server{Listener: ln, Handler: hello}
		start(t, s)
		synctest.Wait()
		for op, err := range map[string]error{"Start": s.Start(t.Context()), "Serve": s.Serve(t.Context())} {
			if err == nil || err.Error() != "serves already" {
				t.Errorf("second %s = %v", op, err)
			}
		}
		ln.dial(t).get("/")
	})
}

// A listener that fails ends the service, with its error.
func TestListenerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: sleeper})
		idle := ln.dial(t)
		idle.get("/")
		synctest.Wait()
		ln.Close()
		if err := r.wait(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve = %v, want %v", err, net.ErrClosed)
		}
		idle.closed()
	})
}

type valueKey struct{}

func TestConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		var states []http.ConnState
		var mu sync.Mutex
		registered := make(chan bool, 1)
		r := start(t, &web.Server{Listener: ln, Handler: hello, Configure: func(hs *http.Server) {
			next := hs.Handler
			hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, r.Context().Value(valueKey{}), " ")
				next.ServeHTTP(w, r)
			})
			hs.BaseContext = func(got net.Listener) context.Context {
				if got != ln {
					t.Errorf("BaseContext is given %v", got)
				}
				return context.WithValue(context.Background(), valueKey{}, "value")
			}
			hs.ConnState = func(_ net.Conn, s http.ConnState) {
				mu.Lock()
				defer mu.Unlock()
				states = append(states, s)
			}
			hs.IdleTimeout = 3 * time.Second
			hs.RegisterOnShutdown(func() { registered <- true })
		}})
		conn := ln.dial(t)
		if a := conn.get("/"); a.body != "value hello, world\n" {
			t.Errorf("body = %q", a.body)
		}
		if got := lives(conn); got != 3*time.Second {
			t.Errorf("idle connection was open for %v, want 3s", got)
		}
		if err := r.shutdown(drain.Stop, time.Minute); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if !<-registered {
			t.Error("what was registered for the shutdown did not run")
		}
		if got, want := fmt.Sprint(states), "[new active idle closed]"; got != want {
			t.Errorf("ConnState saw %s, want %s", got, want)
		}
	})
}

// Contexts of requests descend from that of Serve.
func TestContextOfRequests(t *testing.T) {
	ln := listen(t)
	s := &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Context().Value(valueKey{}))
	})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.WithValue(t.Context(), valueKey{}, "of Serve")) }()
	conn := dial(t, "tcp", ln.Addr().String())
	if a := conn.get("/"); a.body != "of Serve" {
		t.Errorf("body = %q", a.body)
	}
	conn.Close()
	s.Shutdown(t.Context())
	<-served
}

// The rule by which a connection may be ended rests on what net/http does between two requests, in
// this order. If a release of Go changes it, rule.go must follow.
func TestOrderOfNetHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var log []string
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, s)
		}
		ln := newPipeListener()
		hs := &http.Server{
			Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { note("handler") }),
			ConnState: func(_ net.Conn, s http.ConnState) {
				if s == http.StateIdle {
					note("idle")
				}
			},
			IdleTimeout: -1, ReadHeaderTimeout: -1,
		}
		served := make(chan error, 1)
		go func() { served <- hs.Serve(notingListener{ln, note}) }()
		conn := ln.dial(t)
		const one = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
		for _, text := range []string{one, one + one, "", one + "GE"} {
			synctest.Wait() // net/http waits for a request, no more for the end of the client
			conn.send(text)
			conn.must()
		}
		synctest.Wait()
		want := "read deadline deadline handler idle " + // a first request
			"deadline read deadline deadline deadline handler idle " + // a second one
			"deadline deadline deadline deadline handler idle " + // one that came with the second
			"deadline read deadline deadline deadline handler idle " + // one with the beginning of the next
			"deadline smaller read"
		mu.Lock()
		if got := strings.Join(log, " "); got != want {
			t.Errorf("net/http does\n%s, want\n%s", got, want)
		}
		mu.Unlock()
		conn.Close()
		hs.Close()
		<-served
	})
}

type notingListener struct {
	net.Listener
	note func(string)
}

func (l notingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &notingConn{Conn: c, note: l.note}, err
}

// A notingConn leaves out how net/http watches for the end of the client while a request is handled:
// a read of one byte, ended by a deadline in the past, and none set after that.
type notingConn struct {
	net.Conn
	note    func(string)
	stopped bool
	full    int // size of the first read
}

func (c *notingConn) Read(p []byte) (int, error) {
	switch c.full = max(c.full, len(p)); {
	case len(p) == c.full:
		c.note("read")
	case len(p) > 1:
		c.note("smaller read")
	}
	return c.Conn.Read(p)
}

func (c *notingConn) SetReadDeadline(t time.Time) error {
	past := !t.IsZero() && t.Before(time.Now())
	if !past && !c.stopped {
		c.note("deadline")
	}
	c.stopped = past
	return c.Conn.SetReadDeadline(t)
}
