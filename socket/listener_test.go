// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/socket"
)

// listen returns a Listener that is closed after the test.
func listen(t testing.TB, config socket.Config, network, address string) *socket.Listener {
	t.Helper()
	ln, err := config.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// hold makes the program keep its sockets for the length of the test, as a launcher does.
func hold(t testing.TB) {
	t.Helper()
	table := proc.Self().Table()
	table.Hold(true)
	t.Cleanup(func() {
		table.Hold(false)
		table.CloseAll()
	})
}

// dial connects to ln and closes after the test.
func dial(t testing.TB, ln net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// accept returns the next connection, closed after the test.
func accept(t testing.TB, ln net.Listener) net.Conn {
	t.Helper()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// acceptUntil counts what ln accepts until it fails, and closes it all.
func acceptUntil(ln net.Listener) (n int, err error) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return n, err
		}
		c.Close()
		n++
	}
}

func TestWS08PortZeroIsARealPort(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || addr.Port == 0 || !addr.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("Addr() = %v, want 127.0.0.1 and a real port", ln.Addr())
	}
	dial(t, ln)
	if c := accept(t, ln); c.LocalAddr().String() != ln.Addr().String() {
		t.Errorf("accepted on %v, want %v", c.LocalAddr(), ln.Addr())
	}
}

func TestWS09IPv6(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "[::1]:0")
	if !strings.HasPrefix(ln.Addr().String(), "[::1]:") {
		t.Errorf("Addr() = %v, want [::1]", ln.Addr())
	}
	dial(t, ln)
	accept(t, ln)
}

func TestWS10AliveAfterStartDeadAfterStop(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	dial(t, ln)
	accept(t, ln)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		c.Close()
		t.Error("connected after Close")
	}
}

func TestWS11UnixPathAndMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln := listen(t, socket.Config{Mode: 0o644}, "unix", path)
	if a := ln.Addr(); a.Network() != "unix" || a.String() != path {
		t.Errorf("Addr() = %v %v, want unix %v", a.Network(), a, path)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode = %v, %v, want 0644", info.Mode(), err)
	}
	dial(t, ln)
	accept(t, ln)
	ln.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lstat() = %v after Close, want no file", err)
	}
}

func TestListenRefuses(t *testing.T) {
	taken := listen(t, socket.Config{}, "tcp", "127.0.0.1:0").Addr().String()
	for name, c := range map[string]struct {
		config           socket.Config
		network, address string
		want             string
	}{
		"an address that is taken":     {socket.Config{}, "tcp", taken, taken},
		"a host that does not resolve": {socket.Config{}, "tcp", "no-such-host.invalid:80", "no-such-host.invalid"},
		"a network of datagrams":       {socket.Config{}, "udp", ":0", `"udp"`},
		"a passed socket without one":  {socket.Config{}, "systemd", "web", "LISTEN_FDS"},
		"a negative backlog":           {socket.Config{Backlog: -1}, "tcp", ":0", "backlog"},
		"a negative window":            {socket.Config{RetryUntilWindow: -1}, "tcp", ":0", "retry_until_window"},
		"a mode that is a file's type": {socket.Config{Mode: fs.ModeDir}, "unix", "@x", "mode"},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := c.config.Listen(t.Context(), c.network, c.address)
			if err == nil {
				ln.Close()
				t.Fatal("Listen() = nil error")
			}
			if msg := err.Error(); !strings.Contains(msg, c.want) || strings.Contains(msg, "\n") {
				t.Errorf("Listen() = %q, want one line with %q", msg, c.want)
			}
		})
	}
	if _, err := socket.Listen(t.Context(), "tcp", taken); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen(%s) = %v, want EADDRINUSE", taken, err)
	}
}

func TestRetryUntilWindow(t *testing.T) {
	first := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	type result struct {
		ln  *socket.Listener
		err error
	}
	second := make(chan result)
	go func() {
		config := socket.Config{RetryUntilWindow: time.Minute}
		ln, err := config.Listen(t.Context(), "tcp", first.Addr().String())
		second <- result{ln, err}
	}()
	first.Close()
	r := <-second
	if r.err != nil {
		t.Fatal(r.err)
	}
	r.ln.Close()
}

func TestCloseWakesAccept(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	dial(t, ln)
	accept(t, ln)
	errc := make(chan error)
	for range 3 {
		go func() {
			_, err := ln.Accept()
			errc <- err
		}()
	}
	for range 2 {
		if err := ln.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	for range 3 {
		if err := <-errc; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept() = %v, want ErrClosed", err)
		}
	}
}

func TestReopen(t *testing.T) {
	hold(t)
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	addr := ln.Addr().String()
	end := map[string]func() error{
		"Close":    ln.Close,
		"Shutdown": func() error { return ln.Shutdown(drain.With(t.Context(), drain.Replace)) },
	}
	for name, end := range end {
		dial(t, ln)
		accept(t, ln)
		if err := end(); err != nil {
			t.Fatalf("%s() = %v", name, err)
		}
		queued := dial(t, ln) // the program keeps the socket
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Accept() after %s = %v, want ErrClosed", name, err)
		}
		for range 2 {
			if err := ln.Reopen(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := accept(t, ln).RemoteAddr().String(); got != queued.LocalAddr().String() {
			t.Errorf("accepted %s after %s, want %s from the queue", got, name, queued.LocalAddr())
		}
		if got := ln.Addr().String(); got != addr {
			t.Errorf("Addr() = %s, want %s as before", got, addr)
		}
	}
}

func TestReopenOfAFreedAddress(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	ln.Close()
	if err := ln.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	dial(t, ln)
	accept(t, ln)
}

// TestReplaceLeavesTheQueue has connections wait while the listener is shut down for a successor.
func TestReplaceLeavesTheQueue(t *testing.T) {
	hold(t)
	for _, why := range []drain.Reason{drain.Replace, drain.Shrink} {
		ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
		dial(t, ln)
		accept(t, ln)
		const n = 50
		for range n {
			dial(t, ln)
		}
		if err := ln.Shutdown(drain.With(t.Context(), why)); err != nil {
			t.Fatal(err)
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept() = %v, want ErrClosed", err)
		}
		if err := ln.Reopen(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range n {
			accept(t, ln)
		}
		ln.Close()
	}
}

func TestShutdownBeforeTheFirstAccept(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	if err := ln.Shutdown(drain.With(t.Context(), drain.Stop)); err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept() = %v, want ErrClosed", err)
	}
	if err := ln.Shutdown(t.Context()); err != nil {
		t.Errorf("second Shutdown() = %v", err)
	}
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	dial(t, ln)
	accept(t, ln)
	dial(t, ln) // waits in the queue, nobody accepts
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("too late"))
	defer cancel()
	if err := ln.Shutdown(ctx); err == nil || err.Error() != "too late" {
		t.Errorf("Shutdown() = %v, want the cause of its context", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept() = %v, want ErrClosed", err)
	}
}

func TestCloseEndsShutdown(t *testing.T) {
	ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	dial(t, ln)
	accept(t, ln)
	errc := make(chan error)
	go func() { errc <- ln.Shutdown(t.Context()) }()
	ln.Close()
	if err := <-errc; err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
}

func TestManyAcceptAndShutdown(t *testing.T) {
	for range 20 {
		ln := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
		dial(t, ln)
		accept(t, ln)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := acceptUntil(ln); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Accept() = %v, want ErrClosed", err)
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				if err := ln.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
			})
		}
		wg.Wait()
	}
}
