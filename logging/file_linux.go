// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"os"
	"syscall"
)

// canFollow is whether files are followed and rotated on this system.
const canFollow = true

const nonblock = syscall.O_NONBLOCK

// An identity tells files apart.
type identity struct{ dev, ino uint64 }

// A fileStatus is what the system says of a file. It is filled in place: this is done for each line.
type fileStatus struct{ syscall.Stat_t }

func (st *fileStatus) ofPath(path string) error {
	for {
		if err := syscall.Stat(path, &st.Stat_t); err != syscall.EINTR {
			return err
		}
	}
}

func (st *fileStatus) ofFile(f *os.File) error {
	for {
		if err := syscall.Fstat(int(f.Fd()), &st.Stat_t); err != syscall.EINTR {
			return err
		}
	}
}

func (st *fileStatus) identity() identity { return identity{st.Dev, st.Ino} }
func (st *fileStatus) size() int64        { return st.Size }

// removed reports whether the file has no name any more.
func (st *fileStatus) removed() bool { return st.Nlink == 0 }

// tryLock takes a lock that ends with f, unless another process has it.
func tryLock(f *os.File) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case nil:
			return true, nil
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return false, nil
		default:
			return false, os.NewSyscallError("flock", err)
		}
	}
}
