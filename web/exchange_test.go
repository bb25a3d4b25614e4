// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/web"
)

// A logBuffer is a log that tests read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestPanic(t *testing.T) {
	for name, c := range map[string]struct {
		debug   bool
		handler http.HandlerFunc
		status  int // 0 for a broken answer
		body    string
		logs    bool
		lost    uint64
	}{
		"before an answer": {
			handler: func(w http.ResponseWriter, r *http.Request) { panic("boom") },
			status:  500, logs: true,
		},
		"before an answer, debug": {
			debug:   true,
			handler: func(w http.ResponseWriter, r *http.Request) { panic("boom") },
			status:  500, body: "exchange_test.go", logs: true,
		},
		"headers of the handler are dropped": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "1000")
				w.Header().Set("Content-Encoding", "gzip")
				panic(errors.New("boom"))
			},
			status: 500, logs: true,
		},
		"with a status out of range": {
			handler: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(1000) },
			status:  500, logs: true,
		},
		"after an informational status": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				panic("boom")
			},
			status: 500, logs: true,
		},
		"in the middle of an answer": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				w.Write([]byte("half"))
				http.NewResponseController(w).Flush()
				panic("boom")
			},
			logs: true, lost: 1,
		},
		"ErrAbortHandler": {
			handler: func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			ln, log := listen(t), &logBuffer{}
			before := scoreboard.Current().Read()
			start(t, &web.Server{Listener: ln, Handler: c.handler, Debug: c.debug, Logger: slog.New(slog.NewTextHandler(log, nil))})
			conn := dial(t, "tcp", ln.Addr().String())
			conn.send("GET /where HTTP/1.1\r\nHost: test\r\n\r\n")
			a, err := conn.receive()
			for err == nil && a.StatusCode < 200 {
				a, err = conn.receive()
			}
			switch {
			case c.status == 0 && err == nil:
				t.Errorf("answer %d %q, want a broken one", a.StatusCode, a.body)
			case c.status != 0 && (err != nil || a.StatusCode != c.status):
				t.Errorf("answer %d, %v, want %d", a.StatusCode, err, c.status)
			case c.body == "" && c.status != 0 && (a.body != "" || a.Header.Get("Content-Encoding") != ""):
				t.Errorf("answer has body %q and header %v, want neither of the handler's", a.body, a.Header)
			case !strings.Contains(a.body, c.body):
				t.Errorf("body %q, want the stack", a.body)
			}
			if got := log.String(); c.logs != (strings.Contains(got, "handler panicked") && strings.Contains(got, "/where") && strings.Contains(got, "goroutine ")) {
				t.Errorf("log %q, want one of the panic: %t", got, c.logs)
			}
			after := scoreboard.Current().Read()
			if got := after.Lost[scoreboard.Panic] - before.Lost[scoreboard.Panic]; got != c.lost {
				t.Errorf("%d requests are counted lost, want %d", got, c.lost)
			}
			if c.status != 0 {
				conn.get("/") // the connection goes on
			}
		})
	}
}

func TestScoreboardCounts(t *testing.T) {
	ln, g := listen(t), newGate()
	start(t, &web.Server{Listener: ln, Handler: g})
	before := scoreboard.Current().Read()
	conn := dial(t, "tcp", ln.Addr().String())
	conn.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	if !eventually(func() bool { return scoreboard.Current().Read().Running == before.Running+1 }) {
		t.Errorf("running: %d, want 1 more than %d", scoreboard.Current().Read().Running, before.Running)
	}
	close(g.open)
	conn.must()
	if !eventually(func() bool {
		now := scoreboard.Current().Read()
		return now.Running == before.Running && now.Served == before.Served+1
	}) {
		t.Errorf("afterwards: %+v, before %+v", scoreboard.Current().Read(), before)
	}
}

// What net/http offers beyond http.ResponseWriter is there, and nothing that it does not offer.
func TestResponseWriter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	content := strings.Repeat("0123456789", 100_000)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var handle http.HandlerFunc
	ln := listen(t)
	start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r) })})

	for name, c := range map[string]struct {
		handle http.HandlerFunc
		body   string
	}{
		"io.ReaderFrom": {func(w http.ResponseWriter, r *http.Request) {
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Error("no io.ReaderFrom")
			}
			http.ServeFile(w, r, file)
		}, content},
		"io.StringWriter": {func(w http.ResponseWriter, r *http.Request) {
			w.(io.StringWriter).WriteString("text")
		}, "text"},
		"http.Flusher": {func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, "flushed")
		}, "flushed"},
		"no http.Pusher in HTTP/1": {func(w http.ResponseWriter, r *http.Request) {
			if _, ok := w.(http.Pusher); ok {
				t.Error("http.Pusher in HTTP/1")
			}
		}, ""},
		"http.ResponseController": {func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			err := errors.Join(c.SetReadDeadline(time.Now().Add(time.Minute)), c.SetWriteDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex(), c.Flush())
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, "controlled")
		}, "controlled"},
	} {
		t.Run(name, func(t *testing.T) {
			handle = c.handle
			conn := dial(t, "tcp", ln.Addr().String())
			for range 2 {
				if a := conn.get("/"); a.body != c.body {
					t.Errorf("body of %d bytes, want %d", len(a.body), len(c.body))
				}
			}
		})
	}
}

// Deadlines that a handler sets work as they do without this package.
func TestHandlerDeadlines(t *testing.T) {
	ln := listen(t)
	failed := make(chan error, 1)
	start(t, &web.Server{Listener: ln, BodyTimeout: -1, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		switch r.URL.Path {
		case "/read":
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			_, err := io.ReadAll(r.Body)
			failed <- err
		case "/past":
			c.SetReadDeadline(time.Now().Add(-time.Hour))
			_, err := io.ReadAll(r.Body)
			failed <- err
		case "/write":
			c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					failed <- err
					return
				}
			}
		}
	})})
	for _, path := range []string{"/read", "/past", "/write"} {
		conn := dial(t, "tcp", ln.Addr().String())
		length := "10"
		if path == "/write" {
			length = "0" // net/http reads a body to its end before it answers
		}
		conn.send("POST " + path + " HTTP/1.1\r\nHost: test\r\nContent-Length: " + length + "\r\n\r\n")
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v, want %v", path, err, os.ErrDeadlineExceeded)
		}
	}
}

// The end of the client ends the context of its request.
func TestClientGone(t *testing.T) {
	ln, gone := listen(t), make(chan struct{})
	start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		close(gone)
	})})
	conn := dial(t, "tcp", ln.Addr().String())
	conn.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx")
	conn.Close()
	<-gone
}

func TestHijack(t *testing.T) {
	ln := listen(t)
	start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		if _, ok := nc.(*net.TCPConn); !ok {
			t.Errorf("Hijack gives a %T", nc)
		}
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		for range 2 { // once from its buffer, then from the connection
			line, err := rw.ReadString('\n')
			if err != nil {
				t.Errorf("reading what follows: %v", err)
				return
			}
			io.WriteString(nc, strings.ToUpper(line))
		}
		nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := rw.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading with a deadline: %v", err)
		}
	})})
	for range 2 {
		conn := dial(t, "tcp", ln.Addr().String())
		conn.send("GET / HTTP/1.1\r\nHost: test\r\n\r\nwith the request\n")
		http.ReadResponse(conn.r, nil)
		conn.expect("WITH THE REQUEST\n")
		conn.send("later\n")
		conn.expect("LATER\n")
		conn.closed()
	}
}

// expect reads a line.
func (c *client) expect(want string) {
	c.t.Helper()
	if got, err := c.r.ReadString('\n'); err != nil || got != want {
		c.t.Errorf("received %q, %v, want %q", got, err, want)
	}
}

// Requests that were sent before the answer to the one before was there are all answered, in order.
func TestPipelining(t *testing.T) {
	ln := listen(t)
	start(t, &web.Server{Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		time.Sleep(time.Millisecond) // long enough for net/http to read a byte of the next request
		io.WriteString(w, r.URL.Path+string(b))
	})})
	all := "GET /a HTTP/1.1\r\nHost: test\r\n\r\nPOST /b HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n1GET /c HTTP/1.1\r\nHost: test\r\n\r\n"
	for cut := range len(all) {
		conn := dial(t, "tcp", ln.Addr().String())
		go func() {
			io.WriteString(conn, all[:cut])
			io.WriteString(conn, all[cut:])
		}()
		for _, want := range []string{"/a", "/b1", "/c"} {
			if a := conn.must(); a.body != want {
				t.Fatalf("cut at %d: answer %q, want %q", cut, a.body, want)
			}
		}
		conn.Close()
	}
}
