// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/web"
)

// Connections that a handler took over, as for a websocket, are its own: a drain neither waits for
// them nor cuts them.
func TestDrainHijacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			nc, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			io.Copy(nc, rw)
		})})
		conn := ln.dial(t)
		conn.send(slowRequest)
		http.ReadResponse(conn.r, nil)
		began := time.Now()
		if err := r.shutdown(drain.Stop, time.Minute); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the drain took %v with a connection that was taken over, want no time", took)
		}
		if err := r.wait(); err != nil {
			t.Errorf("Serve = %v", err)
		}
		conn.send("still there\n")
		conn.expect("still there\n")
		conn.Close()
	})
}

// A handler that has taken its connection over and has asked for the drain is waited for: it says
// goodbye, as a websocket does. At the end of the drain's time it is cut, and counted.
func TestDrainFarewell(t *testing.T) {
	for name, c := range map[string]struct {
		lasts time.Duration
		err   string
	}{
		"in time":  {10 * time.Second, ""},
		"too late": {time.Hour, "requests cut: 1: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				r := start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					nc, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					defer nc.Close()
					io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
					<-web.Draining(r.Context())
					select {
					case <-time.After(c.lasts):
						io.WriteString(nc, "1001\n")
					case <-r.Context().Done():
					}
				})})
				conn := ln.dial(t)
				conn.send(slowRequest)
				http.ReadResponse(conn.r, nil)
				synctest.Wait()
				before := scoreboard.Current().Read()
				began := time.Now()
				drained := make(chan error, 1)
				go func() { drained <- r.shutdown(drain.Replace, time.Minute) }()
				took := min(c.lasts, time.Minute)
				if c.err == "" {
					conn.expect("1001\n")
				}
				err := <-drained
				if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
					t.Errorf("Shutdown = %v, want %q", err, c.err)
				}
				if got := time.Since(began); got != took {
					t.Errorf("the drain took %v, want %v", got, took)
				}
				cut := scoreboard.Current().Read().Lost[scoreboard.StreamCut] - before.Lost[scoreboard.StreamCut]
				if want := uint64(len(c.err) / max(1, len(c.err))); cut != want {
					t.Errorf("%d streams are counted cut, want %d", cut, want)
				}
				r.wait()
			})
		})
	}
}

// With DrainSpread endless answers learn of the drain one after the other, the last one when there is
// as much time left as it was given.
func TestDrainSpread(t *testing.T) {
	for name, c := range map[string]struct{ spread, limit, want time.Duration }{
		"window":           {10 * time.Second, time.Minute, 10 * time.Second},
		"too large":        {10 * time.Minute, time.Minute, 30 * time.Second},
		"none":             {0, time.Minute, 0},
		"a negative one":   {-1, time.Minute, 0},
		"and a short time": {10 * time.Second, 2 * time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				var mu sync.Mutex
				ends := map[time.Time]int{}
				r := start(t, &web.Server{Listener: ln, PoolSize: -1, DrainSpread: c.spread, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					<-web.Draining(r.Context())
					mu.Lock()
					defer mu.Unlock()
					ends[time.Now()]++
				})})
				const n = 1000
				for range n {
					ln.dial(t).send(slowRequest)
				}
				synctest.Wait()
				began := time.Now()
				go r.shutdown(drain.Stop, c.limit)
				time.Sleep(c.want + time.Millisecond)
				synctest.Wait()
				total, most := 0, 0
				for at, many := range ends {
					if at.Sub(began) > c.want {
						t.Errorf("%d ended after %v, want %v at most", many, at.Sub(began), c.want)
					}
					total, most = total+many, max(most, many)
				}
				if total != n {
					t.Errorf("%d of %d have ended within %v", total, n, c.want)
				}
				if c.want > 0 && most > n/10 {
					t.Errorf("%d of %d ended at once", most, n)
				}
			})
		})
	}
}

// Endless answers learn of the drain.
func TestDraining(t *testing.T) {
	for name, configure := range map[string]func(*http.Server){
		"": nil,
		"with a base context": func(hs *http.Server) {
			hs.BaseContext = func(net.Listener) context.Context { return context.Background() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				r := start(t, &web.Server{Listener: ln, Configure: configure, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for n := 0; ; n++ {
						select {
						case <-web.Draining(r.Context()):
							io.WriteString(w, "goodbye")
							return
						case <-time.After(time.Second):
							io.WriteString(w, "event, ")
							http.NewResponseController(w).Flush()
						}
					}
				})})
				conn := ln.dial(t)
				conn.send(slowRequest)
				go func() {
					time.Sleep(2500 * time.Millisecond)
					r.shutdown(drain.Stop, time.Minute)
				}()
				if a := conn.must(); a.body != "event, event, goodbye" {
					t.Errorf("body = %q", a.body)
				}
			})
		})
	}
	if c := web.Draining(t.Context()); c != nil {
		t.Error("Draining of a context of no request is not nil")
	}
}
