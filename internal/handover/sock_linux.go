// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// errTruncated is in the error for a packet whose descriptors did not all arrive: this process has
// room for no more.
var errTruncated = errors.New("descriptors lost: no room in the table")

// crowdedPause is the time between two tries to send while the kernel has too many descriptors of
// this user in flight.
const crowdedPause = time.Millisecond

// Pair returns the two ends of a new channel, for [Hub.Successor] and [Hub.Predecessor]: descriptor
// numbers, close-on-exec and non-blocking, the caller's to close.
func Pair() (successor, predecessor int, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	return fds[0], fds[1], nil
}

// A sock is one end of a channel.
type sock struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte         // of the one who receives
	late sync.WaitGroup // what sendSoon left to goroutines

	sending sync.Mutex // the deadline is that of one call at a time
}

// newSock returns the sock on fd, which it owns; nil if that is no descriptor.
func newSock(fd int) *sock {
	syscall.SetNonblock(fd, true) // else the poller would not have it
	s := &sock{file: os.NewFile(uintptr(fd), "hand-over"), buf: make([]byte, maxPacket+1)}
	if s.file == nil {
		return nil
	}
	var err error
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil
	}
	return s
}

// send sends a packet, with the descriptor of a connection if there is one. It waits for room, though
// no longer than a peer may take to answer.
func (s *sock) send(b []byte, conn syscall.RawConn) error {
	if conn == nil {
		return s.sendWith(b, nil)
	}
	var err error
	// Not by its File or Fd, which would make the socket, that we share, blocking.
	if outer := conn.Control(func(fd uintptr) { err = s.sendWith(b, syscall.UnixRights(int(fd))) }); outer != nil {
		return outer
	}
	return err
}

func (s *sock) sendWith(b, rights []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	end := time.Now().Add(answerWait)
	s.file.SetWriteDeadline(end)
	for {
		var err error
		waitErr := s.raw.Write(func(fd uintptr) bool {
			err = sendmsg(int(fd), b, rights)
			return err != syscall.EAGAIN
		})
		switch {
		case waitErr != nil:
			return errors.Join(errSend, waitErr)
		case err == nil:
			return nil
		case err != syscall.ETOOMANYREFS && err != syscall.ENOBUFS && err != syscall.ENOMEM || time.Now().After(end):
			return errors.Join(errSend, os.NewSyscallError("sendmsg", err))
		}
		time.Sleep(crowdedPause)
	}
}

func sendmsg(fd int, b, rights []byte) error {
	for {
		err := syscall.Sendmsg(fd, b, rights, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return err
		}
	}
}

// sendSoon sends a packet at once if there is room, else when there is.
func (s *sock) sendSoon(b []byte) {
	var err error
	outer := s.raw.Control(func(fd uintptr) { err = sendmsg(int(fd), b, nil) })
	if outer == nil && err == syscall.EAGAIN {
		s.late.Go(func() { s.sendWith(b, nil) })
	}
}

// receive waits for the next packet, whose bytes are good until the next call; its descriptors, close-on-exec, are the caller's, also with an
// error. That is io.EOF when the peer has gone, and wraps errTruncated for a packet that lost
// descriptors.
func (s *sock) receive() (b []byte, fds []int, err error) {
	b = s.buf
	control := make([]byte, syscall.CmsgSpace(4*4))
	reset := false
	for {
		var n, controlLen, flags int
		waitErr := s.raw.Read(func(fd uintptr) bool {
			n, controlLen, flags, _, err = syscall.Recvmsg(int(fd), b, control, syscall.MSG_CMSG_CLOEXEC|syscall.MSG_DONTWAIT)
			return err != syscall.EAGAIN
		})
		switch {
		case waitErr != nil:
			return nil, nil, io.EOF // closed by us
		case err == syscall.EINTR:
			continue
		case err == syscall.ECONNRESET && !reset:
			reset = true // it went without reading all; what it had sent is still there
			continue
		case err != nil:
			return nil, nil, io.EOF
		}
		fds = rightsIn(control[:controlLen])
		switch {
		case n == 0 && len(fds) == 0:
			return nil, nil, io.EOF
		case flags&syscall.MSG_CTRUNC != 0:
			return b[:n], fds, errTruncated
		}
		return b[:n], fds, nil
	}
}

// rightsIn returns the descriptors in a control message, which the kernel wrote.
func rightsIn(control []byte) (fds []int) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		if rights, err := syscall.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, rights...)
		}
	}
	return fds
}

// shutdown ends the channel for both sides; what the peer had sent before can still be received.
func (s *sock) shutdown() {
	s.raw.Control(func(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

func (s *sock) close() {
	s.file.Close()
	s.late.Wait()
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
