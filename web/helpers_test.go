// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/web"
)

// A running is a Server that serves, for the length of a test.
type running struct {
	t      *testing.T
	server *web.Server
	cancel context.CancelFunc
	served chan error // what Serve returned
}

// start starts s and serves until the test ends. Without a Logger it logs nothing.
func start(t *testing.T, s *web.Server) *running {
	t.Helper()
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("Start = %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t, s, cancel, make(chan error, 1)}
	go func() {
		r.served <- s.Serve(ctx)
		close(r.served)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.served
	})
	return r
}

// shutdown drains with a reason and a time limit.
func (r *running) shutdown(reason drain.Reason, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(drain.With(context.Background(), reason), limit)
	defer cancel()
	return r.server.Shutdown(ctx)
}

// wait returns what Serve returned.
func (r *running) wait() error {
	select {
	case err := <-r.served:
		return err
	case <-time.After(time.Minute):
		r.t.Fatal("Serve did not return")
		return nil
	}
}

// listen opens a TCP listener for the length of a test.
func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// A pipeListener is a network in memory, for bubbles of testing/synctest.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// dial connects a client, closed at the end of the test.
func (l *pipeListener) dial(t *testing.T) *client { return dialPipe(t, l.conns) }

func dialPipe(t *testing.T, conns chan<- net.Conn) *client {
	ours, theirs := net.Pipe()
	conns <- theirs
	return newClient(t, ours)
}

// A client speaks HTTP/1.1 over one connection, by hand.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func newClient(t *testing.T, c net.Conn) *client {
	t.Cleanup(func() { c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

func dial(t *testing.T, network, addr string) *client {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, c)
}

// An answer is a response that was read whole.
type answer struct {
	*http.Response
	body string
}

// send writes text as it is.
func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// receive reads an answer.
func (c *client) receive() (answer, error) {
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b)}, err
}

// get asks for path and fails the test without an answer.
func (c *client) get(path string) answer {
	c.t.Helper()
	c.send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n")
	return c.must()
}

// post sends a body and fails the test without an answer.
func (c *client) post(path, body string) answer {
	c.t.Helper()
	r, err := http.NewRequest("POST", "http://test"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	var b bytes.Buffer
	r.Write(&b)
	c.send(b.String())
	return c.must()
}

func (c *client) must() answer {
	c.t.Helper()
	a, err := c.receive()
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	return a
}

// closed waits until the server has closed the connection, and fails the test if it sends anything.
func (c *client) closed() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Fatalf("read %q, want the end of the connection", b)
	} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		c.t.Fatalf("connection is still open: %v", err)
	}
}

// closes reports that the answer says that the connection closes.
func (a answer) closes() bool { return a.Response.Close }

// noLeaks fails the test if goroutines of net/http or of this package are still there at its end.
// Calling it first makes it last.
func noLeaks(t *testing.T) {
	t.Cleanup(func() {
		t.Helper()
		var stacks string
		if !eventually(func() bool {
			buf := make([]byte, 1<<20)
			stacks = string(buf[:runtime.Stack(buf, true)])
			return !strings.Contains(stacks, "net/http.(*conn).serve") &&
				!strings.Contains(stacks, "net/http.(*http2serverConn)") &&
				!strings.Contains(stacks, "mainstay/web.(")
		}) {
			t.Errorf("goroutines are left:\n%s", stacks)
		}
	})
}

// eventually polls until ok is true, for a long time if it must.
func eventually(ok func() bool) bool {
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// hello is what most tests serve.
var hello http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") }

// echo answers with what was posted, at once or after some milliseconds.
var echo http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if len(b)%3 == 0 {
		time.Sleep(time.Duration(len(b)%7) * time.Millisecond)
	}
	w.Write(b)
}
