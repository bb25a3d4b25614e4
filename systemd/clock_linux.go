// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"syscall"
	"unsafe"
)

const clockMonotonic = 1

// monotonic returns CLOCK_MONOTONIC in microseconds; false where it cannot be read.
func monotonic() (int64, bool) {
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano() / 1000, errno == 0
}
