// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import "sync/atomic"

// What a connection does.
const (
	opened   = iota // nothing was read yet
	idle            // nothing was read since the last answer
	begun           // something of a request was read
	working         // a request is handled or answered
	greeting        // TLS, before the first request
	ending          // told to end while opened, idle or greeting
	leaving         // told to leave this server while opened or idle
	moved           // left: the socket is somebody else's
	multiple        // HTTP/2, which GOAWAY ends
	taken           // hijacked by a handler
	answered        // for the last time: what comes now is read off
)

// A rule knows by what net/http does whether something of a request has reached it. Only while nothing
// has may a connection be ended, or be moved to another server: what is in a buffer of net/http would
// be lost with it. It reads no clock and touches no socket.
//
// Where a request begins, and where its header ends, is seen from the read deadlines that net/http
// sets after StateIdle: the first before it waits, unless the request is in its buffer already, the
// second before it reads on, the third with the header complete. Whether the buffer is empty is seen
// from the size of a read: net/http asks for as much as there is room.
//
// All methods but nudge and end are called by the goroutine that serves the connection, or by the one
// that watches for the end of its client, never by both at once.
type rule struct {
	state atomic.Int32
	steps int  // deadlines since StateIdle; 2 before the first request
	full  int  // size of the first read, which finds an empty buffer
	blind bool // reads do not come from net/http's buffer: there is TLS or HTTP/2 between
}

// reads notes that net/http is about to read size bytes, before anything else is asked about that read.
// If it has room for fewer than in an empty buffer, the first bytes of a request are there: one that was
// read to watch for the end of the client, or what came together with the request before.
func (r *rule) reads(size int) {
	switch {
	case r.full == 0:
		r.full = size
	case size < r.full && !r.blind:
		switch r.state.Load() {
		case idle, ending, leaving:
			// It may be told to end or to leave just now, but not the other way round.
			_ = r.state.CompareAndSwap(idle, begun) || r.state.CompareAndSwap(ending, begun) || r.state.CompareAndSwap(leaving, begun)
		}
	}
}

// arrived notes that bytes were read.
func (r *rule) arrived() {
	switch r.state.Load() {
	case opened, idle, ending, leaving:
		r.state.Store(begun)
	}
}

// sets notes that net/http sets a read deadline. It reports whether that is its first since the
// connection is idle, the one for the wait.
func (r *rule) sets() (waits bool) {
	switch r.state.Load() {
	case idle, begun, ending, leaving:
	default:
		return false
	}
	r.steps++
	switch {
	case r.steps == 2:
		r.state.Store(begun) // at least in the buffer of net/http
	case r.steps > 2:
		r.state.Store(working)
	}
	return r.steps == 1
}

// active notes that net/http has read a header.
func (r *rule) active() {
	if s := r.state.Load(); s != moved && s != multiple {
		r.state.Store(working)
	}
}

// rests notes that net/http has answered.
func (r *rule) rests() {
	r.steps = 0
	r.state.Store(idle)
}

// end reports whether the connection is to end with its next read, as nothing of a request has come.
func (r *rule) end() bool {
	for _, s := range [...]int32{opened, idle, greeting} {
		if r.state.CompareAndSwap(s, ending) {
			return true
		}
	}
	return false
}

// nudge reports whether the connection is to leave with its next read, if leaves says so.
func (r *rule) nudge() bool {
	return r.state.CompareAndSwap(idle, leaving) || r.state.CompareAndSwap(opened, leaving)
}

// leaves decides whether a connection does that was told to, when net/http reads size bytes. It does
// not if net/http behaves as no release did that this was written for.
func (r *rule) leaves(size int) bool {
	if size != r.full || r.steps == 0 {
		r.state.Store(idle)
		return false
	}
	r.state.Store(moved)
	return true
}
