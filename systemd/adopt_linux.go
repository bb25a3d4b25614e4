// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd

import "syscall"

// adopt makes fd close-on-exec and non-blocking; false if it was not passed. Without close-on-exec
// every grandchild would hold the port open after this program has ended.
func adopt(fd int) bool {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	// A descriptor that is close-on-exec already cannot have come through exec: the manager announced
	// more than it passed, and this process, or the Go runtime, has taken the number since.
	if errno != 0 || flags&syscall.FD_CLOEXEC != 0 {
		return false
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return false
	}
	syscall.CloseOnExec(fd)
	return true
}
