// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// privately sets the mode of a socket before it is bound: its file then has that mode from the moment
// it appears.
func privately(_, _ string, c syscall.RawConn) error {
	var modeErr error
	err := c.Control(func(fd uintptr) { modeErr = syscall.Fchmod(int(fd), socketMode) })
	return errors.Join(err, modeErr)
}

// lockPoll is how often a taken lock is tried again: others hold it for a few system calls.
const (
	lockPoll     = 5 * time.Millisecond
	lockPatience = 5 * time.Second
)

// lockDir takes the lock of a directory, until unlock is called.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		// Non-blocking: a foreign holder of the lock must not hang our start.
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			f.Close()
			return nil, os.NewSyscallError("flock", err)
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			f.Close()
			return nil, errors.New("another program holds the lock of its directory")
		}
	}
}
