// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/internal/wire"
)

func Example() {
	a, b, err := wire.Pair()
	if err != nil {
		panic(err)
	}
	launcher, worker := wire.NewConn(a), wire.NewConn(b)
	worker.Send(wire.Message{Type: wire.Hello, ID: 1, Version: wire.Version})
	m, _, _ := launcher.Receive()
	fmt.Println(m.Type, m.Version)
	worker.Close()
	_, _, err = launcher.Receive()
	fmt.Println(err)
	launcher.Close()
	// Output:
	// hello 1
	// EOF
}

func newPair(t *testing.T) (a, b *wire.Conn) {
	t.Helper()
	x, y, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	a, b = wire.NewConn(x), wire.NewConn(y)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func receive(t *testing.T, c *wire.Conn) (wire.Message, []int) {
	t.Helper()
	m, fds, err := c.Receive()
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	return m, fds
}

func send(t *testing.T, c *wire.Conn, m wire.Message, fds ...int) {
	t.Helper()
	if err := c.Send(m, fds...); err != nil {
		t.Fatal(err)
	}
}

func fdFlags(t *testing.T, fd, cmd int) int {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), uintptr(cmd), 0)
	if errno != 0 {
		t.Fatalf("fcntl of descriptor %d: %v", fd, errno)
	}
	return int(flags)
}

func openNull(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

func sameFile(t *testing.T, a, b int) bool {
	t.Helper()
	var x, y syscall.Stat_t
	if err := errors.Join(syscall.Fstat(a, &x), syscall.Fstat(b, &y)); err != nil {
		t.Fatal(err)
	}
	return x.Dev == y.Dev && x.Ino == y.Ino
}

func TestPairIsNonBlockingAndClosesOnExec(t *testing.T) {
	a, b, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range []int{a, b} {
		defer syscall.Close(fd)
		if fdFlags(t, fd, syscall.F_GETFD)&syscall.FD_CLOEXEC == 0 {
			t.Error("a descriptor stays open over exec")
		}
		if fdFlags(t, fd, syscall.F_GETFL)&syscall.O_NONBLOCK == 0 {
			t.Error("a descriptor blocks")
		}
	}
}

func TestMessagesBothWaysInOrder(t *testing.T) {
	a, b := newPair(t)
	for _, c := range [][2]*wire.Conn{{a, b}, {b, a}} {
		for i := range 20 {
			send(t, c[0], wire.Message{Type: wire.Log, Cut: i})
		}
		send(t, c[0], full)
		for i := range 20 {
			if m, _ := receive(t, c[1]); m.Cut != i {
				t.Fatalf("message %d came when %d was due", m.Cut, i)
			}
		}
		if m, fds := receive(t, c[1]); !reflect.DeepEqual(m, full) || fds != nil {
			t.Errorf("Receive() = %+v, %v, want %+v", m, fds, full)
		}
	}
}

func TestDescriptorsBothWays(t *testing.T) {
	a, b := newPair(t)
	for _, c := range [][2]*wire.Conn{{a, b}, {b, a}} {
		for _, n := range []int{1, 2, wire.MaxFDs} {
			var sent []int
			for range n {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				sent = append(sent, int(w.Fd()))
			}
			send(t, c[0], wire.Message{Type: wire.Offer}, sent...)
			_, got := receive(t, c[1])
			if len(got) != n {
				t.Fatalf("%d descriptors arrived, want %d", len(got), n)
			}
			for i, fd := range got {
				if !sameFile(t, fd, sent[i]) {
					t.Errorf("descriptor %d of %d is another file", i, n)
				}
				if fdFlags(t, fd, syscall.F_GETFD)&syscall.FD_CLOEXEC == 0 {
					t.Errorf("descriptor %d of %d stays open over exec", i, n)
				}
				syscall.Close(fd)
			}
			fdFlags(t, sent[0], syscall.F_GETFD) // still the sender's
		}
	}
}

func TestSendRefusesTooManyDescriptors(t *testing.T) {
	a, _ := newPair(t)
	fds := make([]int, wire.MaxFDs+1)
	if err := a.Send(wire.Message{Type: wire.Offer}, fds...); !errors.Is(err, wire.ErrDescriptors) {
		t.Errorf("Send of %d descriptors: %v, want %v", len(fds), err, wire.ErrDescriptors)
	}
}

func TestSendRefusesABadDescriptor(t *testing.T) {
	a, b := newPair(t)
	if err := a.Send(wire.Message{Type: wire.Offer}, 1<<20); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Send of no descriptor: %v, want %v", err, syscall.EBADF)
	}
	send(t, a, wire.Message{Type: wire.Ready})
	if m, _ := receive(t, b); m.Type != wire.Ready {
		t.Errorf("then %q arrived, want %q", m.Type, wire.Ready)
	}
}

func TestLargestPacketArrives(t *testing.T) {
	a, b := newPair(t)
	base, err := wire.Encode(&wire.Message{Type: wire.Log, Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", wire.MaxPacket-len(base)+1)
	send(t, a, wire.Message{Type: wire.Log, Text: text})
	if m, _ := receive(t, b); m.Text != text {
		t.Errorf("%d bytes of text arrived, want %d", len(m.Text), len(text))
	}
	if err := a.Send(wire.Message{Type: wire.Log, Text: text + "x"}); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("Send of one byte more: %v, want %v", err, wire.ErrTooLarge)
	}
}

func TestFullBuffer(t *testing.T) {
	a, b := newPair(t)
	sent := 0
	for {
		err := a.Send(wire.Message{Type: wire.Log, Cut: sent, Text: strings.Repeat("x", 1000)})
		if errors.Is(err, wire.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if sent++; sent > 1e6 {
			t.Fatal("the buffer never is full")
		}
	}
	for i := range sent {
		if m, _ := receive(t, b); m.Cut != i {
			t.Fatalf("message %d came when %d was due", m.Cut, i)
		}
	}
	send(t, a, wire.Message{Type: wire.Ready})
	if m, _ := receive(t, b); m.Type != wire.Ready {
		t.Errorf("%q arrived once there was room, want %q", m.Type, wire.Ready)
	}
}

func TestEndOfPeer(t *testing.T) {
	t.Run("after what it sent", func(t *testing.T) {
		a, b := newPair(t)
		send(t, a, wire.Message{Type: wire.Bye})
		a.Close()
		if m, _ := receive(t, b); m.Type != wire.Bye {
			t.Errorf("%q arrived, want %q", m.Type, wire.Bye)
		}
		for range 2 {
			if _, _, err := b.Receive(); err != io.EOF {
				t.Errorf("Receive: %v, want %v", err, io.EOF)
			}
		}
		if err := b.Send(wire.Message{Type: wire.Ready}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Send: %v, want %v", err, syscall.EPIPE)
		}
	})
	t.Run("that left our messages unread", func(t *testing.T) {
		a, b := newPair(t)
		send(t, a, wire.Message{Type: wire.Bye})
		send(t, b, wire.Message{Type: wire.Drain})
		a.Close()
		if m, _ := receive(t, b); m.Type != wire.Bye {
			t.Errorf("%q arrived, want %q", m.Type, wire.Bye)
		}
		if _, _, err := b.Receive(); err != io.EOF {
			t.Errorf("Receive: %v, want %v", err, io.EOF)
		}
	})
	t.Run("seen by Send first", func(t *testing.T) {
		a, b := newPair(t)
		send(t, b, wire.Message{Type: wire.Drain})
		a.Close()
		if err := b.Send(wire.Message{Type: wire.Ready}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Send: %v, want %v", err, syscall.EPIPE)
		}
		if _, _, err := b.Receive(); err != io.EOF {
			t.Errorf("Receive: %v, want %v", err, io.EOF)
		}
	})
}

func TestCloseEndsReceive(t *testing.T) {
	a, _ := newPair(t)
	done := make(chan error)
	go func() {
		_, _, err := a.Receive()
		done <- err
	}()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Receive: %v, want %v", err, os.ErrClosed)
	}
	if err := a.Send(wire.Message{Type: wire.Ready}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Send: %v, want %v", err, os.ErrClosed)
	}
	if a.Close() == nil {
		t.Error("a second Close succeeded")
	}
}

func TestNewConnOfNoDescriptor(t *testing.T) {
	c := wire.NewConn(-1)
	if err := c.Send(wire.Message{Type: wire.Ready}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Send: %v, want %v", err, syscall.EBADF)
	}
	if _, _, err := c.Receive(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Receive: %v, want %v", err, syscall.EBADF)
	}
	c.Close()
}

func TestConcurrentUse(t *testing.T) {
	const senders, each = 4, 150
	a, b := newPair(t)
	null := openNull(t)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				m := wire.Message{Type: wire.Log, Slot: s, Cut: i, Text: strings.Repeat("y", i)}
				for {
					err := a.Send(m, null)
					if err == nil {
						break
					}
					// Descriptors in flight are bounded like the peer's buffer.
					if !errors.Is(err, wire.ErrFull) && !errors.Is(err, syscall.ETOOMANYREFS) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	var next [senders]int
	for range senders * each {
		m, fds := receive(t, b)
		if m.Cut != next[m.Slot] || len(m.Text) != m.Cut || len(fds) != 1 {
			t.Fatalf("got message %d of sender %d with %d bytes and %d descriptors, want number %d",
				m.Cut, m.Slot, len(m.Text), len(fds), next[m.Slot])
		}
		next[m.Slot]++
		syscall.Close(fds[0])
	}
	wg.Wait()
}
