// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/middleware"
)

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := must(middleware.RateLimit(middleware.RateLimitOptions{Rate: 2, Burst: 3, Clients: 2}))
		h := f(http.HandlerFunc(nothing))
		from := func(addr string) *httptest.ResponseRecorder {
			r := request("GET", "/")
			r.RemoteAddr = addr + ":1"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		count := func(addr string) (n int) {
			for from(addr).Code == 200 {
				n++
			}
			return n
		}
		if n := count("192.0.2.1"); n != 3 {
			t.Errorf("%d requests at once, want 3", n)
		}
		if w := from("192.0.2.1"); w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"retryAfter": "1"`) {
			t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
		}
		if n := count("192.0.2.2"); n != 3 {
			t.Errorf("%d requests of another client, want 3", n)
		}
		// No place for more: they share one.
		if n := count("192.0.2.3") + count("192.0.2.4"); n != 3 {
			t.Errorf("%d requests of the crowd, want 3", n)
		}
		time.Sleep(time.Second)
		if n := count("192.0.2.1"); n != 2 {
			t.Errorf("%d requests after a second, want 2", n)
		}
		time.Sleep(time.Minute)
		if n := count("192.0.2.4"); n != 3 {
			t.Errorf("%d requests of a client that found a place, want 3", n)
		}
	})
}

func TestLoadShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := must(middleware.LoadShed(middleware.ShedOptions{MaxConcurrency: 2, MaxQueue: 1, QueueTimeout: 3 * time.Second, RetryAfter: 1500 * time.Millisecond}))
		h := f(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { time.Sleep(2 * time.Second) }))
		start := time.Now()
		var wg sync.WaitGroup
		send := func(r *http.Request, status int, took time.Duration) {
			wg.Go(func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if got := time.Since(start); w.Code != status || got != took {
					t.Errorf("%d after %v, want %d after %v", w.Code, got, status, took)
				}
				if w.Code == 503 && w.Header().Get("Retry-After") != "2" {
					t.Errorf("header %v", w.Header())
				}
			})
			synctest.Wait()
		}
		send(request("GET", "/"), 200, 2*time.Second)
		send(request("GET", "/"), 200, 2*time.Second)
		send(request("GET", "/"), 200, 4*time.Second) // waits
		send(request("GET", "/"), 503, 0)             // the queue is full
		wg.Wait()

		h = must(middleware.LoadShed(middleware.ShedOptions{MaxConcurrency: 1, MaxQueue: 2, QueueTimeout: time.Second, RetryAfter: 2 * time.Second}))(
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { time.Sleep(5 * time.Second) }))
		start = time.Now()
		send(request("GET", "/"), 200, 5*time.Second)
		send(request("GET", "/"), 503, time.Second) // no turn in time
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		send(request("GET", "/").WithContext(ctx), 503, 300*time.Millisecond) // the client is gone
		wg.Wait()

		// A panic gives its turn back.
		h = must(middleware.LoadShed(middleware.ShedOptions{MaxConcurrency: 1}))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("p") }))
		for range 3 {
			func() {
				defer func() {
					if recover() != "p" {
						t.Error("the turn was not given back")
					}
				}()
				h.ServeHTTP(httptest.NewRecorder(), request("GET", "/"))
			}()
		}
	})
}

func TestTimeout(t *testing.T) {
	f := must(middleware.Timeout(middleware.TimeoutOptions{RequestTimeout: 2 * time.Second}))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := ask(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Late", "1")
			<-r.Context().Done()
			if took := time.Since(start); took != 2*time.Second || !errors.Is(r.Context().Err(), context.DeadlineExceeded) {
				t.Errorf("cancelled after %v by %v", took, r.Context().Err())
			}
			synctest.Wait()
			if _, err := io.WriteString(w, "late"); err != http.ErrHandlerTimeout {
				t.Errorf("a late write: %v", err)
			}
		}, request("GET", "/"), f)
		if w.Code != 504 || w.Header().Get("X-Late") != "" || !strings.Contains(w.Body.String(), "The gateway has timed out.") || strings.Contains(w.Body.String(), "late") {
			t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := ask(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-App", "1")
			w.WriteHeader(201)
			time.Sleep(time.Minute)
			io.WriteString(w, "slow")
		}, request("GET", "/"), f)
		if w.Code != 201 || w.Body.String() != "slow" || w.Header().Get("X-App") != "1" {
			t.Errorf("an answer that had begun: %d %v %s", w.Code, w.Header(), w.Body)
		}
	})
}

// TestTimeoutOfABody holds that a client that sends no more cannot keep its answer away.
func TestTimeoutOfABody(t *testing.T) {
	f := must(middleware.Timeout(middleware.TimeoutOptions{RequestTimeout: 50 * time.Millisecond}))
	ended := make(chan error, 1)
	s := serve(t, f, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		ended <- err
	})
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nsome")
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || res.StatusCode != 504 || !res.Close {
		t.Errorf("got %v, %v", res, err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the handler read a whole body")
		}
	case <-time.After(30 * time.Second):
		t.Error("the handler still reads")
	}
}

func TestTimeoutLeavesHeaders(t *testing.T) {
	f := must(middleware.Timeout(middleware.TimeoutOptions{RequestTimeout: time.Minute}))
	w := ask(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("X-Compute-Request-Id")
		w.WriteHeader(201)
	}, request("GET", "/"), middleware.RequestID("X-Compute-Request-Id"), f)
	if h := w.Header(); h["X-Compute-Request-Id"] != nil || h["X-Openstack-Request-Id"] == nil {
		t.Errorf("header %v", h)
	}
}

func TestCompress(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	text := []string{"Content-Type", "text/plain"}
	for name, c := range map[string]struct {
		accept string
		header []string
		status int
		body   string
		packed bool
		vary   bool
	}{
		"wanted":             {"gzip", text, 200, long, true, true},
		"among others":       {"br, gzip;q=0.8, *;q=0.1", text, 200, long, true, true},
		"anything":           {"*", text, 200, long, true, true},
		"an error page":      {"gzip", text, 404, long, true, true},
		"guessed":            {"gzip", nil, 200, long, true, true},
		"not named":          {"br", text, 200, long, false, true},
		"refused":            {"gzip;q=0, *", text, 200, long, false, true},
		"identity preferred": {"gzip;q=0.5, identity", text, 200, long, false, true},
		"without header":     {"", text, 200, long, false, true},
		"broken weight":      {"gzip;q=x", text, 200, long, false, true},
		"short":              {"gzip", text, 200, long[:1023], false, true},
		"just long enough":   {"gzip", text, 200, long[:1024], true, true},
		"another type":       {"gzip", []string{"Content-Type", "image/png"}, 200, long, false, false},
		"packed already":     {"gzip", []string{"Content-Type", "text/plain", "Content-Encoding", "br"}, 200, long, false, false},
		"a part":             {"gzip", []string{"Content-Type", "text/plain", "Content-Range", "bytes 0-1/2"}, 206, long, false, false},
		"no-transform":       {"gzip", []string{"Content-Type", "text/plain", "Cache-Control", "private, No-Transform"}, 200, long, false, false},
		"no content":         {"gzip", text, 204, "", false, false},
		"empty":              {"gzip", text, 200, "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(func(w http.ResponseWriter, r *http.Request) {
				for i := 0; i < len(c.header); i += 2 {
					w.Header().Set(c.header[i], c.header[i+1])
				}
				w.Header().Set("Etag", `"strong"`)
				w.WriteHeader(c.status)
				for rest := c.body; rest != ""; {
					n := min(len(rest), 700)
					io.WriteString(w, rest[:n])
					rest = rest[n:]
				}
			}, request("GET", "/", "Accept-Encoding", c.accept), must(middleware.Compress(compression)))
			h := w.Header()
			body, etag := w.Body.String(), `"strong"`
			if packed := h.Get("Content-Encoding") == "gzip"; packed != c.packed {
				t.Fatalf("packed %t, header %v", packed, h)
			}
			if c.packed {
				if etag = `W/"strong"`; len(body) > len(c.body)/4 {
					t.Errorf("%d bytes of %d", len(body), len(c.body))
				}
				z, err := gzip.NewReader(w.Body)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(z)
				if body = string(b); err != nil {
					t.Error(err)
				}
			}
			if body != c.body || w.Code != c.status || h.Get("Etag") != etag || (h.Get("Vary") == "Accept-Encoding") != c.vary {
				t.Errorf("got %d, %d bytes, header %v", w.Code, len(body), h)
			}
		})
	}
	w := ask(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, long) }, request("GET", "/", "Accept-Encoding", "gzip"),
		must(middleware.Compress(compression)), must(middleware.Compress(compression)))
	if z, err := gzip.NewReader(w.Body); err != nil {
		t.Error(err)
	} else if body, err := io.ReadAll(z); string(body) != long || err != nil || len(w.Header()["Vary"]) != 1 {
		t.Errorf("twice: %d bytes, %v, header %v", len(body), err, w.Header())
	}
}
