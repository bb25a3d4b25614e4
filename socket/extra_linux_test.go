// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/socket"
)

// A queueOf is the queue of another worker, with an address of its own so that it can be told apart.
type queueOf struct {
	*bind.Socket
	t *testing.T
}

func newQueue(t *testing.T) queueOf {
	t.Helper()
	s, err := bind.Bind(t.Context(), bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return queueOf{s, t}
}

// offer gives the queue to a listener.
func (q queueOf) offer(ln *socket.Listener, slot int) {
	q.t.Helper()
	fd, err := q.Dup()
	if err != nil {
		q.t.Fatal(err)
	}
	ln.StandIn().Serve(slot, proc.Queue{Addr: q.Addr, FD: fd, Own: true})
}

// fill queues n connections.
func (q queueOf) fill(n int) {
	q.t.Helper()
	for range n {
		c, err := net.Dial("tcp", q.Addr)
		if err != nil {
			q.t.Fatal(err)
		}
		q.t.Cleanup(func() { c.Close() })
	}
}

// waiting returns how many are in the queue.
func (q queueOf) waiting() int {
	q.t.Helper()
	n, err := q.Queued()
	if err != nil {
		q.t.Fatal(err)
	}
	return n
}

// accepts counts what the listener returns, by the address that was dialed, until it ends.
func accepts(ln *socket.Listener) <-chan string {
	c := make(chan string, 1000)
	go func() {
		defer close(c)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c <- conn.LocalAddr().String()
			conn.Close()
		}
	}()
	return c
}

// wantFrom wants the next n connections to come from an address.
func wantFrom(t *testing.T, c <-chan string, addr string, n int) {
	t.Helper()
	for i := range n {
		select {
		case got, ok := <-c:
			if got != addr {
				t.Fatalf("connection %d of %d is of %q, %v, want %s", i, n, got, ok, addr)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%d connections of %d to %s were accepted", i, n, addr)
		}
	}
}

// TestQueuesOfOthersAreServed offers queues with connections in them, and lets more come later: to them
// and to the listener's own.
func TestQueuesOfOthersAreServed(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	conns := accepts(ln)
	first, second := newQueue(t), newQueue(t)
	first.fill(20)
	first.offer(ln, 1)
	wantFrom(t, conns, first.Addr, 20)
	second.offer(ln, 2)
	for range 10 {
		second.fill(1)
		wantFrom(t, conns, second.Addr, 1)
		dial(t, ln)
		wantFrom(t, conns, ln.Addr().String(), 1)
		first.fill(2)
		wantFrom(t, conns, first.Addr, 2)
	}
	first.offer(ln, 1) // again, as the launcher may
	first.fill(3)
	wantFrom(t, conns, first.Addr, 3)

	late := ln.StandIn() // as of a message that comes after the end
	ln.StandIn().Return(1)
	ln.StandIn().Return(7) // which it never had
	first.fill(3)
	second.fill(1)
	wantFrom(t, conns, second.Addr, 1)
	if n := first.waiting(); n != 3 {
		t.Errorf("%d wait in a queue that was given back, want 3", n)
	}
	if n := ln.Queues(); n != 1 {
		t.Errorf("it serves %d queues of others, want 1", n)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	second.fill(1)
	if c, ok := <-conns; ok {
		t.Errorf("accepted %s after Close", c)
	}
	before := openFDs(t)
	fd, err := second.Dup()
	if err != nil {
		t.Fatal(err)
	}
	late.Serve(1, proc.Queue{FD: fd})
	late.Return(1)
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors are open after an offer to a closed listener, %d before", after, before)
	}
}

// TestNeitherQueueWaitsForTheOther fills the queue of another worker and the own one.
func TestNeitherQueueWaitsForTheOther(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	other := newQueue(t)
	other.fill(50)
	for range 50 {
		dial(t, ln)
	}
	other.offer(ln, 1)
	var order []string
	for range 100 {
		order = append(order, accept(t, ln).LocalAddr().String())
	}
	// Its own has the start, as the other is noticed a moment later; then they take turns.
	last := 0
	for _, addr := range order[90:] {
		if addr == other.Addr {
			last++
		}
	}
	if last < 4 {
		t.Errorf("%d of the last 10 are of the other queue: its connections all came first", last)
	}
}

// TestStopEmptiesTheQueuesOfOthers stops for good, so that nobody serves afterwards; for any other
// reason the queues are left to those who do.
func TestStopEmptiesTheQueuesOfOthers(t *testing.T) {
	for why, left := range map[drain.Reason]int{drain.Stop: 0, drain.None: 0, drain.Replace: 30, drain.Shrink: 30} {
		t.Run(why.String(), func(t *testing.T) {
			ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
			dial(t, ln)
			accept(t, ln)
			other := newQueue(t)
			other.offer(ln, 1)
			other.fill(30)
			done := make(chan error, 1)
			go func() { done <- ln.Shutdown(drain.With(t.Context(), why)) }()
			if left > 0 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			got, err := acceptUntil(ln)
			if got != 30-left || !errors.Is(err, net.ErrClosed) {
				t.Errorf("accepted %d, %v, want %d and ErrClosed", got, err, 30-left)
			}
			if n := other.waiting(); n != left {
				t.Errorf("%d are left, want %d", n, left)
			}
			ttl, err := syscall.GetsockoptInt(other.FD, syscall.IPPROTO_IP, 21)
			if err != nil {
				t.Fatal(err)
			}
			if gated := ttl == 255; gated != (left == 0) {
				t.Errorf("new connections to it are held off: %v, want %v", gated, left == 0)
			}
		})
	}
}

// TestQueueThatIsClosedToAll is of a slot that was removed while its queue was served.
func TestQueueThatIsClosedToAll(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	conns := accepts(ln)
	first := newQueue(t)
	g := bind.NewGroup(first.Socket)
	next, err := g.Join()
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	first.offer(ln, 1)
	if err := g.Remove(first.Socket); err != nil {
		t.Fatal(err)
	}
	dial(t, ln)
	wantFrom(t, conns, ln.Addr().String(), 1)
	queueOf{next, t}.offer(ln, 1) // the slot is back
	queueOf{next, t}.fill(5)
	wantFrom(t, conns, next.Addr, 5)
}

// TestResume takes stops back: connections come as before, and hear their peers.
func TestResume(t *testing.T) {
	for name, address := range map[string][2]string{
		"IPv4":          {"tcp", "127.0.0.1:0"},
		"IPv6":          {"tcp", "[::1]:0"},
		"every address": {"tcp", ":0"},
		"unix":          {"unix", filepath.Join(t.TempDir(), "s")},
		"abstract":      {"unix", "@mainstay-test-resume"},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, socket.Config{}, address[0], address[1])
			dial(t, ln)
			accept(t, ln)
			other := newQueue(t)
			other.offer(ln, 1)
			for range 2 {
				dial(t, ln)
				done := make(chan error, 1)
				go func() { done <- ln.Shutdown(drain.With(t.Context(), drain.Stop)) }()
				for !proc.Self().Table().List()[0].Closing {
					time.Sleep(time.Millisecond)
				}
				if err := ln.Resume(); err != nil { // it waits until the drain has begun
					t.Fatal(err)
				}
				if err := <-done; !errors.Is(err, socket.ErrResumed) {
					t.Fatalf("Shutdown() = %v, want ErrResumed", err)
				}
				conns := []net.Conn{accept(t, ln)} // from before
				for range 3 {
					dial(t, ln)
					conns = append(conns, accept(t, ln))
				}
				other.fill(1)
				conns = append(conns, accept(t, ln))
				for i, c := range conns {
					if _, tcp := c.(*net.TCPConn); !tcp {
						continue
					}
					if ttl := sockopt(t, c, syscall.IPPROTO_IP, 21); ttl != 0 {
						t.Errorf("connection %d has the minimum TTL %d, want 0", i, ttl)
					}
					if c.LocalAddr().(*net.TCPAddr).IP.To4() == nil && sockopt(t, c, syscall.IPPROTO_IPV6, 73) != 0 {
						t.Errorf("connection %d has a minimum hop count", i)
					}
				}
			}
			if err := ln.Resume(); err != nil {
				t.Errorf("Resume of one that does not drain: %v", err)
			}
			ln.Close()
			if err := ln.Resume(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Resume of one that is closed: %v, want ErrClosed", err)
			}
		})
	}
}

// openFDs counts the descriptors of this process.
func openFDs(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}
