// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Linux's numbers that package syscall lacks on some architectures.
const (
	ipMinTTL              = 21
	ipv6MinHopCount       = 73
	soAttachReusePortCBPF = 51
)

// A Gate keeps new connections from a TCP listener while its queue is emptied for the last time.
// Their first packets are dropped, so the peer tries again a second later and is refused then, when
// the listener is closed; a handshake under way completes.
type Gate struct{ sink int }

// Shut puts a gate before the listener fd. It is a second socket in the listener's group that drops
// packets of a time to live under 255, and all new ones are steered to it. Unlike a minimum time to
// live on the listener itself nothing is inherited by connections, which other processes that
// accept from fd may not know to undo; unlike a packet filter it needs no privilege.
//
// The error is errors.ErrUnsupported for a socket that [Bind] did not make: whoever made it may
// serve on it after us.
func Shut(fd int) (*Gate, error) {
	reuse, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	family := syscall.AF_INET
	switch sa.(type) {
	case *syscall.SockaddrInet4:
	case *syscall.SockaddrInet6:
		family = syscall.AF_INET6
	default:
		reuse = 0
	}
	if reuse == 0 {
		return nil, fmt.Errorf("gate: %w", errors.ErrUnsupported)
	}
	sink, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := join(sink, fd, family, sa); err != nil {
		syscall.Close(sink)
		return nil, fmt.Errorf("gate: %w", err)
	}
	return &Gate{sink}, nil
}

// Open removes the gate. Close the listener before, if it is to be closed.
func (g *Gate) Open() { syscall.Close(g.sink) }

// join makes sink the next member of the group of fd, deaf, and steers to it. The listener is
// member 0; where siblings have gates of their own, member 1 is one of them all the same.
func join(sink, fd, family int, sa syscall.Sockaddr) error {
	type option struct{ level, name, value int }
	opts := []option{
		{syscall.SOL_SOCKET, soReusePort, 1},
		{syscall.IPPROTO_IP, ipMinTTL, 255},
	}
	if family == syscall.AF_INET6 {
		only, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY)
		if err != nil {
			return os.NewSyscallError("getsockopt", err)
		}
		opts = append(opts,
			option{syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only},
			option{syscall.IPPROTO_IPV6, ipv6MinHopCount, 255})
	}
	for _, o := range opts {
		if err := syscall.SetsockoptInt(sink, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if err := syscall.Bind(sink, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if err := syscall.Listen(sink, 1); err != nil {
		return os.NewSyscallError("listen", err)
	}
	return steer(fd, 1)
}

// steer sends new connections of fd's group to its member of that index. An index that nobody has
// is the kernel's own choice among the members.
func steer(fd int, index uint32) error {
	insn := syscall.SockFilter{Code: syscall.BPF_RET, K: index}
	prog := syscall.SockFprog{Len: 1, Filter: &insn}
	// The one call of package syscall that passes bytes as they are.
	raw := unsafe.String((*byte)(unsafe.Pointer(&prog)), unsafe.Sizeof(prog))
	err := syscall.SetsockoptString(fd, syscall.SOL_SOCKET, soAttachReusePortCBPF, raw)
	runtime.KeepAlive(&prog)
	return os.NewSyscallError("setsockopt", err)
}
