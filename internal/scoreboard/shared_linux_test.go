// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package scoreboard_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/mainstay-go/mainstay/internal/memfd"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// pair returns a board as the launcher and as the worker have it.
func pair(t *testing.T) (launcher, worker *scoreboard.Board) {
	t.Helper()
	launcher, fd, err := scoreboard.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	worker, err = scoreboard.Open(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { launcher.Close(); worker.Close() })
	return launcher, worker
}

func TestSharedBoardIsSeenByTheOther(t *testing.T) {
	launcher, worker := pair(t)
	worker.Beat(42)
	worker.Begin()
	worker.End(worker.Begin())
	worker.AddLost(scoreboard.QueueLeft, 3)
	want := scoreboard.Counts{Beat: 42, Running: 1, Oldest: 42, Served: 1}
	want.Lost[scoreboard.QueueLeft] = 3
	if got := launcher.Read(); got != want {
		t.Errorf("Read() = %+v, want %+v", got, want)
	}
	if err := worker.Close(); err != nil {
		t.Fatal(err)
	}
	if got := launcher.Read(); got != want {
		t.Errorf("Read() after the worker's end = %+v, want %+v", got, want)
	}
}

func TestCreateReturnsASealedDescriptor(t *testing.T) {
	b, fd, err := scoreboard.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	defer syscall.Close(fd)
	if err := syscall.Ftruncate(fd, 0); err != syscall.EPERM {
		t.Errorf("shrinking it: %v, want %v", err, syscall.EPERM)
	}
	flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	if flags&syscall.FD_CLOEXEC == 0 {
		t.Error("the descriptor stays open over exec")
	}
}

func TestOpenRefusesWhatIsNoBoard(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T) int
		want string
	}{
		"no descriptor": {func(t *testing.T) int { return -1 }, "bad file descriptor"},
		"a device": {func(t *testing.T) int {
			fd, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}, "want 4096"},
		"too short": {func(t *testing.T) int { return memory(t, 100) }, "want 4096"},
		"zeros":     {func(t *testing.T) int { return memory(t, 4096) }, "no scoreboard"},
		"another version": {func(t *testing.T) int {
			b, fd, err := scoreboard.Create()
			if err != nil {
				t.Fatal(err)
			}
			b.Close()
			if _, err := syscall.Pwrite(fd, []byte{99}, 8); err != nil {
				t.Fatal(err)
			}
			return fd
		}, "version 99"},
	} {
		t.Run(name, func(t *testing.T) {
			fd := c.make(t)
			defer syscall.Close(fd)
			b, err := scoreboard.Open(fd)
			if err == nil {
				b.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open: %v, want an error with %q", err, c.want)
			}
		})
	}
}

func memory(t *testing.T, size int) int {
	t.Helper()
	fd, err := memfd.Create("test", size)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestMonotonicIsTheClockOfTheMachine(t *testing.T) {
	clock := func() int64 {
		const clockMonotonic = 1
		var ts syscall.Timespec
		syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
		return ts.Nano()
	}
	const slack = int64(50e6) // the two readings of the base may lie apart on a busy machine
	before := clock()
	got := scoreboard.Monotonic()
	after := clock()
	if got < before-slack || got > after+slack {
		t.Errorf("Monotonic() = %d, want between %d and %d", got, before, after)
	}
}
