// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/mainstay-go/mainstay/internal/bind"
)

const soReusePort = 15

func sockopt(t *testing.T, fd, level, opt int) int {
	t.Helper()
	v, err := syscall.GetsockoptInt(fd, level, opt)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// flags returns the descriptor and status flags of fd.
func flags(t *testing.T, fd int) (cloexec, nonblock bool) {
	t.Helper()
	get := func(cmd uintptr) uintptr {
		v, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), cmd, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
		return v
	}
	return get(syscall.F_GETFD)&syscall.FD_CLOEXEC != 0, get(syscall.F_GETFL)&syscall.O_NONBLOCK != 0
}

func TestWS10SocketOptions(t *testing.T) {
	s := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	for name, opt := range map[string]int{"SO_REUSEADDR": syscall.SO_REUSEADDR, "SO_REUSEPORT": soReusePort} {
		if sockopt(t, s.FD, syscall.SOL_SOCKET, opt) == 0 {
			t.Errorf("%s is off, want on", name)
		}
	}
	dup, err := s.Dup()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(dup)
	for _, fd := range []int{s.FD, dup} {
		if cloexec, nonblock := flags(t, fd); !cloexec || !nonblock {
			t.Errorf("descriptor %d: closed on exec %v, non-blocking %v, want both", fd, cloexec, nonblock)
		}
	}
}

// TestNoPollerKnowsTheSocket looks into every epoll of this process.
func TestNoPollerKnowsTheSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // the runtime's poller exists from here on
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	pollers := 0
	for _, e := range entries {
		if link, _ := os.Readlink("/proc/self/fd/" + e.Name()); link != "anon_inode:[eventpoll]" {
			continue
		}
		pollers++
		info, err := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(info)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" && f[1] == fmt.Sprint(s.FD) {
				t.Errorf("epoll %s has descriptor %d", e.Name(), s.FD)
			}
		}
	}
	if pollers == 0 {
		t.Error("found no epoll to look into")
	}
}

func TestBacklog(t *testing.T) {
	for want, backlog := range map[int]int{7: 7, somaxconn(t): 0} {
		s := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0", Backlog: backlog})
		if _, got := queue(t, s.FD); got != want {
			t.Errorf("Backlog %d: the kernel says %d, want %d", backlog, got, want)
		}
	}
}

func somaxconn(t *testing.T) (n int) {
	t.Helper()
	data, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Sscan(string(data), &n)
	return n
}

// queue returns how many connections wait on a TCP listener, and how many may.
func queue(t *testing.T, fd int) (length, backlog int) {
	t.Helper()
	var info [64]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return int(info[6]), int(info[7]) // tcpi_unacked and tcpi_sacked, which mean this in a listener
}

// TestManyBindersOneWins starts binders at the same moment: never may two of them share the port.
func TestManyBindersOneWins(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]", ""} {
		for range 100 {
			spec := bind.Spec{Network: "tcp", Address: host + ":" + freePort(t)}
			var wg sync.WaitGroup
			won := make(chan *bind.Socket, 8)
			start := make(chan bool)
			for range cap(won) {
				wg.Go(func() {
					<-start
					if s, err := bind.Bind(t.Context(), spec); err == nil {
						won <- s
					} else if !errors.Is(err, syscall.EADDRINUSE) {
						t.Error(err)
					}
				})
			}
			close(start)
			wg.Wait()
			close(won)
			if n := len(won); n != 1 {
				t.Errorf("%s: %d of %d binders got the port, want 1", spec.Address, n, cap(won))
			}
			for s := range won {
				s.Close()
			}
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	s, err := bind.Bind(t.Context(), bind.Spec{Network: "tcp", Address: ":0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// TestAMemberJoinsOnPurpose adds a second socket to the first, as slots and sinks do, and steers by
// index: the first is 0 although its option came after listen.
func TestAMemberJoinsOnPurpose(t *testing.T) {
	first := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1) })
	}}
	lc.SetMultipathTCP(false)
	second, err := lc.Listen(t.Context(), "tcp", first.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for want, index := range []uint32{0, 1} {
		before, _ := queue(t, first.FD)
		if err := bind.Steer(first.FD, index); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			c, err := net.Dial("tcp", first.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		after, _ := queue(t, first.FD)
		if got, want := after-before, 20*(1-want); got != want {
			t.Errorf("steered to %d: %d of 20 dials went to the first, want %d", index, got, want)
		}
	}
}

func TestRetryUntilTheAddressIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
		time.AfterFunc(2*time.Second, func() { first.Close() })
		start := time.Now()
		mustBind(t, bind.Spec{Network: "tcp", Address: first.Addr, RetryUntil: 30 * time.Second})
		if took := time.Since(start); took < 2*time.Second || took > 2*time.Second+100*time.Millisecond {
			t.Errorf("bound after %v, want within 100ms of 2s", took)
		}
	})
}

func TestRetryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
		spec := bind.Spec{Network: "tcp", Address: first.Addr, RetryUntil: 3 * time.Second}
		start := time.Now()
		if _, err := bind.Bind(t.Context(), spec); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Bind() = %v, want EADDRINUSE", err)
		}
		if took := time.Since(start); took < 2900*time.Millisecond || took > 3*time.Second {
			t.Errorf("gave up after %v, want 3s", took)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := bind.Bind(ctx, spec); !errors.Is(err, syscall.EADDRINUSE) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Bind() with a context that ends = %v, want EADDRINUSE and DeadlineExceeded", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("gave up after %v, want 1s", took)
		}
	})
}

func TestFromFD(t *testing.T) {
	s := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	fd, err := syscall.Dup(s.FD) // without FD_CLOEXEC, as descriptors arrive from others
	if err != nil {
		t.Fatal(err)
	}
	spec := bind.Spec{Network: "tcp", Address: "passed"}
	got, err := bind.FromFD(fd, spec)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Addr != s.Addr || got.Spec != spec || got.FD != fd {
		t.Errorf("FromFD(%d) = %+v, want the address %s", fd, got, s.Addr)
	}
	if cloexec, nonblock := flags(t, fd); !cloexec || !nonblock {
		t.Errorf("closed on exec %v, non-blocking %v, want both", cloexec, nonblock)
	}
}

func TestFromFDRefuses(t *testing.T) {
	socket := func(kind int) int {
		fd, err := syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(fd) })
		return fd
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, c := range map[string]struct {
		fd   int
		want string
	}{
		"a socket that does not listen": {socket(syscall.SOCK_STREAM), "not a listening socket"},
		"a datagram socket":             {socket(syscall.SOCK_DGRAM), "not a stream socket"},
		"a file":                        {int(null.Fd()), "socket operation on non-socket"},
		"nothing":                       {1 << 20, "bad file descriptor"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := bind.FromFD(c.fd, bind.Spec{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("FromFD() = %v, want %q", err, c.want)
			}
		})
	}
}
