// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/web"
)

// lastLook is what ending an idle connection takes beyond the grace.
const lastLook = 5 * time.Millisecond

// sleeper answers each request after the time in its query.
var sleeper http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	d, _ := time.ParseDuration(r.URL.RawQuery)
	select {
	case <-time.After(d):
		io.WriteString(w, "slept")
	case <-r.Context().Done():
	}
}

const slowRequest = "GET /?10s HTTP/1.1\r\nHost: test\r\n\r\n"

// WS-12: a drain waits for the requests that run, also for those that wait for their turn.
func TestWS12DrainWaitsForRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: sleeper, PoolSize: 1})
		conns := []*client{ln.dial(t), ln.dial(t)}
		for _, conn := range conns {
			conn.send(slowRequest)
		}
		began := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- r.shutdown(drain.Stop, time.Minute) }()
		for _, conn := range conns {
			if a := conn.must(); a.body != "slept" || !a.closes() {
				t.Errorf("answer %q, Connection: close = %t; want the whole answer and true", a.body, a.closes())
			}
			conn.closed()
		}
		if err := <-drained; err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := r.wait(); err != nil {
			t.Errorf("Serve = %v", err)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("the drain took %v, want 20s: as long as its requests", took)
		}
	})
}

// Idle connections are waited for as long as the grace lasts, whether they have had an answer or not.
func TestDrainGrace(t *testing.T) {
	for name, c := range map[string]struct{ set, want time.Duration }{
		"default":     {0, time.Second},
		"ten seconds": {10 * time.Second, 10 * time.Second},
		"none":        {-1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				r := start(t, &web.Server{Listener: ln, Handler: hello, DrainGrace: c.set})
				silent, idle := ln.dial(t), ln.dial(t)
				idle.get("/")
				began := time.Now()
				if err := r.shutdown(drain.Stop, time.Minute); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
				if took := time.Since(began); took != c.want+lastLook {
					t.Errorf("DrainGrace %v: the drain took %v, want %v", c.set, took, c.want+lastLook)
				}
				silent.closed()
				idle.closed()
			})
		})
	}
}

// What idle clients do in a drain decides how it goes on for them.
func TestDrainIdleConnections(t *testing.T) {
	const grace = time.Second
	for name, c := range map[string]struct {
		act  func(*client) // after a first answer, while the drain waits
		took time.Duration
	}{
		"nothing": {func(c *client) {
			c.closed()
		}, grace + lastLook},
		"one more request": {func(c *client) {
			time.Sleep(grace / 2)
			if a := c.post("/", "body"); a.body != "slept" || !a.closes() {
				c.t.Errorf("answer %q, Connection: close = %t", a.body, a.closes())
			}
			c.closed()
		}, grace / 2},
		"a slow one": {func(c *client) {
			time.Sleep(grace / 2)
			if a := c.get("/?5s"); a.body != "slept" || !a.closes() {
				c.t.Errorf("answer %q, Connection: close = %t", a.body, a.closes())
			}
		}, grace/2 + 5*time.Second},
		"a header in pieces": {func(c *client) {
			c.send("POST / HTTP/1.1\r\n")
			time.Sleep(2 * grace)
			c.send("Host: test\r\nContent-Length: 4\r\n\r\n")
			time.Sleep(grace)
			c.send("body")
			if a := c.must(); a.body != "slept" || !a.closes() {
				c.t.Errorf("answer %q, Connection: close = %t", a.body, a.closes())
			}
		}, 3 * grace},
		"a request in the last moment": {func(c *client) {
			time.Sleep(grace + lastLook - 1)
			if a := c.get("/?5s"); a.body != "slept" || !a.closes() {
				c.t.Errorf("answer %q, Connection: close = %t", a.body, a.closes())
			}
		}, grace + lastLook - 1 + 5*time.Second},
		"it goes": {func(c *client) {
			time.Sleep(grace / 4)
			c.Close()
		}, grace / 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				r := start(t, &web.Server{Listener: ln, Handler: sleeper})
				conn := ln.dial(t)
				if a := conn.get("/"); a.closes() {
					t.Error("the answer before the drain has Connection: close")
				}
				began := time.Now()
				drained := make(chan time.Duration, 1)
				go func() {
					if err := r.shutdown(drain.Replace, time.Minute); err != nil {
						t.Errorf("Shutdown = %v", err)
					}
					drained <- time.Since(began)
				}()
				c.act(conn)
				if took := <-drained; took != c.took {
					t.Errorf("the drain took %v, want %v", took, c.took)
				}
			})
		})
	}
}

// An answer whose header was out before the drain began cannot say that its connection closes: the
// connection is idle afterwards, and ends like the others.
func TestDrainAnswerUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, more := newPipeListener(), make(chan struct{})
		r := start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begun, ")
			http.NewResponseController(w).Flush()
			<-more
			io.WriteString(w, "done")
		})})
		conn := ln.dial(t)
		conn.send(slowRequest)
		drained := make(chan error, 1)
		go func() {
			synctest.Wait()
			go func() { drained <- r.shutdown(drain.Stop, time.Minute) }()
			time.Sleep(30 * time.Second)
			close(more)
		}()
		if a := conn.must(); a.body != "begun, done" || a.closes() {
			t.Errorf("answer %q, Connection: close = %t", a.body, a.closes())
		}
		began := time.Now()
		conn.closed()
		if err := <-drained; err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if took := time.Since(began); took != lastLook {
			t.Errorf("the connection was open for %v after its answer, want %v", took, lastLook)
		}
	})
}

// The first bytes of a request may have come together with the one before. Its connection is not idle,
// however long the rest takes.
func TestDrainFirstBytesInBuffer(t *testing.T) {
	for _, early := range []string{"P", "PO", "POS", "POST / HTTP/1.1\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			ln := newPipeListener()
			r := start(t, &web.Server{Listener: ln, Handler: echo})
			const next = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody"
			conn := ln.dial(t)
			conn.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n" + early)
			conn.must()
			drained := make(chan error, 1)
			go func() { drained <- r.shutdown(drain.Stop, time.Minute) }()
			time.Sleep(5 * time.Second)
			conn.send(next[len(early):])
			if a := conn.must(); a.body != "body" || !a.closes() {
				t.Errorf("after %q: answer %q, Connection: close = %t", early, a.body, a.closes())
			}
			conn.closed()
			if err := <-drained; err != nil {
				t.Errorf("Shutdown = %v", err)
			}
		})
	}
}

// A client that pipelines gets each answer up to the one that closes, and no reset that would take it
// away, whatever it has sent after that.
func TestDrainPipelined(t *testing.T) {
	const clients = 8
	ln := listen(t)
	r := start(t, &web.Server{Listener: ln, Handler: echo, DisableHandOver: true})
	var wg, met sync.WaitGroup
	var draining atomic.Bool
	for range clients {
		met.Add(1)
		conn := dial(t, "tcp", ln.Addr().String())
		conn.SetDeadline(time.Now().Add(time.Minute))
		wg.Go(func() {
			go func() {
				for err := error(nil); err == nil; { // until the client has closed
					_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\n"+strings.Repeat("x", 5000))
				}
			}()
			for n := 0; ; n++ {
				if !draining.Load() {
					time.Sleep(time.Millisecond) // the answers, and requests that nobody reads, pile up
				}
				a, err := conn.receive()
				if n == 0 {
					met.Done()
				}
				if err != nil || len(a.body) != 5000 {
					t.Errorf("answer %d: %d bytes, %v", n, len(a.body), err)
				}
				if err != nil || a.closes() {
					conn.Close()
					return
				}
			}
		})
	}
	met.Wait()
	draining.Store(true)
	if err := r.shutdown(drain.Replace, time.Minute); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	wg.Wait()
}

// At the end of its context a drain cuts what is left, says how much that was, and counts it as lost.
func TestDrainCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, ended := newPipeListener(), make(chan error, 1)
		r := start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended <- context.Cause(r.Context())
		})})
		handled, half, idle := ln.dial(t), ln.dial(t), ln.dial(t)
		handled.send(slowRequest)
		half.send("GET / HT")
		_ = idle
		before := scoreboard.Current().Read()
		began := time.Now()
		err := r.shutdown(drain.Stop, 3*time.Second)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("Shutdown took %v, want 3s", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "requests cut: 2: context deadline exceeded" {
			t.Errorf("Shutdown = %v, want 2 requests cut at the deadline", err)
		}
		handled.closed()
		half.closed()
		if err := <-ended; err == nil {
			t.Error("the context of the request has no cause")
		}
		if err := r.wait(); err != nil {
			t.Errorf("Serve = %v", err)
		}
		if got := scoreboard.Current().Read().Lost[scoreboard.DeadlineKill] - before.Lost[scoreboard.DeadlineKill]; got != 2 {
			t.Errorf("%d requests are counted lost, want 2", got)
		}
	})
}

// A handler that does not return although its request was cut is not waited for without end.
func TestDrainStubbornHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, done := newPipeListener(), make(chan struct{})
		r := start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done })})
		conn := ln.dial(t)
		conn.send(slowRequest)
		began := time.Now()
		if err := r.shutdown(drain.Stop, time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v", err)
		}
		if err := r.wait(); err == nil || !strings.Contains(err.Error(), "handlers still run") {
			t.Errorf("Serve = %v, want it to say that handlers still run", err)
		}
		if took := time.Since(began); took != 1250*time.Millisecond {
			t.Errorf("Serve took %v, want 1.25s", took)
		}
		close(done)
	})
}

// Cancelling Serve's context means: now.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: sleeper})
		busy, idle := ln.dial(t), ln.dial(t)
		busy.send(slowRequest)
		idle.get("/")
		synctest.Wait()
		began := time.Now()
		r.cancel()
		if err := r.wait(); !errors.Is(err, context.Canceled) || err.Error() != "requests cut: 1: context canceled" {
			t.Errorf("Serve = %v, want 1 request cut", err)
		}
		busy.closed()
		idle.closed()
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v, want no time", took)
		}
	})
}

func TestCancelIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: hello})
		ln.dial(t).get("/")
		synctest.Wait()
		r.cancel()
		if err := r.wait(); err != nil {
			t.Errorf("Serve = %v, want nil, as nothing was lost", err)
		}
	})
}

// Cancelling in the middle of a drain ends that too; Shutdown says what was cut.
func TestCancelDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: sleeper})
		ln.dial(t).send(slowRequest)
		drained := make(chan error, 1)
		go func() { drained <- r.shutdown(drain.Stop, time.Minute) }()
		time.Sleep(time.Second)
		r.cancel()
		for name, err := range map[string]error{"Serve": r.wait(), "Shutdown": <-drained} {
			if err == nil || !strings.Contains(err.Error(), "requests cut: 1") {
				t.Errorf("%s = %v, want 1 request cut", name, err)
			}
		}
	})
}
