// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/handover"
)

// A server is an owner that keeps what it gets.
type server struct {
	closed  atomic.Bool // accepts nothing
	changes atomic.Int64
	shed    atomic.Int64 // what Shed was asked for

	mu  sync.Mutex
	got []handover.Arrival
}

func (s *server) Accepts() bool { return !s.closed.Load() }
func (s *server) Changed()      { s.changes.Add(1) }
func (s *server) Shed(n int) int {
	s.shed.Store(int64(n))
	return n
}
func (s *server) Adopt(a handover.Arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, a)
}

func (s *server) arrivals() []handover.Arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]handover.Arrival(nil), s.got...)
}

// await waits until n connections have arrived, and closes them at the end of the test.
func (s *server) await(t *testing.T, n int) []handover.Arrival {
	t.Helper()
	if !eventually(func() bool { return len(s.arrivals()) >= n }) {
		t.Fatalf("%d connections arrived, want %d", len(s.arrivals()), n)
	}
	got := s.arrivals()
	t.Cleanup(func() {
		for _, a := range got {
			a.Conn.Close()
		}
	})
	return got
}

func eventually(ok func() bool) bool {
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// connect returns both ends of a connection.
func connect(t *testing.T, ln net.Listener) (client, served net.Conn) {
	t.Helper()
	client, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if served, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	client.SetDeadline(time.Now().Add(time.Minute))
	return client, served
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// converse sends a line both ways.
func converse(t *testing.T, client, served net.Conn) {
	t.Helper()
	for _, ends := range [][2]net.Conn{{client, served}, {served, client}} {
		b := make([]byte, 5)
		if _, err := io.WriteString(ends[0], "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(ends[1], b); err != nil || string(b) != "hello" {
			t.Fatalf("read %q, %v", b, err)
		}
	}
}

const key = "tcp test"

func TestWithinOneProcess(t *testing.T) {
	h, ln := handover.NewHub(), listen(t, "tcp", "127.0.0.1:0")
	older, old, other, next := &server{}, &server{}, &server{}, &server{}
	h.Open(key, older)
	p := h.Open(key, old)
	h.Open("another key", other)
	client, served := connect(t, ln)
	if p.Able() || p.Give(served, time.Now(), false) {
		t.Fatal("a connection was taken although nobody is there")
	}
	h.Open(key, next)
	since := time.Now().Add(-time.Minute)
	if !p.Able() || !p.Give(served, since, true) {
		t.Fatal("a connection was not taken although there is a next generation")
	}
	a := next.await(t, 1)[0]
	if a.Conn != served || !a.Since.Equal(since) || !a.Fresh || a.Returned {
		t.Errorf("got %+v, want the very connection", a)
	}
	a.Used()
	converse(t, client, a.Conn)
	if p.Pending() != 0 || len(other.arrivals())+len(old.arrivals())+len(older.arrivals()) > 0 {
		t.Error("somebody else got something")
	}
}

func TestHold(t *testing.T) {
	h, ln := handover.NewHub(), listen(t, "tcp", "127.0.0.1:0")
	release := h.Hold()
	old := h.Open(key, &server{})
	client, served := connect(t, ln)
	lost, unserved := connect(t, ln)
	if !old.Able() || !old.Give(served, time.Now(), false) {
		t.Fatal("a connection was not kept")
	}
	gone := h.Open("a key that goes", &server{})
	gone.Give(unserved, time.Now(), false)
	gone.Close()
	old.Close()
	next := &server{}
	p := h.Open(key, next)
	converse(t, client, next.await(t, 1)[0].Conn)
	back, again := connect(t, ln)
	if !p.Give(again, time.Now(), false) {
		t.Fatal("a connection was not kept")
	}
	next.closed.Store(true)
	release()
	if a := next.await(t, 2)[1]; !a.Returned {
		t.Error("a connection that nobody came for does not say that it comes back")
	} else {
		converse(t, back, a.Conn)
	}
	if _, err := lost.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("reading from a connection that nobody is left for: %v, want EOF", err)
	}
	if p.Able() {
		t.Error("somebody is there after the hold")
	}
	release()
}
