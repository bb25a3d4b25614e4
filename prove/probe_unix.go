// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package prove

import (
	"net"
	"syscall"
)

// prober returns a function that looks at what has come on a socket, without taking it.
func prober(c net.Conn) func() state {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return func() state { return unknown }
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return func() state { return unknown }
	}
	var b [1]byte
	var found state
	look := func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		found = readable // also an error, which a read will say again
		if err == syscall.EAGAIN || err == syscall.EINTR {
			found = quiet
		}
	}
	return func() state {
		if raw.Control(look) != nil {
			return readable
		}
		return found
	}
}
