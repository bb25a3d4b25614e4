// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"io"
	"os"
	"sync"
	"syscall"
)

// tailRead is how much is read at once, in bytes.
const tailRead = 8 << 10

// tailDrain bounds what drain reads, in bytes: the most that a pipe holds by default.
const tailDrain = 64 << 10

// A Tail reads the standard error of a child without a pause, so that the child never waits for this
// process. Its methods may be called from any goroutine.
type Tail struct {
	file *os.File
	raw  syscall.RawConn
	done chan struct{}

	mu    sync.Mutex // held while reading: whoever reads puts the bytes in order
	lines lines
	buf   [tailRead]byte
}

// newTail reads from fd, the non-blocking end of a pipe, which it owns, until all who hold the other
// end have closed it.
func newTail(fd int, w io.Writer) (*Tail, error) {
	t := &Tail{file: os.NewFile(uintptr(fd), "standard error of a child"), done: make(chan struct{})}
	raw, err := t.file.SyscallConn()
	if err != nil {
		t.file.Close()
		return nil, err
	}
	t.raw = raw
	t.lines.pass = func(p []byte) { w.Write(p) }
	go t.run()
	return t, nil
}

func (t *Tail) run() {
	defer close(t.done)
	defer t.file.Close()
	for {
		var n int
		var err error
		waitErr := t.raw.Read(func(fd uintptr) bool {
			n, err = t.pull(int(fd))
			return err != syscall.EAGAIN
		})
		if waitErr != nil || err != nil || n == 0 {
			break
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines.flush()
}

// pull reads what there is, 0 at the end.
func (t *Tail) pull(fd int) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		n, err := syscall.Read(fd, t.buf[:])
		if err == syscall.EINTR {
			continue
		}
		if n > 0 {
			t.lines.add(t.buf[:n])
		}
		return n, err
	}
}

// Lines returns the last lines that were written, at most 20 and 8 KiB. Called after the end of the
// process it has all that the process wrote.
func (t *Tail) Lines() []string {
	t.drain()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines.last()
}

// Crash returns the line with which the Go runtime announced a panic or a fatal error, as in "panic:
// boom"; the stacks after it are often more than Lines keeps. It is empty if there was none.
func (t *Tail) Crash() string {
	t.drain()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines.cry
}

// drain reads what is there, so that whoever asks after the end of the process needs not wait for run,
// nor for others who still hold the pipe.
func (t *Tail) drain() {
	t.raw.Control(func(fd uintptr) { // fails once run has read everything
		for sum := 0; sum < tailDrain; {
			n, err := t.pull(int(fd))
			if err != nil || n == 0 {
				break
			}
			sum += n
		}
	})
}

// Done returns a channel that is closed when nobody can write any more and all was passed on.
func (t *Tail) Done() <-chan struct{} { return t.done }
