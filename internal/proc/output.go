// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// outputQueue bounds what waits for a standard error that nobody reads, in bytes.
const outputQueue = 1 << 20

// An Output passes lines on to a file that may be slow, full or gone, without making those who write
// wait. Beyond [outputQueue] it drops the oldest and says so. Its methods may be called from any
// goroutine.
type Output struct {
	w io.Writer

	mu      sync.Mutex
	queue   [][]byte
	size    int
	dropped int           // lines since the last word about it
	idle    chan struct{} // closed when all is written; nil if it is
}

// NewOutput returns an Output to w, which alone writes to it. It needs no closing: its goroutine lives
// only while there is something to write.
func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// Write queues a copy of p, which holds whole lines. It never blocks and never fails.
func (o *Output) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, bytes.Clone(p))
	o.size += len(p)
	for o.size > outputQueue {
		o.dropped += bytes.Count(o.takeLocked(), []byte("\n"))
	}
	if o.idle == nil {
		o.idle = make(chan struct{})
		go o.run()
	}
	return len(p), nil
}

// Flush waits until all is written, at most for d; false says that something is left.
func (o *Output) Flush(d time.Duration) bool {
	o.mu.Lock()
	idle := o.idle
	o.mu.Unlock()
	if idle == nil {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}

// run writes until nothing is left.
func (o *Output) run() {
	for {
		p := o.next()
		if p == nil {
			return
		}
		o.w.Write(p) // what cannot be written is lost, there is nowhere to say so
	}
}

// next returns what is to be written now, nil at the end.
func (o *Output) next() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.dropped > 0:
		p := fmt.Appendf(nil, "mainstay: %d lines dropped, standard error is not read fast enough\n", o.dropped)
		o.dropped = 0
		return p
	case len(o.queue) > 0:
		return o.takeLocked()
	}
	close(o.idle)
	o.idle = nil
	return nil
}

func (o *Output) takeLocked() []byte {
	p := o.queue[0]
	o.queue[0] = nil
	o.queue = o.queue[1:]
	o.size -= len(p)
	return p
}

var stderr = NewOutput(stderrWriter{})

// Stderr returns the Output to this process's standard error, which all children share.
func Stderr() *Output { return stderr }
