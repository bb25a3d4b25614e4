// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/web"
)

// replace starts a server on the address of r and drains r in its favour.
func (r *running) replace(next *web.Server) *running {
	r.t.Helper()
	successor := start(r.t, next)
	if err := r.shutdown(drain.Replace, time.Minute); err != nil {
		r.t.Errorf("Shutdown = %v", err)
	}
	if err := r.wait(); err != nil {
		r.t.Errorf("Serve = %v", err)
	}
	return successor
}

// Connections move through many generations, be they new, idle or busy, and as fast as they are idle.
func TestMoveOn(t *testing.T) {
	noLeaks(t)
	ln := listen(t)
	server := func() *web.Server { return &web.Server{Listener: duplicate(t, ln), Handler: sleeper} }
	r := start(t, server())
	fresh, idle, busy := dial(t, "tcp", ln.Addr().String()), dial(t, "tcp", ln.Addr().String()), dial(t, "tcp", ln.Addr().String())
	idle.get("/")
	for range 5 {
		busy.send("GET /?20ms HTTP/1.1\r\nHost: test\r\n\r\n")
		began := time.Now()
		r = r.replace(server())
		if took := time.Since(began); took > 900*time.Millisecond {
			t.Errorf("the drain took %v, want that of the request, 20 ms; idle connections get a second", took)
		}
		if a := busy.must(); a.closes() {
			t.Error("the answer in a drain closes its connection")
		}
	}
	for name, conn := range map[string]*client{"fresh": fresh, "idle": idle, "busy": busy} {
		if a := conn.post("/", "x"); a.body != "slept" || a.closes() {
			t.Errorf("%s: answer %q, Connection: close = %t", name, a.body, a.closes())
		}
	}
}

// The idle clock of a connection goes on where it moves to, and so does that of one without a request.
func TestMovedConnectionsTimeOut(t *testing.T) {
	for name, c := range map[string]struct {
		request      bool
		idle, header time.Duration
	}{
		"idle":  {true, 600 * time.Millisecond, time.Minute},
		"fresh": {false, time.Minute, 600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			server := func() *web.Server {
				return &web.Server{Listener: duplicate(t, ln), Handler: hello, ClientSocketTimeout: c.idle, ReadHeaderTimeout: c.header}
			}
			r := start(t, server())
			conn := dial(t, "tcp", ln.Addr().String())
			if c.request {
				conn.get("/")
			}
			began := time.Now()
			for range 3 {
				time.Sleep(100 * time.Millisecond)
				r = r.replace(server())
			}
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			conn.closed()
			if took := time.Since(began); took < 590*time.Millisecond || took > 5*time.Second {
				t.Errorf("closed after %v, want 600 ms", took)
			}
		})
	}
}

// To net/http a moved connection is new, but the limits of a new one begin with its first byte.
func TestMovedConnectionHasTheTimeOfAnIdleOne(t *testing.T) {
	ln := listen(t)
	server := func() *web.Server {
		return &web.Server{Listener: duplicate(t, ln), Handler: echo, Configure: func(hs *http.Server) {
			hs.IdleTimeout, hs.ReadHeaderTimeout, hs.ReadTimeout = time.Minute, 250*time.Millisecond, 250*time.Millisecond
		}}
	}
	r := start(t, server())
	conn := dial(t, "tcp", ln.Addr().String())
	for range 3 {
		conn.post("/", "x")
		r = r.replace(server())
		time.Sleep(400 * time.Millisecond)
	}
	if a := conn.post("/", "still there"); a.body != "still there" {
		t.Errorf("answer %q", a.body)
	}
}

// A client that goes while its connection waits is forgotten.
func TestMovedConnectionEnds(t *testing.T) {
	noLeaks(t)
	ln := listen(t)
	r := start(t, &web.Server{Listener: duplicate(t, ln), Handler: hello})
	conn := dial(t, "tcp", ln.Addr().String())
	conn.get("/")
	next := r.replace(&web.Server{Listener: duplicate(t, ln), Handler: hello, DrainGrace: time.Minute})
	conn.Close()
	began := time.Now()
	if err := next.shutdown(drain.Stop, time.Minute); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a drain without connections took %v", took)
	}
}

// A final stop gives a moved connection its last answer, too.
func TestMovedConnectionInAStop(t *testing.T) {
	ln := listen(t)
	r := start(t, &web.Server{Listener: duplicate(t, ln), Handler: hello})
	conn, silent := dial(t, "tcp", ln.Addr().String()), dial(t, "tcp", ln.Addr().String())
	conn.get("/")
	silent.get("/")
	next := r.replace(&web.Server{Listener: duplicate(t, ln), Handler: hello, DrainGrace: 300 * time.Millisecond})
	drained := make(chan error, 1)
	go func() { drained <- next.shutdown(drain.Stop, time.Minute) }()
	time.Sleep(50 * time.Millisecond)
	if a := conn.get("/"); !a.closes() {
		t.Error("the last answer does not say so")
	}
	conn.closed()
	silent.closed()
	if err := <-drained; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
}

// What cannot move closes with its next answer, as ever.
func TestNotMovable(t *testing.T) {
	for name, change := range map[string]func(*web.Server){
		"forbidden":          func(s *web.Server) { s.DisableHandOver = true },
		"a foreign listener": func(s *web.Server) { s.Listener = foreign{s.Listener} },
		"a ConnContext": func(s *web.Server) {
			s.Configure = func(hs *http.Server) {
				hs.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return ctx }
			}
		},
		"HTTP/2 without TLS": func(s *web.Server) {
			s.Configure = func(hs *http.Server) {
				hs.Protocols = new(http.Protocols)
				hs.Protocols.SetHTTP1(true)
				hs.Protocols.SetUnencryptedHTTP2(true)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			server := func() *web.Server {
				s := &web.Server{Listener: duplicate(t, ln), Handler: hello, DrainGrace: time.Minute}
				change(s)
				return s
			}
			r := start(t, server())
			conn := dial(t, "tcp", ln.Addr().String())
			conn.get("/")
			start(t, server())
			drained := make(chan error, 1)
			go func() { drained <- r.shutdown(drain.Replace, time.Minute) }()
			time.Sleep(50 * time.Millisecond)
			if a := conn.get("/"); !a.closes() {
				t.Error("an answer in a drain does not close its connection")
			}
			if err := <-drained; err != nil {
				t.Errorf("Shutdown = %v", err)
			}
		})
	}
}

// foreign puts something around each connection.
type foreign struct{ net.Listener }

func (f foreign) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	return struct{ net.Conn }{c}, err
}

// A handler that took its connection over keeps it.
func TestHijackedConnectionStays(t *testing.T) {
	ln := listen(t)
	r := start(t, &web.Server{Listener: duplicate(t, ln), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(nc, line)
	})})
	conn := dial(t, "tcp", ln.Addr().String())
	conn.send(slowRequest)
	http.ReadResponse(conn.r, nil)
	start(t, &web.Server{Listener: duplicate(t, ln), Handler: hello})
	drained := make(chan error, 1)
	go func() { drained <- r.shutdown(drain.Replace, time.Minute) }()
	time.Sleep(50 * time.Millisecond)
	conn.send("still there\n")
	conn.expect("still there\n")
	if err := <-drained; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
}

// A parked connection costs less than one that net/http waits for.
func TestParkedConnectionsAreSmall(t *testing.T) {
	const n = 500
	ln := listen(t)
	r := start(t, &web.Server{Listener: duplicate(t, ln), Handler: hello})
	for range n {
		dial(t, "tcp", ln.Addr().String()).get("/")
	}
	idle := inUse()
	r.replace(&web.Server{Listener: duplicate(t, ln), Handler: hello})
	r = nil
	parked := inUse()
	t.Logf("%d idle connections take %d bytes less each when they are parked", n, (int64(idle)-int64(parked))/n)
	if parked+n*4000 > idle {
		t.Errorf("%d bytes with %d idle connections, %d with these parked; want 4 kB less for each", idle, n, parked)
	}
}

// inUse returns the memory that is in use, stacks too.
func inUse() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
