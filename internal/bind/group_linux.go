// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Made reports whether [Bind] made s, rather than somebody who may serve on it after us.
func (s *Socket) Made() bool { return s.made }

func (s *Socket) splits() bool { return s.made && s.Spec.Network != "unix" && !s.Spec.Shared }

// join makes another socket at the address of s.
func (s *Socket) join() (*Socket, error) {
	fd, err := beside(s.FD)
	if err != nil {
		return nil, s.Spec.wrap(err)
	}
	if err := listen(fd, s.Spec.Backlog); err != nil {
		syscall.Close(fd)
		return nil, s.Spec.wrap(err)
	}
	return &Socket{FD: fd, Spec: s.Spec, Addr: s.Addr, made: true}, nil
}

// end stops s from listening, whoever else has it open.
func (s *Socket) end() error {
	err := syscall.Shutdown(s.FD, syscall.SHUT_RDWR)
	if err == syscall.ENOTCONN { // it does not listen any more
		err = nil
	}
	return os.NewSyscallError("shutdown", err)
}

// choose has the kernel choose among the members that are true.
func (g *Group) choose(open []bool) error {
	err := attach(g.socks[0].FD, program(open))
	if len(g.socks) == 1 && errors.Is(err, syscall.EINVAL) {
		return nil // it is alone, and always was
	}
	return err
}

// Queued returns how many connections wait to be accepted.
func (s *Socket) Queued() (int, error) {
	// The call of package syscall that reads as many bytes of an option as it takes to get there.
	info, err := syscall.GetsockoptICMPv6Filter(s.FD, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt", err)
	}
	return int(info.Data[6]), nil // tcpi_unacked, which for a listener is its queue
}

// beside returns a socket bound to the address of fd, of the same kind, that does not listen yet.
func beside(fd int) (int, error) {
	sa, family, err := endpointOf(fd)
	if err != nil {
		return -1, err
	}
	type option struct{ level, name, value int }
	opts := []option{{syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1}, {syscall.SOL_SOCKET, soReusePort, 1}}
	if family == syscall.AF_INET6 {
		only, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY)
		if err != nil {
			return -1, os.NewSyscallError("getsockopt", err)
		}
		opts = append(opts, option{syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only})
	}
	next, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	for _, o := range opts {
		if err = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(next, o.level, o.name, o.value)); err != nil {
			break
		}
	}
	if err == nil {
		err = os.NewSyscallError("bind", syscall.Bind(next, sa))
	}
	if err != nil {
		syscall.Close(next)
		return -1, err
	}
	return next, nil
}

// endpointOf returns the address of a TCP socket that others may join.
func endpointOf(fd int) (sa syscall.Sockaddr, family int, err error) {
	if sa, err = syscall.Getsockname(fd); err != nil {
		return nil, 0, os.NewSyscallError("getsockname", err)
	}
	switch sa.(type) {
	case *syscall.SockaddrInet4:
		family = syscall.AF_INET
	case *syscall.SockaddrInet6:
		family = syscall.AF_INET6
	default:
		return nil, 0, fmt.Errorf("no TCP socket: %w", errors.ErrUnsupported)
	}
	reuse, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort)
	if err == nil && reuse == 0 {
		return nil, 0, fmt.Errorf("the socket of somebody else: %w", errors.ErrUnsupported)
	}
	return sa, family, os.NewSyscallError("getsockopt", err)
}
