// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/mainstay-go/mainstay/logging"
)

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Fd() // blocking, as an inherited standard error
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// A line is in the pipe when the call returns, also if many log at once.
func TestPipeIsSynchronous(t *testing.T) {
	r, w := pipe(t)
	l := open(t, logging.Options{DefaultFormat: short}, logging.Process{Stderr: w})
	lines := bufio.NewReader(r)
	for i := range 100 {
		l.Logger().Info(fmt.Sprint(i))
		if n := buffered(t, r); n == 0 && lines.Buffered() == 0 {
			t.Fatalf("line %d is not in the pipe", i)
		}
		if got, err := lines.ReadString('\n'); got != fmt.Sprintf("%d\n", i) {
			t.Fatalf("read %q, %v", got, err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				l.Logger().Info("a line")
			}
		})
	}
	for range 8 * 200 {
		if got, err := lines.ReadString('\n'); got != "a line\n" {
			t.Fatalf("read %q, %v", got, err)
		}
	}
	wg.Wait()
}

// buffered returns how many bytes are in a pipe.
func buffered(t *testing.T, f *os.File) int {
	t.Helper()
	var n int32
	const fionread = 0x541b
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), fionread, uintptr(unsafe.Pointer(&n))); errno != 0 {
		t.Fatal(errno)
	}
	return int(n)
}

// A pipe that nobody reads keeps the first line that does not fit waiting for a second, and nobody
// behind it. What is lost is counted, and the pipe says so when it is read again.
func TestPipeThatNobodyReads(t *testing.T) {
	r, w := pipe(t)
	l, err := logging.New(logging.Options{DefaultFormat: short}, logging.Process{Stderr: w})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	text := strings.Repeat("x", 1000)
	sent := 0
	for ; l.Lost() < 10; sent++ {
		l.Logger().Info(text)
	}
	if took := time.Since(begin); took < time.Second || took > limitOfWait {
		t.Errorf("%d lines took %v, want a second and a little", sent, took)
	}
	if sent < 1000 || sent > 3000 {
		t.Errorf("%d lines were taken before one was lost, want about 1 MiB of them", sent)
	}
	lines := bufio.NewReader(r)
	for n := 10; n < sent; n++ {
		if got, err := lines.ReadString('\n'); got != text+"\n" {
			t.Fatalf("line %d is %.20q, %v", n, got, err)
		}
	}
	if got, err := lines.ReadString('\n'); got != "log lines were lost count=10 option=use_stderr reason=\"nobody reads\"\n" {
		t.Errorf("read %q, %v, want the number of lines", got, err)
	}
	l.Logger().Info("again")
	if got, err := lines.ReadString('\n'); got != "again\n" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Close does not wait for ever either.
func TestCloseOfAFullPipe(t *testing.T) {
	r, w := pipe(t)
	l, err := logging.New(logging.Options{DefaultFormat: short}, logging.Process{Stderr: w})
	if err != nil {
		t.Fatal(err)
	}
	for range 70 {
		l.Logger().Info(strings.Repeat("x", 1000))
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "nobody reads") {
		t.Errorf("Close = %v, want that lines were not written", err)
	}
	io.CopyN(io.Discard, r, 70*1001) // lets its goroutine end
}

func TestColour(t *testing.T) {
	const red, cyan, off = "\x1b[01;31m", "\x1b[00;36m", "\x1b[00m"
	for name, c := range map[string]struct {
		o        logging.Options
		terminal bool
		want     string
	}{
		"terminal":                {logging.Options{LogColor: true, DefaultFormat: "%(levelname)s %(message)s%(name).0s"}, true, cyan + "INFO" + off + " x" + off + "\n" + red + "ERROR" + off + " y" + off + "\n"},
		"terminal, own colours":   {logging.Options{LogColor: true, DefaultFormat: "%(color)s%(levelname)s%(reset_color)s %(message)s%(name).0s"}, true, cyan + "INFO" + off + " x" + off + "\n" + red + "ERROR" + off + " y" + off + "\n"},
		"terminal, not asked for": {logging.Options{DefaultFormat: "%(color)s%(levelname)s %(message)s%(name).0s"}, true, "INFO x\nERROR y\n"},
		"terminal, JSON":          {logging.Options{LogColor: true, UseJSON: true}, true, "{"},
		"pipe":                    {logging.Options{LogColor: true, DefaultFormat: "%(color)s%(levelname)s %(message)s%(name).0s"}, false, "INFO x\nERROR y\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			if c.terminal {
				r, w = openTerminal(t)
			}
			l := open(t, c.o, logging.Process{Stderr: w})
			l.Logger().Info("x")
			l.Logger().Error("y")
			buf := make([]byte, 4096)
			got := ""
			for strings.Count(got, "\n") < 2 {
				n, err := r.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				got += strings.ReplaceAll(string(buf[:n]), "\r\n", "\n")
			}
			if got != c.want && !(c.want == "{" && strings.HasPrefix(got, "{") && !strings.Contains(got, "\x1b")) {
				t.Errorf("wrote %q, want %q", got, c.want)
			}
		})
	}
}

// A terminal gets colours, and the file beside it none.
func TestColourBesideAFile(t *testing.T) {
	path := t.TempDir() + "/p.log"
	r, w := openTerminal(t)
	l := open(t, logging.Options{LogColor: true, UseStderr: true, LogFile: path, DefaultFormat: "%(levelname)s %(message)s%(name).0s"}, logging.Process{Stderr: w})
	l.Logger().Info("x")
	buf := make([]byte, 100)
	n, err := r.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), "\x1b[") {
		t.Errorf("the terminal has %q, %v", buf[:n], err)
	}
	if got := read(t, path); got != "INFO x\n" {
		t.Errorf("the file has %q", got)
	}
}

// openTerminal makes a pseudo terminal and returns both sides of it.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	var unlock, number uint32
	for request, arg := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatalf("ioctl %x: %v", request, errno)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// TestConcurrent uses everything at once, for the race detector.
func TestConcurrent(t *testing.T) {
	path := t.TempDir() + "/p.log"
	_, w := openTerminal(t)
	l := open(t, logging.Options{LogFile: path, DefaultFormat: short}, logging.Process{Stderr: w})
	var wg sync.WaitGroup
	ctx := logging.WithRequestID(context.Background(), "req-1")
	for g := range 4 {
		wg.Go(func() {
			logger := logging.Named(l.Logger(), fmt.Sprint("n", g)).With("g", g)
			for i := range 500 {
				logger.WithGroup("x").Info("a", "i", i)
				logger.InfoContext(ctx, "b", slog.Group("y", "i", i), "stack", "s")
			}
		})
	}
	for i := range 100 {
		if err := l.Apply(logging.Options{Debug: i%2 == 0}); err != nil {
			t.Error(err)
		}
		if err := l.Reopen(ctx); err != nil {
			t.Error(err)
		}
		logging.Named(l.Logger(), fmt.Sprint("n", i))
	}
	wg.Wait()
	if n := strings.Count(read(t, path), "\n"); n != 4*500*3 {
		t.Errorf("%d lines, want %d", n, 4*500*3)
	}
}
