// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// errNoPeer is of a connection whose other end is gone already: its addresses are not known any more.
var errNoPeer = errors.New("the client has gone")

// keepAlive are the options of a socket that net.FileConn sets to its own defaults.
var keepAlive = [...]struct{ level, name int }{
	{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT},
}

// connOf makes a connection of fd, which it owns. The options of the socket stay as they were.
func connOf(fd int) (net.Conn, error) {
	var was [len(keepAlive)]int
	tcp := true
	for i, o := range keepAlive {
		var err error
		if was[i], err = syscall.GetsockoptInt(fd, o.level, o.name); err != nil {
			tcp = false // a unix socket has none but the first
		}
	}
	f := os.NewFile(uintptr(fd), "connection")
	if f == nil {
		return nil, os.NewSyscallError("connection", syscall.EBADF)
	}
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, err
	}
	if nc.RemoteAddr() == nil || nc.LocalAddr() == nil {
		nc.Close()
		return nil, errNoPeer
	}
	if raw, err := nc.(syscall.Conn).SyscallConn(); tcp && err == nil {
		raw.Control(func(fd uintptr) {
			for i, o := range keepAlive {
				syscall.SetsockoptInt(int(fd), o.level, o.name, was[i])
			}
		})
	}
	return nc, nil
}
