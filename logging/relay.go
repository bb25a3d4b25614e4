// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	relayPatience = time.Second // what a line waits for an output that takes nothing
	relayMax      = 1 << 20     // bytes that wait behind it
)

var errNobodyReads = errors.New("nobody reads")

// A relay writes to standard error. A pipe that nobody reads, or a terminal that was stopped, blocks
// whoever writes to it, and standard error belongs to others too, so that it cannot be made
// non-blocking. So a goroutine writes: whoever logs waits until its line is written, and no longer than
// relayPatience. From then on lines queue and nobody waits until the output moves again; what does not fit
// in the queue is lost, and counted.
//
// A regular file, and a writer that is no file, is written directly.
type relay struct {
	loss
	w       io.Writer
	direct  bool
	colours bool

	mu       sync.Mutex
	more     sync.Cond // for the goroutine: lines, or the end
	moved    sync.Cond // for those who wait: lines were written, or the output is stalled
	buf      []byte    // what waits
	waiting  int       // lines in buf
	queued   uint64    // lines so far
	done     uint64    // of them written, or failed
	busy     bool      // the goroutine is in a write
	stalled  bool      // and has been for too long
	closed   bool
	running  bool          // the goroutine
	ended    chan struct{} // closed when it has ended
	watchdog *time.Timer
}

func newRelay(l *Log, option string, w io.Writer, colours bool) *relay {
	r := &relay{loss: loss{log: l, option: option}, w: w, colours: colours, direct: true, ended: make(chan struct{})}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		r.direct = err == nil && info.Mode().IsRegular()
	}
	r.more.L, r.moved.L = &r.mu, &r.mu
	return r
}

func (r *relay) write(e *entry) {
	e.bytes(r.colours) // values may log themselves: not under the lock
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.putLocked(e) {
		return
	}
	for seq := r.queued; r.done < seq && !r.stalled; {
		r.moved.Wait()
	}
}

// enqueue is write that does not wait.
func (r *relay) enqueue(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.putLocked(e)
}

// putLocked queues a line, or writes it directly. It reports whether the line is in the queue.
func (r *relay) putLocked(e *entry) bool {
	b := e.bytes(r.colours)
	switch {
	case r.closed:
		r.log.lost.Add(1)
		return false
	case r.direct:
		r.deliver(e, r.writeLocked)
		return false
	case len(r.buf)+len(b) > relayMax && len(r.buf) > 0:
		r.lose(1, errNobodyReads)
		return false
	}
	if !r.running {
		r.running = true
		r.watchdog = time.AfterFunc(time.Hour, r.stall)
		r.watchdog.Stop()
		go r.run()
	}
	r.buf = append(r.buf, b...)
	r.waiting++
	r.queued++
	r.more.Signal()
	return true
}

// writeLocked writes an entry directly.
func (r *relay) writeLocked(e *entry) error {
	_, err := r.w.Write(e.bytes(r.colours))
	return err
}

// run writes what waits, until the relay is closed and nothing waits any more.
func (r *relay) run() {
	defer close(r.ended)
	var spare []byte
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for r.waiting == 0 && !r.closed {
			r.more.Wait()
		}
		if r.waiting == 0 {
			return
		}
		b, n := r.buf, r.waiting
		r.buf, r.waiting = spare[:0], 0
		r.busy = true
		r.watchdog.Reset(relayPatience)
		r.mu.Unlock()
		_, err := r.w.Write(b)
		r.mu.Lock()
		r.watchdog.Stop()
		r.done += uint64(n)
		r.busy, r.stalled = false, false
		if err != nil {
			r.lose(n, err)
		} else if e := r.regain(); e != nil {
			r.buf = append(r.buf, e.bytes(r.colours)...)
			r.waiting++
			r.queued++
			e.release()
		}
		r.moved.Broadcast()
		if spare = b; cap(spare) > maxKept {
			spare = nil
		}
	}
}

// stall lets go those who wait.
func (r *relay) stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.busy {
		return // the write has just ended
	}
	r.stalled = true
	r.moved.Broadcast()
}

func (r *relay) reopen() error { return nil }

// close waits for what waits, as long as a line does. A goroutine that hangs in the output stays there.
func (r *relay) close() error {
	r.mu.Lock()
	r.closed = true
	running := r.running
	r.more.Signal()
	r.mu.Unlock()
	if !running {
		return nil
	}
	timeout := time.NewTimer(relayPatience)
	defer timeout.Stop()
	select {
	case <-r.ended:
		return nil
	case <-timeout.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Errorf("standard error: %d lines not written: %w", r.queued-r.done, errNobodyReads)
}
