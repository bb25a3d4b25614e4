// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
)

// sendBuffer is what a socket may hold for a peer that does not read, in bytes. The kernel may give
// less.
const sendBuffer = 512 << 10

// Pair returns the two ends of a new channel: descriptor numbers, close-on-exec and non-blocking, the
// caller's to close.
func Pair() (a, b int, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBuffer) // a wish
	}
	return fds[0], fds[1], nil
}

// A Conn is one end of a channel. Its methods may be called from any goroutine.
type Conn struct {
	file   *os.File
	raw    syscall.RawConn
	err    error // of setting up; reported by every method
	closed atomic.Bool
}

// NewConn returns the Conn on fd, one of [Pair]'s, which it owns from now on. A descriptor that is none
// makes every method fail.
func NewConn(fd int) *Conn {
	syscall.SetNonblock(fd, true) // else NewFile would not use the poller, and Receive block a thread
	c := &Conn{file: os.NewFile(uintptr(fd), "launcher channel")}
	if c.file == nil {
		c.err = os.NewSyscallError("channel", syscall.EBADF)
		return c
	}
	c.raw, c.err = c.file.SyscallConn()
	return c
}

// Send sends m with the descriptors fds, which stay the caller's. It never blocks: [ErrFull] says
// that the peer has to read first, syscall.EPIPE that it is gone, os.ErrClosed that c is closed.
// Other errors say that m cannot be sent at all.
func (c *Conn) Send(m Message, fds ...int) error {
	if err := c.send(&m, fds); err != nil {
		return fmt.Errorf("send %s: %w", m.Type, err)
	}
	return nil
}

func (c *Conn) send(m *Message, fds []int) error {
	if c.err != nil {
		return c.err
	}
	if len(fds) > MaxFDs {
		return fmt.Errorf("%w: %d in one packet, at most %d", ErrDescriptors, len(fds), MaxFDs)
	}
	p, err := encode(m)
	if err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	var sendErr error
	err = c.raw.Control(func(fd uintptr) {
		sendErr = retry(func() error {
			return syscall.Sendmsg(int(fd), p, rights, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
		})
	})
	switch {
	case err != nil:
		return c.fileErr(err)
	case sendErr == syscall.EAGAIN, sendErr == syscall.ENOBUFS:
		return ErrFull
	case sendErr == syscall.ECONNRESET:
		return os.NewSyscallError("sendmsg", syscall.EPIPE) // the peer went with our messages unread
	}
	return os.NewSyscallError("sendmsg", sendErr)
}

// Receive waits for the next message; its descriptors, close-on-exec, are the caller's. The error is
// [io.EOF] once the peer is gone and all it sent was read, and os.ErrClosed after Close. Two errors
// concern one packet, and the next may be received: with [ErrTooLarge] it is lost, with
// [ErrDescriptors] the message is returned without any descriptor. Packets that are no message are
// skipped.
func (c *Conn) Receive() (Message, []int, error) {
	for {
		p, fds, err := c.receive()
		m, ok := decode(p)
		switch {
		case err != nil:
			closeAll(fds)
			return m, nil, err
		case ok:
			return m, fds, nil
		}
		closeAll(fds)
	}
}

func (c *Conn) receive() (p []byte, fds []int, err error) {
	if c.err != nil {
		return nil, nil, c.err
	}
	waitErr := c.raw.Read(func(fd uintptr) bool {
		p, fds, err = receivePacket(int(fd))
		return err != syscall.EAGAIN
	})
	if waitErr != nil {
		return nil, fds, c.fileErr(waitErr)
	}
	return p, fds, err
}

// fileErr translates what a RawConn returns for a closed file, which no package exports.
func (c *Conn) fileErr(err error) error {
	if c.closed.Load() {
		return os.ErrClosed
	}
	return err
}

// receivePacket takes one packet off the socket, of the size that a first look tells.
func receivePacket(fd int) ([]byte, []int, error) {
	var n int
	if err := retry(func() (err error) {
		n, _, err = syscall.Recvfrom(fd, nil, syscall.MSG_PEEK|syscall.MSG_TRUNC)
		return err
	}); err != nil {
		return nil, nil, errno("recvfrom", err)
	}
	p := make([]byte, min(n, MaxPacket)+1) // never empty, which package syscall reads as a stream
	control := make([]byte, syscall.CmsgSpace(4*MaxFDs))
	var controlLen, flags int
	if err := retry(func() (err error) {
		n, controlLen, flags, _, err = syscall.Recvmsg(fd, p, control, syscall.MSG_CMSG_CLOEXEC)
		return err
	}); err != nil {
		return nil, nil, errno("recvmsg", err)
	}
	fds := parseRights(control[:controlLen])
	switch {
	case n == 0 && len(fds) == 0:
		return nil, nil, io.EOF
	case flags&syscall.MSG_TRUNC != 0 || n > MaxPacket:
		return nil, fds, ErrTooLarge
	case flags&syscall.MSG_CTRUNC != 0:
		return p[:n], fds, fmt.Errorf("%w: %d arrived", ErrDescriptors, len(fds))
	}
	return p[:n], fds, nil
}

// retry calls do again when a signal interrupted it, and once more when the peer left without reading
// what we sent: the kernel reports that before the packets that are still to be read.
func retry(do func() error) error {
	reset := false
	for {
		err := do()
		if err == syscall.EINTR || err == syscall.ECONNRESET && !reset {
			reset = err == syscall.ECONNRESET
			continue
		}
		return err
	}
}

// errno keeps EAGAIN bare, for the poller.
func errno(call string, err error) error {
	if err == syscall.EAGAIN {
		return err
	}
	return os.NewSyscallError(call, err)
}

// parseRights returns all descriptors in a control message, which the kernel wrote.
func parseRights(control []byte) (fds []int) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		rights, err := syscall.ParseUnixRights(&messages[i])
		if err == nil {
			fds = append(fds, rights...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

// Close closes this end: the peer reads what was sent and then [io.EOF]; a Receive under way returns
// os.ErrClosed. A second Close returns an error and does nothing.
func (c *Conn) Close() error {
	if c.file == nil {
		return c.err
	}
	c.closed.Store(true)
	return c.file.Close()
}
