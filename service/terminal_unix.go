// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package service

import (
	"syscall"
	"unsafe"
)

// A terminal is the controlling terminal of this process, held open since the signals are owned: a
// descriptor of it goes on answering for the terminal that there was. nil is none.
type terminal struct{ fd int }

// openTerminal opens the controlling terminal, nil if there is none. The descriptor is a bare number:
// an os.File would have the runtime watch it.
func openTerminal() *terminal {
	for {
		fd, err := syscall.Open("/dev/tty", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return &terminal{fd}
		case syscall.EINTR:
			continue
		}
		return nil
	}
}

// gone reports whether there was a terminal and it has hung up: a query on it fails then. One that is
// there answers, also to a program in the background.
func (t *terminal) gone() bool {
	if t == nil {
		return false
	}
	var pgrp int32
	_, _, err := syscall.Syscall(syscall.SYS_IOCTL, uintptr(t.fd), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&pgrp)))
	// ENOTTY is what a terminal says that is not this session's any more.
	return err == syscall.EIO || err == syscall.ENXIO || err == syscall.ENOTTY
}

// close lets go of it; nil is fine.
func (t *terminal) close() {
	if t != nil {
		syscall.Close(t.fd)
	}
}
