// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// plainWeb is a net/http server as a service, as small as it can be.
type plainWeb struct {
	ln  net.Listener
	srv *http.Server
}

func (w *plainWeb) Start(ctx context.Context) (err error) {
	w.srv = &http.Server{Handler: http.HandlerFunc(w.serve)}
	w.ln, err = net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		say("listens on %v", w.ln.Addr())
	}
	return err
}

// serve answers when the client has sent its whole body: the client says how long that takes.
func (w *plainWeb) serve(rw http.ResponseWriter, r *http.Request) {
	say("request %s", r.URL.Path)
	io.Copy(io.Discard, r.Body)
	fmt.Fprintf(rw, "answer %s", r.URL.Path)
}

func (w *plainWeb) Serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { w.srv.Close() })()
	if err := w.srv.Serve(w.ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (w *plainWeb) Shutdown(ctx context.Context) error {
	say("drains")
	return w.srv.Shutdown(ctx)
}

// The program web serves HTTP; its argument is the shutdown timeout.
var _ = asProgram("web", func() {
	timeout, err := time.ParseDuration(os.Args[1])
	if err != nil {
		service.Exit(err)
	}
	service.Exit(service.Launch(context.Background(), service.Options{Workers: 1, ShutdownTimeout: timeout}, &plainWeb{}))
})

// A client has a request under way.
type client struct {
	path   string
	body   *io.PipeWriter // closing it completes the request
	answer chan string    // the body, or the error
}

// request begins a request and returns when the program has it.
func request(p *process, addr, path string) *client {
	p.t.Helper()
	r, w := io.Pipe()
	c := &client{path, w, make(chan string, 1)}
	go func() {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Post("http://"+addr+path, "text/plain", r)
		if err != nil {
			c.answer <- "error: " + err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			text = []byte("error: " + err.Error())
		}
		c.answer <- string(text)
	}()
	p.expect("request " + path)
	return c
}

// finish completes the request and returns the answer.
func (c *client) finish() string {
	c.body.Close()
	return <-c.answer
}

// serving starts the program web and returns its address.
func serving(t *testing.T, timeout string) (*process, string) {
	t.Helper()
	p := program(t, "web", withArgs(timeout))
	_, addr, _ := strings.Cut(p.expect("listens on "), "listens on ")
	return p, addr
}

func TestSVC34InterruptEndsARunningRequestAtOnce(t *testing.T) {
	p, addr := serving(t, "1h")
	c := request(p, addr, "/slow")
	p.signal(syscall.SIGINT)
	p.exits(service.ExitFailed)
	if got := c.finish(); !strings.HasPrefix(got, "error: ") {
		t.Errorf("answer %q, want the connection cut", got)
	}
}

func TestSVC35TermWaitsForARunningRequest(t *testing.T) {
	p, addr := serving(t, "1h")
	c := request(p, addr, "/slow")
	p.signal(syscall.SIGTERM)
	p.expect("drains")
	p.alive()
	if got := c.finish(); got != "answer /slow" {
		t.Errorf("answer %q", got)
	}
	p.exits(service.ExitOK)
}

func TestSVC36TermEndsAtTheDeadline(t *testing.T) {
	const timeout = 200 * time.Millisecond
	p, addr := serving(t, timeout.String())
	c := request(p, addr, "/slow")
	begun := time.Now()
	p.signal(syscall.SIGTERM)
	p.expect("shutdown timeout: cut plainweb")
	p.exits(service.ExitCut)
	if took := time.Since(begun); took < timeout {
		t.Errorf("took %v, want at least %v", took, timeout)
	}
	if got := c.finish(); !strings.HasPrefix(got, "error: ") {
		t.Errorf("answer %q, want the connection cut", got)
	}
}

func TestX01TermLosesNoRequest(t *testing.T) {
	p, addr := serving(t, "1h")
	var clients []*client
	for i := range 20 {
		clients = append(clients, request(p, addr, fmt.Sprintf("/%d.", i)))
	}
	p.signal(syscall.SIGTERM)
	p.expect("drains")
	// New connections are refused as soon as the listener is closed.
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", addr)
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err == nil {
			conn.Close()
		}
		if time.Now().After(deadline) {
			t.Fatalf("new connections are not refused: %v", err)
		}
	}
	for _, c := range clients {
		if got := c.finish(); got != "answer "+c.path {
			t.Errorf("answer %q to %s", got, c.path)
		}
	}
	p.exits(service.ExitOK) // and a forced stop with another: SVC-36
}
