// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// sysPidfdOpen is the same number on every architecture that Go knows.
const sysPidfdOpen = 434

// A departure waits for the end of processes that are not our children. It sleeps in the kernel: to
// look again and again would take the time of the servers that are measured meanwhile.
type departure struct {
	epoll int
	fds   []int
	left  int
}

// watch begins to wait for processes; those that are gone count as such. Call close in the end.
func watch(pids []int) (*departure, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	d := &departure{epoll: epoll}
	for _, pid := range pids {
		fd, _, errno := syscall.RawSyscall(sysPidfdOpen, uintptr(pid), 0, 0)
		if errno == syscall.ESRCH {
			continue
		}
		if errno == 0 {
			d.fds = append(d.fds, int(fd))
			err = syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, int(fd),
				&syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLONESHOT, Fd: int32(fd)})
		}
		if errno != 0 || err != nil {
			d.close()
			return nil, fmt.Errorf("watch process %d: %w", pid, errors.Join(errnoErr(errno), err))
		}
		d.left++
	}
	return d, nil
}

// errnoErr is nil for 0, which as an Errno is not.
func errnoErr(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// wait waits until all have ended, but no longer than limit.
func (d *departure) wait(limit time.Duration) error {
	events := make([]syscall.EpollEvent, max(len(d.fds), 1))
	for deadline := time.Now().Add(limit); d.left > 0; {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("%d processes still there after %v", d.left, limit)
		}
		n, err := syscall.EpollWait(d.epoll, events, int(left/time.Millisecond)+1)
		if err != nil && err != syscall.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		d.left -= max(n, 0)
	}
	return nil
}

func (d *departure) close() {
	for _, fd := range d.fds {
		syscall.Close(fd)
	}
	syscall.Close(d.epoll)
}
