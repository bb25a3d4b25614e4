// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// nobody is the user without rights of most systems.
const nobody = 65534

// asUsers runs a test as root and as somebody without rights, or as who runs it if that is not root.
func asUsers(t *testing.T, test func(t *testing.T, privileged bool)) {
	if os.Geteuid() != 0 {
		test(t, false)
		return
	}
	t.Run("root", func(t *testing.T) { test(t, true) })
	t.Run("nobody", func(t *testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
				t.Error(errno)
				return
			}
			test(t, false)
		}()
		<-done
	})
}

// knock sends the first packet of a connection to addr and waits for nothing.
func knock(t *testing.T, addr string) (fd int) {
	t.Helper()
	to := netip.MustParseAddrPort(addr)
	family, sa := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	if to.Addr().Is4() {
		family, sa = syscall.AF_INET, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Connect(fd, sa); err != nil && err != syscall.EINPROGRESS {
		t.Fatalf("connect %s: %v", addr, err)
	}
	return fd
}

// waitQueue waits until n connections wait on fd.
func waitQueue(t *testing.T, fd, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, _ := queue(t, fd)
		if got == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections wait, want %d", got, n)
		}
	}
}

// families are the kinds of TCP listeners, and whence each is reached.
var families = map[string]struct {
	listen string
	dial   []string
}{
	"IPv4":          {"127.0.0.1", []string{"127.0.0.1"}},
	"IPv6":          {"::1", []string{"::1"}},
	"both families": {"", []string{"127.0.0.1", "::1"}},
}

// TestGate shuts and opens each kind of gate, as each kind of user: what was queued before stays,
// nothing comes while it is shut, and it can be had again.
func TestGate(t *testing.T) {
	for kind, shut := range bind.Gates {
		for family, c := range families {
			t.Run(kind+" over "+family, func(t *testing.T) {
				asUsers(t, func(t *testing.T, privileged bool) {
					s := mustBind(t, bind.Spec{Network: "tcp", Address: net.JoinHostPort(c.listen, "0")})
					if kind == "filter" && !privileged {
						if _, err := shut(s.FD); !errors.Is(err, syscall.EPERM) {
							t.Skipf("this kernel lets anybody have the filter: %v", err)
						}
						return
					}
					_, port, _ := net.SplitHostPort(s.Addr)
					queued := 0
					knockAll := func(times int) {
						for range times {
							for _, host := range c.dial {
								knock(t, net.JoinHostPort(host, port))
							}
						}
					}
					for range 2 { // a gate that was opened can be shut again
						knockAll(5)
						queued += 5 * len(c.dial)
						waitQueue(t, s.FD, queued)
						g, err := shut(s.FD)
						if err != nil {
							t.Fatal(err)
						}
						knockAll(20)
						if got, _ := queue(t, s.FD); got != queued {
							t.Fatalf("%d connections wait, want the %d from before the gate", got, queued)
						}
						if err := g.Open(s.FD); err != nil {
							t.Fatal(err)
						}
					}
				})
			})
		}
	}
}

// TestShutTakesTheFirstKindThereIs needs no privilege, alone at the address or not.
func TestShutTakesTheFirstKindThereIs(t *testing.T) {
	asUsers(t, func(t *testing.T, _ bool) {
		s := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
		for _, alone := range []bool{true, false} {
			g, err := bind.Shut(s.FD, s.Spec, alone)
			if err != nil {
				t.Fatal(err)
			}
			if ttl := sockopt(t, s.FD, syscall.IPPROTO_IP, 21); ttl != 255 {
				t.Errorf("minimum TTL is %d, want 255", ttl)
			}
			if err := g.Open(s.FD); err != nil {
				t.Fatal(err)
			}
			if ttl := sockopt(t, s.FD, syscall.IPPROTO_IP, 21); ttl != 0 {
				t.Errorf("minimum TTL is %d after Open, want 0", ttl)
			}
		}
	})
}

// TestAdmit undoes what connections inherit from the gate: without it they would be deaf.
func TestAdmit(t *testing.T) {
	for family, c := range families {
		t.Run(family, func(t *testing.T) {
			s := mustBind(t, bind.Spec{Network: "tcp", Address: net.JoinHostPort(c.listen, "0")})
			_, port, _ := net.SplitHostPort(s.Addr)
			for _, host := range c.dial {
				// The minimum that a connection gets when its listener has it; loopback's packets have 64.
				level, opt := syscall.IPPROTO_IP, 21
				if host == "::1" {
					level, opt = syscall.IPPROTO_IPV6, 73
				}
				for _, ttl := range []int{64, 0} {
					if err := syscall.SetsockoptInt(s.FD, level, opt, ttl); err != nil {
						t.Fatal(err)
					}
					client, err := net.Dial("tcp", net.JoinHostPort(host, port))
					if err != nil {
						t.Fatal(err)
					}
					defer client.Close()
					waitQueue(t, s.FD, 1)
					fd, _, err := syscall.Accept(s.FD)
					if err != nil {
						t.Fatal(err)
					}
					defer syscall.Close(fd)
					if got := sockopt(t, fd, level, opt); got != ttl {
						t.Fatalf("%s: a connection inherits %d, want %d", host, got, ttl)
					}
					syscall.SetsockoptInt(fd, level, opt, 255)
					bind.Admit(fd, host == "::1")
					io.WriteString(client, "x")
					if got := sockopt(t, fd, level, opt); got != 0 {
						t.Errorf("%s: minimum is %d after Admit, want 0", host, got)
					}
					if _, err := syscall.Read(fd, make([]byte, 1)); err != nil {
						t.Errorf("%s: Read() = %v", host, err)
					}
				}
			}
		})
	}
}

func TestGateIsForOurSocketsOnly(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	rc, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	unix := mustBind(t, bind.Spec{Network: "unix", Address: filepath.Join(t.TempDir(), "s")})
	check := func(fd int, spec bind.Spec) {
		if _, err := bind.Shut(fd, spec, true); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Shut() = %v, want ErrUnsupported", err)
		}
	}
	rc.Control(func(fd uintptr) { check(int(fd), bind.Spec{Network: "tcp"}) })
	check(unix.FD, unix.Spec)
}

// TestGateOfAnAbstractName counts who gets through while the queue is empty, and while it is not.
func TestGateOfAnAbstractName(t *testing.T) {
	name := fmt.Sprintf("@mainstay-gate-%d", os.Getpid())
	s := mustBind(t, bind.Spec{Network: "unix", Address: name, Backlog: 5})
	g, err := bind.Shut(s.FD, s.Spec, true)
	if err != nil {
		t.Fatal(err)
	}
	through := func() (n int) {
		for ; n < 100; n++ {
			c, err := net.Dial("unix", name)
			if errors.Is(err, syscall.EAGAIN) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
		return n
	}
	if n := through(); n != 1 {
		t.Errorf("%d connections came through the gate, want 1", n)
	}
	if n := through(); n != 0 {
		t.Errorf("%d connections came through the gate although one waits, want 0", n)
	}
	if err := g.Open(s.FD); err != nil {
		t.Fatal(err)
	}
	if n := through(); n != 5 { // and the one that waits is the one that the kernel adds
		t.Errorf("%d connections fit after Open, want 5", n)
	}
}
