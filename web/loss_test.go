// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/web"
)

// duplicate returns a second listener on the socket of ln, as a successor in another process has it.
func duplicate(t *testing.T, ln net.Listener) net.Listener {
	t.Helper()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ln, err = net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// A crowd is clients that post over kept-alive connections, one request after the other. They are
// net/http's opposite: they never try again, so that each request that gets no answer is seen.
type crowd struct {
	dial    func() (net.Conn, error)
	stop    atomic.Bool // end after the next answer
	leave   bool        // end at an answer that closes the connection, instead of dialing anew
	answers atomic.Int64
	dials   atomic.Int64
	met     atomic.Int64 // connections with an answer
	wg      sync.WaitGroup
	mu      sync.Mutex
	lost    []string
}

func (c *crowd) start(n int) {
	for i := range n {
		c.wg.Go(func() {
			if err := c.client(i); err != nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.lost = append(c.lost, err.Error())
			}
		})
	}
}

func (c *crowd) client(id int) error {
	random := rand.New(rand.NewPCG(1, uint64(id)))
	for !c.stop.Load() {
		conn, err := c.dial()
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		c.dials.Add(1)
		err = c.talk(conn, random)
		conn.Close()
		if err != nil || c.leave {
			return err
		}
	}
	return nil
}

// talk posts over conn until an answer says that it closes.
func (c *crowd) talk(conn net.Conn, random *rand.Rand) error {
	conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	for first := true; ; first = false {
		body := strings.Repeat("x", random.IntN(5000))
		head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", len(body))
		for _, part := range []string{head[:20], head[20:] + body} {
			if _, err := io.WriteString(conn, part); err != nil {
				return fmt.Errorf("send: %w", err)
			}
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 || string(got) != body {
			return fmt.Errorf("answer %d of %d bytes for %d: %v", res.StatusCode, len(got), len(body), err)
		}
		c.answers.Add(1)
		if first {
			c.met.Add(1)
		}
		if res.Close || c.stop.Load() && !c.leave {
			return nil
		}
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
		}
	}
}

// A server is replaced by another on the same socket, again and again, and no client notices.
func TestNothingLostWhenReplaced(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	for name, c := range map[string]struct {
		rounds    int
		cert, key string
		roots     *x509.CertPool
	}{
		"plain": {rounds: 8},
		"TLS":   {rounds: 3, cert: certFile, key: keyFile, roots: roots},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			ln := listen(t)
			clients := &crowd{dial: func() (net.Conn, error) {
				if c.roots != nil {
					return tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: c.roots})
				}
				return net.Dial("tcp", ln.Addr().String())
			}}
			server := func() *running {
				return start(t, &web.Server{Listener: duplicate(t, ln), Handler: echo, CertFile: c.cert, KeyFile: c.key})
			}
			current := server()
			clients.start(64)
			for round := range c.rounds {
				target := clients.answers.Load() + 500
				if !eventually(func() bool { return clients.answers.Load() >= target }) {
					t.Fatalf("round %d: no answers", round)
				}
				successor := server()
				if err := current.shutdown(drain.Replace, time.Minute); err != nil {
					t.Errorf("round %d: Shutdown = %v", round, err)
				}
				if err := current.wait(); err != nil {
					t.Errorf("round %d: Serve = %v", round, err)
				}
				current = successor
			}
			clients.stop.Store(true)
			clients.wg.Wait()
			if len(clients.lost) > 0 {
				t.Errorf("%d of %d requests lost in %d replacements: %q", len(clients.lost), clients.answers.Load(), c.rounds, clients.lost)
			}
			if n := clients.dials.Load(); c.roots == nil && n != 64 {
				t.Errorf("64 clients have dialed %d times, want once each", n)
			}
			t.Logf("%d answers, %d dials in %d replacements", clients.answers.Load(), clients.dials.Load(), c.rounds)
		})
	}
}

// A final stop answers what is served, and every connection once more.
func TestNothingLostWhenStopped(t *testing.T) {
	noLeaks(t)
	for range 10 {
		ln := listen(t)
		clients := &crowd{leave: true, dial: func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }}
		r := start(t, &web.Server{Listener: ln, Handler: echo})
		clients.start(64)
		// The rest of the accept queue would be lost with a plain listener.
		if !eventually(func() bool { return clients.met.Load() == 64 }) {
			t.Fatal("no answers")
		}
		ctx, cancel := context.WithTimeout(drain.With(t.Context(), drain.Stop), time.Minute)
		if err := r.server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		cancel()
		clients.wg.Wait()
		if len(clients.lost) > 0 {
			t.Errorf("%d of %d requests lost: %q", len(clients.lost), clients.answers.Load(), clients.lost)
		}
	}
}
