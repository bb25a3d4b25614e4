// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service

import "syscall"

// dupFD returns a duplicate of fd that is closed on exec.
func dupFD(fd int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	n, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(n)
	}
	return n, err
}

// closeAll closes descriptors that came with a message.
func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
