// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"net"
	"os"
	"syscall"
)

// Dup returns a new descriptor of the socket, non-blocking and close-on-exec, that the caller owns. It
// may be called again, for a service that stopped and starts anew. A worker asks the launcher for the
// socket the first time, and so takes over the queue of its slot. The error is net.ErrClosed once the
// lease, or the socket, is closed, and [ErrLeft] if the launcher gives out no more sockets, as the worker
// is to end.
func (l *Lease) Dup() (int, error) {
	if l.table != nil {
		return l.table.dup(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.proc == nil:
		return -1, net.ErrClosed
	case l.proc.role == Probe:
		return -1, ErrNotServing
	}
	if l.fd < 0 {
		if err := l.acceptLocked(); err != nil {
			return -1, err
		}
	}
	return dup(l.fd)
}

func (t *Table) dup(l *Lease) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.ofLocked(l)
	if e == nil || e.sock == nil {
		return -1, net.ErrClosed
	}
	return e.sock.Dup()
}

// dup never passes through os.File, whose Fd would make the socket block for everyone.
func dup(fd int) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(n), nil
}

func closeFD(fd int) error { return os.NewSyscallError("close", syscall.Close(fd)) }

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
