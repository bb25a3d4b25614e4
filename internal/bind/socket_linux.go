// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// A Socket is a listening stream socket that this process holds. FD is closed on exec, non-blocking
// and unknown to the runtime's poller; nobody else may close it.
type Socket struct {
	FD   int    // descriptor number
	Spec Spec   // what was asked for
	Addr string // real address, as one dials it

	made   bool  // bound here, so nobody else serves on it after us
	file   *file // of a unix socket bound here, nil otherwise
	closed sync.Once
}

// FromFD makes a Socket of a listening stream socket that somebody else bound, such as systemd. It
// makes fd close on exec and non-blocking, and owns it unless it returns an error. Its file, if it
// has one, is left alone by Close.
func FromFD(fd int, spec Spec) (*Socket, error) {
	addr, err := inspect(fd)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d for %s %s: %w", fd, spec.Network, spec.Address, err)
	}
	return &Socket{FD: fd, Spec: spec, Addr: addr}, nil
}

// inspect returns the address of fd if it is a socket to accept from, and sets it up as ours.
func inspect(fd int) (string, error) {
	switch kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE); {
	case err != nil:
		return "", os.NewSyscallError("getsockopt", err)
	case kind != syscall.SOCK_STREAM:
		return "", errors.New("not a stream socket")
	}
	switch listens, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); {
	case err != nil:
		return "", os.NewSyscallError("getsockopt", err)
	case listens == 0:
		return "", errors.New("not a listening socket")
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return "", os.NewSyscallError("fcntl", err)
	}
	return localAddr(fd)
}

// Dup returns another descriptor of the same socket, closed on exec, that the caller owns. Both
// share one accept queue, which lives as long as any of them.
func (s *Socket) Dup() (int, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(s.FD), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(fd), nil
}

// Close closes FD and removes the file of a unix socket that [Bind] made, if it is still that one.
// Only the first call does anything.
func (s *Socket) Close() error {
	var err error
	s.closed.Do(func() {
		// The file goes first: nobody shall find it and be refused, and it is ours for sure only
		// while FD is open.
		err = s.file.remove()
		err = errors.Join(err, os.NewSyscallError("close", syscall.Close(s.FD)))
	})
	return err
}

// localAddr returns the address that fd is bound to, as one dials it.
func localAddr(fd int) (string, error) {
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String(), nil
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.Itoa(int(sa.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(sa.Port)).String(), nil
	case *syscall.SockaddrUnix:
		return sa.Name, nil
	}
	return "", fmt.Errorf("address family of %T: want IPv4, IPv6 or unix", sa)
}
