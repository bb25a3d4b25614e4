// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package memfd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// What package syscall, frozen, does not know.
const (
	mfdCloexec      = 0x1
	mfdAllowSealing = 0x2
	fAddSeals       = 1033
	fGetSeals       = 1034
	sealSeal        = 0x1
	sealShrink      = 0x2
	sealGrow        = 0x4
	sealWrite       = 0x8
)

// Create returns a descriptor (close-on-exec, the caller's to close) of size zeroed bytes that both
// sides may map and write; the size is sealed, so no holder can make another fault by shrinking it.
// The name only shows in /proc.
func Create(name string, size int) (int, error) {
	return create(name, size, nil, sealShrink|sealGrow|sealSeal)
}

// Write returns a descriptor (close-on-exec, the caller's to close) that holds data and can never
// change again. The name only shows in /proc.
func Write(name string, data []byte) (int, error) {
	return create(name, len(data), data, sealShrink|sealGrow|sealWrite|sealSeal)
}

// Read returns all that a descriptor made by [Write] holds, without moving its offset, which other
// processes share. Anything else, and more than [MaxSize] bytes, is an error.
func Read(fd int) ([]byte, error) {
	seals, err := fcntl(fd, fGetSeals, 0)
	if err != nil || seals&sealWrite == 0 {
		return nil, errors.New("not a sealed memory file")
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Size > MaxSize {
		return nil, fmt.Errorf("memory file of %d bytes, at most %d are taken", st.Size, MaxSize)
	}
	data := make([]byte, st.Size)
	if err := all(data, func(p []byte, at int64) (int, error) { return syscall.Pread(fd, p, at) }); err != nil {
		return nil, os.NewSyscallError("pread", err)
	}
	return data, nil
}

func create(name string, size int, data []byte, seals int) (fd int, err error) {
	if fd, err = memfdCreate(name); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			syscall.Close(fd)
			fd = -1
		}
	}()
	if err := syscall.Ftruncate(fd, int64(size)); err != nil {
		return fd, os.NewSyscallError("ftruncate", err)
	}
	if err := all(data, func(p []byte, at int64) (int, error) { return syscall.Pwrite(fd, p, at) }); err != nil {
		return fd, os.NewSyscallError("pwrite", err)
	}
	if _, err := fcntl(fd, fAddSeals, seals); err != nil {
		return fd, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

// all repeats do until p is done, with the offset that p[0] has in the file.
func all(p []byte, do func(p []byte, at int64) (int, error)) error {
	for at := 0; at < len(p); {
		n, err := do(p[at:], int64(at))
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		default:
			at += n
		}
	}
	return nil
}

func memfdCreate(name string) (int, error) {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	nr, ok := sysMemfdCreate[runtime.GOARCH]
	if !ok {
		return -1, fmt.Errorf("memfd_create on %s: %w", runtime.GOARCH, errors.ErrUnsupported)
	}
	fd, _, errno := syscall.Syscall(nr, uintptr(unsafe.Pointer(p)), mfdCloexec|mfdAllowSealing, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("memfd_create", errno)
	}
	return int(fd), nil
}

// sysMemfdCreate is the number of the system call, newer than package syscall.
var sysMemfdCreate = map[string]uintptr{
	"386": 356, "amd64": 319, "arm": 385, "arm64": 279, "loong64": 279, "mips": 4354, "mipsle": 4354,
	"mips64": 5314, "mips64le": 5314, "ppc64": 360, "ppc64le": 360, "riscv64": 279, "s390x": 350,
}

func fcntl(fd, cmd, arg int) (int, error) {
	r, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(arg))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
