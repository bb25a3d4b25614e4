// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package memfd_test

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/internal/memfd"
)

func TestWriteReadRoundTrip(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing": {},
		"a word":  []byte("word"),
		"a lot":   bytes.Repeat([]byte("0123456789abcdef"), 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			fd, err := memfd.Write("test", data)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(fd)
			for range 2 { // twice: the offset must not move
				got, err := memfd.Read(fd)
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("Read = %d bytes, %v, want %d bytes", len(got), err, len(data))
				}
			}
			if _, err := syscall.Pwrite(fd, []byte("x"), 0); err != syscall.EPERM {
				t.Errorf("writing to it: %v, want %v", err, syscall.EPERM)
			}
		})
	}
}

func TestCreateHasAFixedSize(t *testing.T) {
	fd, err := memfd.Create("test", 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	for _, size := range []int64{0, 4095, 8192} {
		if err := syscall.Ftruncate(fd, size); err != syscall.EPERM {
			t.Errorf("Ftruncate to %d = %v, want %v", size, err, syscall.EPERM)
		}
	}
	if _, err := syscall.Pwrite(fd, []byte("x"), 4095); err != nil {
		t.Errorf("writing to it: %v", err)
	}
	if _, err := memfd.Read(fd); err == nil {
		t.Error("Read of a file that may still change succeeded")
	}
}

func TestReadRefusesOtherFiles(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := memfd.Read(int(f.Fd())); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("Read of /dev/null: %v, want an error that says it is not sealed", err)
	}
	if _, err := memfd.Read(-1); err == nil {
		t.Error("Read of no descriptor succeeded")
	}
}

func TestDescriptorsCloseOnExec(t *testing.T) {
	a, err := memfd.Create("test", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(a)
	b, err := memfd.Write("test", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(b)
	for _, fd := range []int{a, b} {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("descriptor flags %#x, %v, want FD_CLOEXEC", flags, errno)
		}
	}
}
