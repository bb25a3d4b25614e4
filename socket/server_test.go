// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/socket"
)

// service is what package service asks of one that starts and drains.
type service interface {
	Start(context.Context) error
	Serve(context.Context) error
	Shutdown(context.Context) error
}

var _ service = (*socket.Server)(nil)

// A pipeListener hands out pipes, so that tests run on fake time.
type pipeListener struct {
	queue  chan net.Conn
	errs   chan error
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{queue: make(chan net.Conn, 100), errs: make(chan error, 10), closed: make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.queue <- server
	return client
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case err := <-l.errs:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// echo answers each line with itself.
func echo(_ context.Context, c *socket.Conn) {
	r := bufio.NewReader(c)
	for c.Wait(r) == nil {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		io.WriteString(c, line)
	}
}

// serve runs srv; the channel has what Serve returns.
func serve(ctx context.Context, srv *socket.Server) <-chan error {
	errc := make(chan error, 1)
	go func() { errc <- srv.Serve(ctx) }()
	return errc
}

// say sends s and returns what comes back before the peer closes or pauses.
func say(t *testing.T, c net.Conn, s string) string {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("no answer to %q: %v", s, err)
	}
	return string(buf[:n])
}

func TestServerDrain(t *testing.T) {
	type step struct {
		after time.Duration // the drain begins at 1s
		send  string
		want  string
	}
	for name, c := range map[string]struct {
		grace time.Duration
		steps []step
		took  time.Duration // from the drain's begin to Shutdown's end
	}{
		"an idle connection is closed after the grace":  {2 * time.Second, []step{{0, "a\n", "a\n"}}, 2 * time.Second},
		"a new connection too":                          {2 * time.Second, nil, 2 * time.Second},
		"the default grace":                             {0, nil, 100 * time.Millisecond},
		"no grace":                                      {-1, nil, time.Millisecond},
		"a line in hand is finished, with grace after":  {time.Second, []step{{0, "a", ""}, {5 * time.Second, "b\n", "ab\n"}}, 5 * time.Second},
		"one more message ends the wait":                {2 * time.Second, []step{{1500 * time.Millisecond, "a\n", "a\n"}}, 500 * time.Millisecond},
		"one more message may take its time":            {2 * time.Second, []step{{1500 * time.Millisecond, "a", ""}, {9 * time.Second, "\n", "a\n"}}, 8 * time.Second},
		"what arrived with it is answered":              {2 * time.Second, []step{{1500 * time.Millisecond, "a\nb\n", "a\n"}, {1500 * time.Millisecond, "", "b\n"}}, 500 * time.Millisecond},
		"also if the first line began before the drain": {2 * time.Second, []step{{0, "a", ""}, {3 * time.Second, "\nb\n", "a\n"}, {3 * time.Second, "", "b\n"}}, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				srv := &socket.Server{Listener: ln, Handler: echo, Grace: c.grace}
				served := serve(t.Context(), srv)
				start := time.Now()
				client := ln.dial()
				var talk sync.WaitGroup
				talk.Go(func() {
					r := bufio.NewReader(client)
					for _, s := range c.steps {
						time.Sleep(time.Until(start.Add(s.after)))
						if s.send != "" {
							io.WriteString(client, s.send)
						}
						if s.want == "" {
							continue
						}
						if got, err := r.ReadString('\n'); got != s.want {
							t.Errorf("%q was answered with %q, %v, want %q", s.send, got, err, s.want)
						}
					}
					if got, err := r.ReadByte(); err != io.EOF {
						t.Errorf("read %q, %v at the end, want EOF", got, err)
					}
				})
				time.Sleep(time.Second)
				if err := srv.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
				if took := time.Since(start) - time.Second; took != c.took {
					t.Errorf("Shutdown took %v, want %v", took, c.took)
				}
				if err := <-served; err != nil {
					t.Errorf("Serve() = %v", err)
				}
				talk.Wait()
			})
		})
	}
}

func TestHandlersDeadlineHoldsBesideADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		errs := make(chan error, 2)
		srv := &socket.Server{Listener: ln, Grace: 10 * time.Second, Handler: func(_ context.Context, c *socket.Conn) {
			r := bufio.NewReader(c)
			c.SetDeadline(time.Now().Add(5 * time.Second))
			errs <- c.Wait(r)
			c.SetDeadline(time.Now().Add(time.Minute))
			errs <- c.Wait(r)
		}}
		served := serve(t.Context(), srv)
		start := time.Now()
		ln.dial()
		time.Sleep(time.Second)
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
		if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Wait() = %v, want the handler's deadline", err)
		}
		if err := <-errs; err != io.EOF {
			t.Errorf("Wait() = %v, want EOF", err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("drained after %v, want 5s", took)
		}
		<-served
	})
}

func TestShutdownCutsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		srv := &socket.Server{Listener: ln, Handler: echo}
		served := serve(t.Context(), srv)
		for range 3 {
			io.WriteString(ln.dial(), "half a line")
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		err := srv.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "3 connections cut") {
			t.Errorf("Shutdown() = %v, want 3 connections cut", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("Shutdown took %v, want 30s", took)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
}

func TestCancelledServeStopsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ln := newPipeListener()
		ended := make(chan error, 1)
		srv := &socket.Server{Listener: ln, Handler: func(ctx context.Context, c *socket.Conn) {
			<-ctx.Done()
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}}
		served := serve(ctx, srv)
		client := ln.dial()
		synctest.Wait()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		if err := <-ended; err == nil {
			t.Error("the connection is open after its context ended")
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read() = %v, want EOF", err)
		}
	})
}

func TestServerStartsAgain(t *testing.T) {
	hold(t)
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	srv := &socket.Server{Listener: ln, Handler: echo}
	for range 3 {
		if err := srv.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		served := serve(t.Context(), srv)
		c := dial(t, ln)
		if got := say(t, c, "hello\n"); got != "hello\n" {
			t.Errorf("answer %q, want hello", got)
		}
		if err := srv.Start(t.Context()); err == nil {
			t.Error("Start() of a server that serves = nil")
		}
		if err := srv.Serve(t.Context()); err == nil {
			t.Error("a second Serve() = nil")
		}
		if err := srv.Shutdown(drain.With(t.Context(), drain.Replace)); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		if err := srv.Serve(t.Context()); err != nil {
			t.Errorf("Serve() after Shutdown = %v, want nil at once", err)
		}
	}
}

func TestShutdownBeforeServeWins(t *testing.T) {
	srv := &socket.Server{Listener: listen(t, socket.Config{}, "tcp", "127.0.0.1:0"), Handler: echo}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
	if err := srv.Serve(t.Context()); err != nil {
		t.Errorf("Serve() = %v", err)
	}
}

func TestServerWithoutItsFields(t *testing.T) {
	for name, srv := range map[string]*socket.Server{
		"Listener": {Handler: echo},
		"Handler":  {Listener: newPipeListener()},
	} {
		for method, err := range map[string]error{"Start": srv.Start(t.Context()), "Serve": srv.Serve(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s() without %s = %v, want the field's name", method, name, err)
			}
		}
	}
}

func TestServerOutlivesPassingErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		ln := newPipeListener()
		srv := &socket.Server{Listener: ln, Handler: echo, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
		served := serve(t.Context(), srv)
		start := time.Now()
		for range 3 {
			ln.errs <- os.NewSyscallError("accept4", syscall.EMFILE)
			synctest.Wait()
		}
		time.Sleep(35*time.Millisecond - time.Since(start)) // 5, 10 and 20 ms
		if got := say(t, ln.dial(), "a\n"); got != "a\n" {
			t.Errorf("answer %q, want a", got)
		}
		if n := strings.Count(logged.String(), "accept failed"); n != 3 {
			t.Errorf("%d errors were logged, want 3:\n%s", n, &logged)
		}
		ln.errs <- syscall.EBADF
		if err := <-served; !errors.Is(err, syscall.EBADF) {
			t.Errorf("Serve() = %v, want EBADF", err)
		}
	})
}

func TestClosedListenerIsAnError(t *testing.T) {
	ln := newPipeListener()
	served := serve(t.Context(), &socket.Server{Listener: ln, Handler: echo})
	ln.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve() = %v, want ErrClosed", err)
	}
}

func TestPanicClosesOneConnection(t *testing.T) {
	var logged bytes.Buffer
	ln := newPipeListener()
	srv := &socket.Server{
		Listener: ln,
		Logger:   slog.New(slog.NewTextHandler(&logged, nil)),
		Handler: func(ctx context.Context, c *socket.Conn) {
			r := bufio.NewReader(c)
			if line, _ := r.ReadString('\n'); line == "panic\n" {
				panic("asked to")
			}
			io.WriteString(c, "fine\n")
		},
	}
	served := serve(t.Context(), srv)
	client := ln.dial()
	io.WriteString(client, "panic\n")
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read() = %v, want EOF", err)
	}
	if got := say(t, ln.dial(), "x\n"); got != "fine\n" {
		t.Errorf("answer %q, want fine", got)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
	<-served
	if log := logged.String(); !strings.Contains(log, "asked to") || !strings.Contains(log, "server_test.go") {
		t.Errorf("log has no panic with its stack:\n%s", log)
	}
}

// TestTheLastAnswerArrives closes a drained connection whose peer has sent more than was read: that
// must not destroy the answer on its way.
func TestTheLastAnswerArrives(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	reads := make(chan struct{})
	srv := &socket.Server{Listener: ln, Handler: func(_ context.Context, c *socket.Conn) {
		c.Read(make([]byte, 1))
		close(reads)
		for !c.Draining() {
			time.Sleep(time.Millisecond)
		}
		c.Write(bytes.Repeat([]byte("x"), 100_000))
	}}
	served := serve(t.Context(), srv)
	client := dial(t, ln)
	io.WriteString(client, strings.Repeat("unread", 10_000))
	<-reads
	shut := make(chan error)
	go func() { shut <- srv.Shutdown(t.Context()) }()
	if got, err := io.ReadAll(client); len(got) != 100_000 || err != nil {
		t.Errorf("read %d bytes, %v, want 100000", len(got), err)
	}
	client.Close()
	if err := <-shut; err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
	<-served
}
