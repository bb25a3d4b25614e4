// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/web"
)

// A gate is a handler that holds each request until it is told to let one go.
type gate struct {
	mu      sync.Mutex
	entered []string // URLs, in the order in which they were handled
	open    chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.entered = append(g.entered, r.URL.Path)
	g.mu.Unlock()
	select {
	case <-g.open:
		io.WriteString(w, "through")
	case <-r.Context().Done():
	}
}

func (g *gate) handled() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.entered)
}

func TestPoolSize(t *testing.T) {
	for name, c := range map[string]struct{ set, clients, want int }{
		"default":  {0, 150, web.DefaultPoolSize},
		"two":      {2, 5, 2},
		"no limit": {-1, 500, 500},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln, g := newPipeListener(), newGate()
				start(t, &web.Server{Listener: ln, Handler: g, PoolSize: c.set})
				var conns []*client
				for range c.clients {
					conn := ln.dial(t)
					conn.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
					conns = append(conns, conn)
				}
				synctest.Wait()
				if got := len(g.handled()); got != c.want {
					t.Errorf("PoolSize %d: %d of %d requests are handled at once, want %d", c.set, got, c.clients, c.want)
				}
				close(g.open)
				for _, conn := range conns {
					if a := conn.must(); a.body != "through" {
						t.Errorf("answer %q", a.body)
					}
				}
			})
		})
	}
}

// Those who wait get their turn in the order in which they came, but for those who have gone.
func TestPoolSizeQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, g := newPipeListener(), newGate()
		start(t, &web.Server{Listener: ln, Handler: g, PoolSize: 1})
		conns := map[string]*client{}
		for _, path := range []string{"/a", "/b", "/c", "/d", "/e"} {
			conns[path] = ln.dial(t)
			conns[path].send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n")
			synctest.Wait()
		}
		conns["/b"].Close()
		conns["/d"].Close()
		synctest.Wait()
		for i, path := range []string{"/a", "/c", "/e"} {
			if got := g.handled(); len(got) != i+1 || got[i] != path {
				t.Fatalf("handled %v, want %s as number %d", got, path, i+1)
			}
			g.open <- struct{}{}
			conns[path].must()
			synctest.Wait()
		}
	})
}

// A request whose turn comes as its client goes gives the turn back.
func TestPoolSizeTurnOfTheGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, g := newPipeListener(), newGate()
		start(t, &web.Server{Listener: ln, Handler: g, PoolSize: 1})
		first := ln.dial(t)
		first.send("GET /first HTTP/1.1\r\nHost: test\r\n\r\n")
		synctest.Wait()
		for range 20 {
			gone := ln.dial(t)
			gone.send("GET /gone HTTP/1.1\r\nHost: test\r\n\r\n")
			synctest.Wait()
			go gone.Close()
		}
		close(g.open)
		first.must()
		last := ln.dial(t)
		if a := last.get("/last"); a.body != "through" {
			t.Errorf("after clients left the line: %q", a.body)
		}
	})
}

func TestPoolSizeHijacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		done := make(chan struct{})
		start(t, &web.Server{Listener: ln, PoolSize: 1, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				hello(w, r)
				return
			}
			if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
				t.Errorf("Hijack = %v", err)
			}
			<-done
		})})
		for range 3 {
			ln.dial(t).send("GET /take HTTP/1.1\r\nHost: test\r\n\r\n")
		}
		synctest.Wait()
		if a := ln.dial(t).get("/"); a.StatusCode != 200 {
			t.Errorf("with three connections taken over: status %d", a.StatusCode)
		}
		close(done)
	})
}

// Stop and start again: upstream's pool is 0 in between, ours may finish what it has, and the next
// run begins with all its turns.
func TestWS14PoolSizeAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, g := newPipeListener(), newGate()
		s := &web.Server{Listener: ln, Handler: g, PoolSize: 2}
		r := start(t, s)
		for range 3 {
			ln.dial(t).send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
		}
		synctest.Wait()
		r.shutdown(drain.Stop, time.Second)
		r.wait()

		ln, g = newPipeListener(), newGate()
		s.Listener, s.Handler = ln, g
		start(t, s)
		for range 3 {
			ln.dial(t).send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
		}
		synctest.Wait()
		if got := len(g.handled()); got != 2 {
			t.Errorf("after a restart %d requests are handled at once, want 2", got)
		}
	})
}
