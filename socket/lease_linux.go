// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// serve makes a listener of lease, with a descriptor of its own: it outlives the lease.
func serve(lease *proc.Lease) (net.Listener, error) {
	fd, err := lease.Dup()
	if err != nil {
		return nil, err
	}
	return fileListener(fd)
}

// fileListener makes a listener of fd and closes fd. The descriptor is non-blocking already, so
// neither os.NewFile nor net.FileListener change the mode, which siblings in Accept share.
func fileListener(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	return net.FileListener(f)
}

// acceptNow accepts without waiting, whatever the deadline of ln.
func acceptNow(ln net.Listener) (net.Conn, error) {
	rc, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	return acceptFrom(rc)
}

// acceptFrom accepts without waiting from a listening descriptor.
func acceptFrom(rc syscall.RawConn) (net.Conn, error) {
	fd := -1
	var errno error
	err := rc.Control(func(listener uintptr) {
		for {
			fd, _, errno = syscall.Accept4(int(listener), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
			if errno != syscall.EINTR && errno != syscall.ECONNABORTED {
				return
			}
		}
	})
	switch {
	case err != nil:
		return nil, err
	case errno == syscall.EAGAIN:
		return nil, errEmpty
	case errno != nil:
		return nil, os.NewSyscallError("accept4", errno)
	}
	f := os.NewFile(uintptr(fd), "connection")
	defer f.Close()
	return net.FileConn(f)
}

// Handshakes get this long, behind the gate, before the last look into the queue. Over loopback
// they are done before the peer's connect returns, and over unix sockets, whose file is gone, too.
const (
	settleTime     = 50 * time.Millisecond
	settleLoopback = 5 * time.Millisecond
	settleUnix     = time.Millisecond
)

// shut puts a gate before ln, where that can be, and returns it and how long handshakes under way take.
func shut(ln net.Listener, lease *proc.Lease) (gate *bind.Gate, settle time.Duration) {
	if lease.Own() {
		control(ln, func(fd int) { gate, _ = bind.Shut(fd, lease.Spec, lease.Alone()) })
	}
	a, tcp := ln.Addr().(*net.TCPAddr)
	switch {
	case !tcp:
		return gate, settleUnix
	case gate == nil:
		return nil, 0
	case a.IP.IsLoopback():
		return gate, settleLoopback
	}
	return gate, settleTime
}

// reopenGate lifts the gate before ln, if there is one.
func reopenGate(ln net.Listener, gate *bind.Gate) (err error) {
	if gate == nil {
		return nil
	}
	controlled := control(ln, func(fd int) { err = gate.Open(fd) })
	return errors.Join(controlled, err)
}

// admit lets a connection hear its peer that came from behind a gate.
func admit(c *net.TCPConn) {
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	rc.Control(func(fd uintptr) { bind.Admit(int(fd), ok && a.IP.To4() == nil) })
}

// control calls f with the descriptor of ln, which must stay as it is.
func control(ln net.Listener, f func(fd int)) error {
	rc, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return rc.Control(func(fd uintptr) { f(int(fd)) })
}
