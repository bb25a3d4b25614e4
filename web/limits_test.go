// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/web"
)

func TestWS06NoHandler(t *testing.T) {
	ln := listen(t)
	start(t, &web.Server{Listener: ln})
	if a := dial(t, "tcp", ln.Addr().String()).get("/nothing-here"); a.StatusCode != 404 {
		t.Errorf("without a handler: status %d, want http.DefaultServeMux's 404", a.StatusCode)
	}
}

func TestWS07MaxHeaderLine(t *testing.T) {
	for name, c := range map[string]struct {
		max, length, want int
	}{
		"default lets 16384 bytes pass": {0, 16384, 200},
		"default refuses one more":      {0, 16385, 431},
		"a shorter limit":               {100, 101, 431},
		"a shorter limit, just met":     {100, 100, 200},
		"a longer limit":                {1 << 20, 1 << 20, 200},
		"no limit":                      {-1, 500_000, 200},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			start(t, &web.Server{Listener: ln, Handler: hello, MaxHeaderLine: c.max})
			line := "X-Long: "
			line += strings.Repeat("x", c.length-len(line))
			conn := dial(t, "tcp", ln.Addr().String())
			conn.send("GET / HTTP/1.1\r\nHost: test\r\n" + line + "\r\n\r\n")
			a := conn.must()
			if a.StatusCode != c.want {
				t.Errorf("header line of %d bytes, limit %d: status %d, want %d", c.length, c.max, a.StatusCode, c.want)
			}
			if a.closes() != (c.want != 200) {
				t.Errorf("status %d: Connection: close = %t", a.StatusCode, a.closes())
			}
		})
	}
}

func TestWS13MaxURLLength(t *testing.T) {
	for name, c := range map[string]struct {
		max, length, want int
	}{
		"10000 of 16384":            {16384, 10000, 200},
		"20000 of 16384":            {16384, 20000, 414},
		"default lets 8192 pass":    {0, 8192, 200},
		"default refuses one more":  {0, 8193, 414},
		"no limit":                  {-1, 60000, 200},
		"far over the limit":        {0, 60000, 414},
		"a limit over the header's": {200_000, 150_000, 200},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			start(t, &web.Server{Listener: ln, Handler: hello, MaxURLLength: c.max})
			a := dial(t, "tcp", ln.Addr().String()).get("/" + strings.Repeat("x", c.length-1))
			if a.StatusCode != c.want {
				t.Errorf("URL of %d bytes, limit %d: status %d, want %d", c.length, c.max, a.StatusCode, c.want)
			}
			if c.want == 414 && (a.body != "" || !a.closes()) {
				t.Errorf("414 has body %q and Connection: close = %t, want none and true", a.body, a.closes())
			}
		})
	}
}

// lives returns how long a connection stays open on which the client does nothing more. Net/http may
// answer 400 before it closes it.
func lives(c *client) time.Duration {
	began := time.Now()
	io.Copy(io.Discard, c.r)
	return time.Since(began)
}

func TestWS15ClientSocketTimeout(t *testing.T) {
	for name, c := range map[string]struct{ set, want time.Duration }{
		"default": {0, 900 * time.Second},
		"five":    {5 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				start(t, &web.Server{Listener: ln, Handler: hello, ClientSocketTimeout: c.set})
				conn := ln.dial(t)
				for range 3 {
					conn.get("/")
				}
				if got := lives(conn); got != c.want {
					t.Errorf("ClientSocketTimeout %v: idle connection was open for %v, want %v", c.set, got, c.want)
				}
			})
		})
	}
}

func TestClientSocketTimeoutNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		start(t, &web.Server{Listener: ln, Handler: hello, ClientSocketTimeout: -1})
		conn := ln.dial(t)
		conn.post("/", "a body has a timeout of its own")
		time.Sleep(1000 * time.Hour)
		if a := conn.get("/"); a.StatusCode != 200 {
			t.Errorf("after 1000 hours: status %d", a.StatusCode)
		}
	})
}

// Many connections share one timer: each must end at its own time all the same.
func TestClientSocketTimeoutOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		start(t, &web.Server{Listener: ln, Handler: hello, ClientSocketTimeout: 10 * time.Second})
		ended := make(chan error)
		const n = 50
		for i := range n {
			conn := ln.dial(t)
			go func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				conn.get("/")
				if got := lives(conn); got != 10*time.Second {
					ended <- fmt.Errorf("connection %d was idle for %v, want 10s", i, got)
				}
				ended <- nil
			}()
		}
		for range n {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestReadHeaderTimeout(t *testing.T) {
	for name, c := range map[string]struct{ set, want time.Duration }{
		"default": {0, 60 * time.Second},
		"five":    {5 * time.Second, 5 * time.Second},
	} {
		for when, prepare := range map[string]func(*client){
			"new connection":            func(*client) {},
			"half a first header":       func(c *client) { c.send("GET / HTTP/1.1\r\nHo") },
			"three bytes of a second":   func(c *client) { c.get("/"); c.send("GET") },
			"half a second header":      func(c *client) { c.get("/"); c.send("GET / HTTP/1.1\r\nHo") },
			"second header in the same": func(c *client) { c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /"); c.must() },
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ln := newPipeListener()
					start(t, &web.Server{Listener: ln, Handler: hello, ReadHeaderTimeout: c.set})
					conn := ln.dial(t)
					prepare(conn)
					if got := lives(conn); got != c.want {
						t.Errorf("ReadHeaderTimeout %v: connection was open for %v, want %v", c.set, got, c.want)
					}
				})
			})
		}
	}
}

func TestReadHeaderTimeoutNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		start(t, &web.Server{Listener: ln, Handler: hello, ReadHeaderTimeout: -1})
		conn := ln.dial(t)
		time.Sleep(1000 * time.Hour)
		conn.send("GET / HTTP/1.1\r\n")
		time.Sleep(1000 * time.Hour)
		conn.send("Host: test\r\n\r\n")
		conn.must()
	})
}

// A handler may take longer than all timeouts of the connection.
func TestTimeoutsLeaveHandlersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			select {
			case <-time.After(1000 * time.Hour):
				io.WriteString(w, "done")
			case <-r.Context().Done():
			}
		})})
		conn := ln.dial(t)
		for range 2 {
			if a := conn.get("/"); a.body != "done" {
				t.Errorf("GET after 1000 hours = %q", a.body)
			}
			if a := conn.post("/", "body"); a.body != "done" {
				t.Errorf("POST after 1000 hours = %q", a.body)
			}
		}
	})
}

func TestBodyTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		server *web.Server
		want   time.Duration
	}{
		"default":                        {&web.Server{}, 900 * time.Second},
		"default follows the socket's":   {&web.Server{ClientSocketTimeout: 7 * time.Second}, 7 * time.Second},
		"own":                            {&web.Server{BodyTimeout: 5 * time.Second}, 5 * time.Second},
		"ReadTimeout counts from header": {&web.Server{Configure: func(hs *http.Server) { hs.ReadTimeout = 9 * time.Second }}, 9*time.Second - 4*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				failed := make(chan error, 1)
				var last time.Time
				s := c.server
				s.Listener = ln
				s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, err := io.ReadFull(r.Body, make([]byte, 10))
					failed <- err
				})
				start(t, s)
				conn := ln.dial(t)
				conn.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n")
				for range 4 {
					time.Sleep(time.Second)
					conn.send("x")
					last = time.Now()
				}
				if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("reading the body: %v, want %v", err, os.ErrDeadlineExceeded)
				}
				if got := time.Since(last); got != c.want {
					t.Errorf("reading failed after %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestBodyTimeoutNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		start(t, &web.Server{Listener: ln, BodyTimeout: -1, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			fmt.Fprint(w, string(b), err)
		})})
		conn := ln.dial(t)
		conn.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nx")
		time.Sleep(1000 * time.Hour)
		conn.send("y")
		if a := conn.must(); a.body != "xy<nil>" {
			t.Errorf("body = %q", a.body)
		}
	})
}

// What a handler leaves of a body is read off by net/http, which must not wait for it for ever either.
func TestBodyTimeoutOfWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		start(t, &web.Server{Listener: ln, BodyTimeout: 5 * time.Second, Handler: hello})
		conn := ln.dial(t)
		conn.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nx")
		began := time.Now()
		conn.must()
		conn.closed()
		if got := time.Since(began); got > 6*time.Second {
			t.Errorf("connection was open for %v, want about 5s", got)
		}
	})
}

func TestWS16DisableKeepAlives(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		ln := listen(t)
		start(t, &web.Server{Listener: ln, Handler: hello, DisableKeepAlives: disabled})
		conn := dial(t, "tcp", ln.Addr().String())
		if a := conn.get("/"); a.closes() != disabled {
			t.Errorf("DisableKeepAlives %t: Connection: close = %t", disabled, a.closes())
		}
		if disabled {
			conn.closed()
		} else {
			conn.get("/")
		}
	}
}
