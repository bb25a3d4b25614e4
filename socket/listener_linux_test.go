// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/socket"
)

// sockopt returns an option of a connection.
func sockopt(t *testing.T, c net.Conn, level, opt int) (value int) {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := rc.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, opt) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return value
}

// TestWS10KeepAlive looks at accepted connections, those of a drained queue too.
func TestWS10KeepAlive(t *testing.T) {
	for name, c := range map[string]struct {
		idle     time.Duration
		on, want int
	}{
		"as asked":   {500 * time.Second, 1, 500},
		"rounded up": {1500 * time.Millisecond, 1, 2},
		"by default": {0, 1, 600},
		"off":        {-1, 0, 15},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, socket.Config{KeepAliveIdle: c.idle}, "tcp", "127.0.0.1:0")
			check := func(conn net.Conn) {
				t.Helper()
				on := sockopt(t, conn, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
				idle := sockopt(t, conn, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
				if on != c.on || idle != c.want {
					t.Errorf("SO_KEEPALIVE %d, TCP_KEEPIDLE %d, want %d and %d", on, idle, c.on, c.want)
				}
			}
			dial(t, ln)
			check(accept(t, ln))

			const n = 20
			for range n {
				dial(t, ln)
			}
			errc := make(chan error)
			go func() { errc <- ln.Shutdown(t.Context()) }()
			time.Sleep(2 * settleLoopback) // most come after the deadline, by the other way
			for range n {
				check(accept(t, ln))
			}
			if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept() = %v, want ErrClosed", err)
			}
			if err := <-errc; err != nil {
				t.Errorf("Shutdown() = %v", err)
			}
		})
	}
}

const settleLoopback = 5 * time.Millisecond

// TestStopEmptiesTheQueue queues connections before Shutdown; each of them must be handed out.
func TestStopEmptiesTheQueue(t *testing.T) {
	dir := t.TempDir()
	for name, address := range map[string][2]string{
		"IPv4":          {"tcp", "127.0.0.1:0"},
		"IPv6":          {"tcp", "[::1]:0"},
		"every address": {"tcp", ":0"},
		"unix":          {"unix", filepath.Join(dir, "s")},
		"abstract":      {"unix", "@mainstay-test-stop"},
	} {
		for _, why := range []drain.Reason{drain.Stop, drain.None} {
			t.Run(name+" "+why.String(), func(t *testing.T) {
				ln := listen(t, socket.Config{}, address[0], address[1])
				dial(t, ln)
				accept(t, ln)
				const n = 100
				for range n {
					dial(t, ln)
				}
				errc := make(chan error)
				go func() { errc <- ln.Shutdown(drain.With(t.Context(), why)) }()
				if got, err := acceptUntil(ln); got != n || !errors.Is(err, net.ErrClosed) {
					t.Errorf("accepted %d, %v, want %d and ErrClosed", got, err, n)
				}
				if err := <-errc; err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
				if c, err := net.Dial(ln.Addr().Network(), ln.Addr().String()); err == nil {
					c.Close()
					t.Error("connected after Shutdown")
				}
			})
		}
	}
}

// TestStopLosesNothing stops listeners under clients that connect without pause: whoever connected is
// answered.
func TestStopLosesNothing(t *testing.T) {
	// All at once: each takes a second, as first packets that met the gate are sent again before they
	// are refused.
	var rounds sync.WaitGroup
	defer rounds.Wait()
	for range 20 {
		ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
		rounds.Go(func() { stopUnderLoad(t, ln) })
	}
}

func stopUnderLoad(t *testing.T, ln *socket.Listener) {
	var answered atomic.Int64
	var clients, server sync.WaitGroup
	defer clients.Wait()
	defer server.Wait()
	for range 8 {
		clients.Go(func() {
			for {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					return
				}
				if _, err := io.ReadAll(c); err != nil {
					t.Errorf("a connection was lost: %v", err)
				}
				answered.Add(1)
				c.Close()
			}
		})
	}
	server.Go(func() { acceptUntil(ln) })
	for answered.Load() < 50 {
		time.Sleep(time.Millisecond)
	}
	if err := ln.Shutdown(drain.With(t.Context(), drain.Stop)); err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
}

// TestStopHoldsNewConnectionsOff connects while the queue is being emptied: that must not add to it,
// or emptying it would never end.
func TestStopHoldsNewConnectionsOff(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		ln := listen(t, socket.Config{}, "tcp", net.JoinHostPort(host, "0"))
		dial(t, ln)
		accept(t, ln)
		const n = 10
		for range n {
			dial(t, ln)
		}
		errc := make(chan error)
		go func() { errc <- ln.Shutdown(drain.With(t.Context(), drain.Stop)) }()
		for !proc.Self().Table().List()[0].Closing {
			time.Sleep(time.Millisecond)
		}
		addr := ln.Addr().String() // waits until it has begun
		for range 10 {
			c, err := net.DialTimeout("tcp", addr, 20*time.Millisecond)
			if err == nil {
				c.Close()
				t.Error("connected while the queue is emptied")
			}
		}
		if got, err := acceptUntil(ln); got != n || !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepted %d, %v, want the %d from before and ErrClosed", got, err, n)
		}
		if err := <-errc; err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	}
}

func TestX15FileIsGoneWhenTheDrainBegins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln := listen(t, socket.Config{}, "unix", path)
	dial(t, ln)
	accept(t, ln)
	dial(t, ln)
	errc := make(chan error)
	go func() { errc <- ln.Shutdown(drain.With(t.Context(), drain.Stop)) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the file is there while the queue is drained")
		}
	}
	accept(t, ln)
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept() = %v, want ErrClosed", err)
	}
	if err := <-errc; err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
}

// TestSocketsNeverTurnBlocking watches the mode that all descriptors of a socket share while it is
// accepted from, drained and opened again.
func TestSocketsNeverTurnBlocking(t *testing.T) {
	s, err := bind.Bind(t.Context(), bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	none := bind.Passed
	bind.Passed = func() []bind.Inherited { return []bind.Inherited{{FD: s.FD, Name: "it"}} }
	defer func() { bind.Passed = none }()

	var done atomic.Bool
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for !done.Load() {
			flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(s.FD), syscall.F_GETFL, 0)
			if errno != 0 || flags&syscall.O_NONBLOCK == 0 {
				t.Errorf("the socket is blocking: flags %#x, %v", flags, errno)
				return
			}
		}
	})
	ln := listen(t, socket.Config{}, "systemd", "it")
	for i := range 100 {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		accept(t, ln).Close()
		c.Close()
		why := []drain.Reason{drain.Replace, drain.Stop}[i%2]
		var accepting sync.WaitGroup
		accepting.Go(func() { acceptUntil(ln) })
		if err := ln.Shutdown(drain.With(t.Context(), why)); err != nil {
			t.Fatal(err)
		}
		accepting.Wait()
		if err := ln.Reopen(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	watcher.Wait()
}

// TestWhoDoesNotAcceptIsNotWoken leaves a Listener unused: the runtime's poller must not know it.
func TestWhoDoesNotAcceptIsNotWoken(t *testing.T) {
	before := polled(t)
	listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	if after := polled(t); after != before {
		t.Errorf("the poller has %d descriptors, %d before Listen", after, before)
	}
}

// polled counts the descriptors in the epoll of this process.
func polled(t *testing.T) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, _ := os.Readlink(link); to != "anon_inode:[eventpoll]" {
			continue
		}
		data, err := os.ReadFile("/proc/self/fdinfo/" + filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(data), "tfd:")
	}
	return n
}

// A worker whose slot was removed may still accept when the launcher shuts the socket down. It waits for
// the drain that follows, and has no error to stop its services for.
func TestSocketThatListensNoMore(t *testing.T) {
	ln, err := socket.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan error, 1)
	go func() {
		_, err := ln.Accept()
		accepted <- err
	}()
	addr := ln.Addr().String()
	shut := func() {
		for _, listener := range proc.Self().Table().List() {
			if listener.Addr == addr {
				proc.Self().Table().Look(listener.Key, func(fd int) { err = syscall.Shutdown(fd, syscall.SHUT_RDWR) })
			}
		}
	}
	if shut(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("Dial = %v, want it refused: the socket listens no more", err)
	}
	select {
	case err := <-accepted:
		t.Fatalf("Accept = %v before the drain", err)
	case <-time.After(50 * time.Millisecond): // it would have failed at once
	}
	if err := ln.Shutdown(drain.With(t.Context(), drain.Shrink)); err != nil {
		t.Error(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v, want net.ErrClosed", err)
	}
}
