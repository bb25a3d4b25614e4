// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && !386

package service

import (
	"syscall"
	"unsafe"
)

// queueOf returns how many connections wait in the queue of a listening TCP socket, and how many attempts
// to connect the kernel has dropped at it, most for a full queue. Both are 0 for other sockets. Unlike
// ListenOverflows in /proc/net/netstat, which is of the whole host, this is of the one socket, and needs
// no privilege.
func queueOf(fd int) (queue int, drops uint64) {
	const (
		soMeminfo = 55 // see socket(7): SO_MEMINFO
		backlog   = 24 // offset in struct tcp_info; unacked, of a listening socket the queue
	)
	var info [104]byte
	if getsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO, unsafe.Pointer(&info), len(info)) {
		queue = int(*(*uint32)(unsafe.Pointer(&info[backlog])))
	}
	var mem [9]uint32 // the last is SK_MEMINFO_DROPS
	if getsockopt(fd, syscall.SOL_SOCKET, soMeminfo, unsafe.Pointer(&mem), len(mem)*4) {
		drops = uint64(mem[8])
	}
	return queue, drops
}

// getsockopt reads an option of that size into p, and reports whether there is as much.
func getsockopt(fd, level, name int, p unsafe.Pointer, size int) bool {
	n := uint32(size)
	_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(p), uintptr(unsafe.Pointer(&n)), 0)
	return errno == 0 && int(n) == size
}
