// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

func TestLauncherStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := launch(t, service.Options{Name: "prog"}, &actor{name: "api", log: newTranscript(), startFor: time.Second},
			service.Named("ticker", service.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })))
		synctest.Wait()
		states := func() string {
			st := l.Status()
			text := fmt.Sprint(st.State, " generation ", st.Generation)
			for _, svc := range st.Services {
				text += ", " + svc.Name + " " + svc.State
			}
			return text
		}
		if got, want := states(), "starting generation 1, api starting, ticker new"; got != want {
			t.Errorf("Status: %s, want %s", got, want)
		}
		await(t, l, service.StateRunning)
		if got, want := states(), "running generation 1, api running, ticker running"; got != want {
			t.Errorf("Status: %s, want %s", got, want)
		}
		go l.Reload(t.Context())
		synctest.Wait()
		if got, want := states(), "reloading generation 1, api starting, ticker new"; got != want {
			t.Errorf("Status: %s, want %s", got, want)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		st := l.Status()
		if st.Program != "prog" || st.Pid != os.Getpid() || st.RestartMethod != "reload" || st.Last == nil ||
			st.Last.Action != "reload" || st.Last.Generation != 2 || st.Last.Millis != 1000 || st.Generation != 2 {
			t.Errorf("Status: %+v, last %+v", st, st.Last)
		}
		l.Stop(t.Context())
		<-ended
		if got, want := states(), "stopped generation 2, api stopped, ticker stopped"; got != want {
			t.Errorf("Status: %s, want %s", got, want)
		}
	})
}

func TestControlSocketOfAnInProcessProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "talk.sock")
	plan := errors.New("")
	opts := service.Options{Name: "prog", Control: path, Reload: func(context.Context) (service.Options, error) {
		if plan.Error() != "" {
			return service.Options{}, plan
		}
		return service.Options{}, nil
	}}
	l, ended := launch(t, opts, &actor{name: "api", log: newTranscript()})
	if err := l.Await(t.Context(), service.StateRunning); err != nil {
		t.Fatal(err)
	}
	c := control.NewClient(path)
	st, err := c.Status(t.Context())
	if err != nil || st.Program != "prog" || st.Pid != os.Getpid() || len(st.Services) != 1 || st.Services[0].State != "running" {
		t.Errorf("status: %+v, %v", st, err)
	}
	if out, err := c.Reload(t.Context()); err != nil || out.Action != "reload" || out.Generation != 2 {
		t.Errorf("reload: %+v, %v", out, err)
	}
	if out, err := c.Check(t.Context()); err != nil || out.Action != "check" || out.Generation != 2 {
		t.Errorf("check: %+v, %v", out, err)
	}
	_, err = c.Scale(t.Context(), "", 4)
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != http.StatusConflict ||
		!strings.Contains(e.Message, "prog runs its services in one process and cannot be scaled") {
		t.Errorf("scale: %v", err)
	}
	plan = errBroken
	if out, err := c.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "broken") || out.Generation != 2 {
		t.Errorf("refused reload: %+v, %v", out, err)
	}
	if out, err := c.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "broken") || out.Action != "check" {
		t.Errorf("refused check: %+v, %v", out, err)
	}
	if out, err := c.Stop(t.Context()); err != nil || out.Action != "stop" || out.Cut != 0 {
		t.Errorf("stop: %+v, %v", out, err)
	}
	wantExit(t, <-ended, 0, "")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestControlSocketThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 108))
	log := newTranscript()
	_, ended := launch(t, service.Options{Control: path}, &actor{name: "api", log: log})
	if err := <-ended; service.ExitCode(err) != service.ExitFailed || !strings.Contains(err.Error(), path) {
		t.Errorf("Run: %v, want an error that names the path", err)
	}
	log.want(t, "")
}

// greeter answers each connection with a greeting.
type greeter struct{ ln *socket.Listener }

func (g *greeter) Start(ctx context.Context) error { return g.ln.Reopen(ctx) }

func (g *greeter) Serve(ctx context.Context) error {
	for {
		conn, err := g.ln.Accept()
		if err != nil {
			return nil // stopped
		}
		io.WriteString(conn, "hello")
		conn.Close()
	}
}

func (g *greeter) Shutdown(ctx context.Context) error { return g.ln.Shutdown(ctx) }

// A reload in one process stops and starts its services, and the listener queues what comes meanwhile.
func TestReloadLosesNoConnection(t *testing.T) {
	ln, err := socket.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := ln.Addr().String()
	l, ended := launch(t, service.Options{}, &greeter{ln})
	if err := l.Await(t.Context(), service.StateRunning); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					if n == 0 {
						t.Error("no connection was tried")
					}
					return
				default:
				}
				if err := greeted(addr); err != nil {
					t.Errorf("connection %d: %v", n, err)
					return
				}
			}
		})
	}
	for range 50 {
		if err := l.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	clients.Wait()
	if st := l.Status(); st.Generation != 51 || len(st.Listeners) != 1 || st.Listeners[0].Address != addr {
		t.Errorf("Status: %+v", st)
	}
	l.Stop(t.Context())
	wantExit(t, <-ended, 0, "")
	if err := greeted(addr); err == nil {
		t.Error("connected after the end")
	}
}

// greeted connects and wants the greeting.
func greeted(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	text, err := io.ReadAll(conn)
	if err == nil && string(text) != "hello" {
		err = errors.New("got " + string(text))
	}
	return err
}

// mover listens on another path each time it starts.
type mover struct {
	paths []string
	lease *proc.Lease
	quit  chan struct{}
}

func (m *mover) Start(ctx context.Context) (err error) {
	m.quit = make(chan struct{})
	m.lease, err = proc.Self().Listen(ctx, bind.Spec{Network: "unix", Address: m.paths[0]})
	m.paths = m.paths[1:]
	return err
}

func (m *mover) Serve(ctx context.Context) error { <-m.quit; return nil }

func (m *mover) Shutdown(ctx context.Context) error {
	close(m.quit)
	return m.lease.Close()
}

// Listeners are kept open over a reload, but not for ever if the services took others.
func TestReloadClosesWhatNobodyListensOnAnyMore(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	want := func(t *testing.T, when string, want ...string) {
		t.Helper()
		var got []string
		for _, name := range []string{first, second} {
			if _, err := os.Stat(name); err == nil {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: there are %q, want %q", when, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		l, ended := launch(t, service.Options{}, &mover{paths: []string{first, second, second}})
		await(t, l, service.StateRunning)
		want(t, "at first", first)
		if err := l.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, "after a reload", first, second)
		time.Sleep(service.TidyDelay)
		synctest.Wait()
		want(t, "a while later", second)
		if err := l.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Stop(t.Context())
		wantExit(t, <-ended, 0, "")
	})
	want(t, "after the end")
}
