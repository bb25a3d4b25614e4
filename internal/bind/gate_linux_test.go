// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind_test

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// knock sends the first packet of a connection to addr and waits for nothing.
func knock(t *testing.T, addr string) {
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

func TestGate(t *testing.T) {
	for name, c := range map[string]struct {
		listen string
		dial   []string
	}{
		"IPv4":          {"127.0.0.1", []string{"127.0.0.1"}},
		"IPv6":          {"::1", []string{"::1"}},
		"both families": {"", []string{"127.0.0.1", "::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustBind(t, bind.Spec{Network: "tcp", Address: net.JoinHostPort(c.listen, "0")})
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

				var gates []*bind.Gate
				for range 3 { // as siblings in other processes do
					g, err := bind.Shut(s.FD)
					if err != nil {
						t.Fatal(err)
					}
					gates = append(gates, g)
				}
				for _, g := range gates { // one left is enough
					knockAll(20)
					if got, _ := queue(t, s.FD); got != queued {
						t.Fatalf("%d connections wait, want the %d from before the gate", got, queued)
					}
					g.Open()
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
	check := func(fd uintptr) {
		if _, err := bind.Shut(int(fd)); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Shut() = %v, want ErrUnsupported", err)
		}
	}
	rc.Control(check)
	check(uintptr(unix.FD))
}
