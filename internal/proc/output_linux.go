// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"syscall"
	"time"
)

// stderrPause is the time between two tries on a standard error that is full and does not block.
const stderrPause = 10 * time.Millisecond

// stderrWriter writes to descriptor 2, whatever that is now. os.Stderr would end the process when its
// reader is gone.
type stderrWriter struct{}

func (stderrWriter) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n, err := syscall.Write(syscall.Stderr, p[done:])
		switch err {
		case nil:
			done += n
		case syscall.EINTR:
		case syscall.EAGAIN: // somebody made it non-blocking; it is shared with other programs
			time.Sleep(stderrPause)
		default:
			return done, err
		}
	}
	return len(p), nil
}
