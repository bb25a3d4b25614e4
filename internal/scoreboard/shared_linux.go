// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package scoreboard

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"github.com/mainstay-go/mainstay/internal/memfd"
)

// Create returns a board in shared memory and the descriptor (close-on-exec) from which another
// process opens it. The caller closes both; the board works on without the descriptor.
func Create() (*Board, int, error) {
	fd, err := memfd.Create("mainstay-scoreboard", pageSize)
	if err != nil {
		return nil, -1, fmt.Errorf("scoreboard: %w", err)
	}
	p, mapped, err := mapPage(fd)
	if err != nil {
		syscall.Close(fd)
		return nil, -1, err
	}
	p.format()
	return newBoard(p, mapped), fd, nil
}

// Open returns the board in the shared memory that fd names, and leaves fd to the caller. What is no
// scoreboard, or has another layout, is an error.
func Open(fd int) (*Board, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("scoreboard: %w", os.NewSyscallError("fstat", err))
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Size < pageSize { // touching what a file lacks kills
		return nil, fmt.Errorf("scoreboard: file of %d bytes, want %d", st.Size, pageSize)
	}
	p, mapped, err := mapPage(fd)
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		syscall.Munmap(mapped)
		return nil, err
	}
	return newBoard(p, mapped), nil
}

// Close gives the memory back. Nobody may count on the board any more; Read may still be called.
func (b *Board) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	mapped := b.mapped
	b.page, b.mapped = nil, nil
	if mapped == nil {
		return nil
	}
	return os.NewSyscallError("munmap", syscall.Munmap(mapped))
}

func mapPage(fd int) (*page, []byte, error) {
	mapped, err := syscall.Mmap(fd, 0, pageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("scoreboard: %w", os.NewSyscallError("mmap", err))
	}
	return (*page)(unsafe.Pointer(&mapped[0])), mapped, nil
}

func clockMonotonic() int64 {
	const clockMonotonic = 1
	var ts syscall.Timespec
	// It fails for an unknown clock only; zero then makes a clock of this process alone.
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}
