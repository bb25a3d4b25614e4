// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// Strange describes the descriptors that other code of this program has opened, each as in
// "fd 9, TCP to 10.0.0.1:3306": sockets, and files that it may write anywhere in. Called in a launcher
// before it starts anything, it names what main opened in vain, once more in each worker. Logs, which
// are appended to, pipes, devices and what was open when the program began are not worth a word.
func Strange() []string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	var fds []int
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > syscall.Stderr {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	known := self.table.descriptors()
	for _, p := range bind.Passed() {
		known = append(known, p.FD)
	}
	var list []string
	for _, fd := range fds {
		if slices.Contains(known, fd) || !closesOnExec(fd) {
			continue // without it, it was inherited: package os opens nothing that way
		}
		if what := describe(fd); what != "" {
			list = append(list, fmt.Sprintf("fd %d, %s", fd, what))
		}
	}
	return list
}

// descriptors returns the sockets of the table.
func (t *Table) descriptors() (fds []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries {
		if e.sock == nil {
			continue
		}
		for _, sock := range e.group.Sockets() {
			fds = append(fds, sock.FD)
		}
	}
	return fds
}

func closesOnExec(fd int) bool {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	return errno == 0 && flags&syscall.FD_CLOEXEC != 0
}

// describe returns nothing for a descriptor that nobody needs to know of.
func describe(fd int) string {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil {
		return "" // closed meanwhile
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFSOCK:
		return describeSocket(fd)
	case syscall.S_IFREG:
		return describeFile(fd)
	}
	return ""
}

func describeFile(fd int) string {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 || flags&syscall.O_ACCMODE == syscall.O_RDONLY || flags&syscall.O_APPEND != 0 {
		return ""
	}
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || strings.HasPrefix(path, "/memfd:mainstay-") || strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/") {
		return ""
	}
	return "file " + path
}

func describeSocket(fd int) string {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil {
		return ""
	}
	local, err := syscall.Getsockname(fd)
	if err != nil {
		return ""
	}
	name := "socket"
	switch local.(type) {
	case *syscall.SockaddrInet4, *syscall.SockaddrInet6:
		name = map[int]string{syscall.SOCK_STREAM: "TCP", syscall.SOCK_DGRAM: "UDP", syscall.SOCK_RAW: "raw IP"}[kind]
	case *syscall.SockaddrUnix:
		if kind == syscall.SOCK_SEQPACKET {
			return "" // our channels
		}
		name = "unix socket"
	}
	if listens, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err == nil && listens != 0 {
		return name + " listener on " + address(local)
	}
	if peer, err := syscall.Getpeername(fd); err == nil {
		return name + " to " + address(peer)
	}
	return name + " on " + address(local)
}

func address(sa syscall.Sockaddr) string {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)).String()
	case *syscall.SockaddrUnix:
		return cmp.Or(sa.Name, "no name")
	}
	return "an unknown address"
}
