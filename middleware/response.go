// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// A writer is what every wrapper of a response writer here has; what else it has says shape.
type writer interface {
	http.ResponseWriter
	io.StringWriter
	io.ReaderFrom
	Unwrap() http.ResponseWriter
	tracker() *response
}

type flusher interface {
	Flush()
	FlushError() error
}

// A full writer has all methods; those that the writer below lacks are hidden by shape.
type full interface {
	writer
	flusher
	http.Hijacker
	http.Pusher
}

type flushWriter struct {
	writer
	flusher
}

type hijackWriter struct {
	writer
	flusher
	http.Hijacker
}

type pushWriter struct {
	writer
	flusher
	http.Pusher
}

// shape returns out with the optional methods that w has, so that a handler that asks by an assertion
// hears the truth. ReadFrom and WriteString need no hiding: they do the same as Write.
func shape(out full, w http.ResponseWriter) http.ResponseWriter {
	if !has[http.Flusher](w) && !has[interface{ FlushError() error }](w) {
		return struct{ writer }{out}
	}
	if has[http.Hijacker](w) {
		return &hijackWriter{out, out, out}
	}
	if has[http.Pusher](w) {
		return &pushWriter{out, out, out}
	}
	return &flushWriter{out, out}
}

// has reports whether w, or what it wraps, has the methods of T.
func has[T any](w http.ResponseWriter) bool {
	_, ok := find[T](w)
	return ok
}

// find returns the first of w and what it wraps that has the methods of T.
func find[T any](w http.ResponseWriter) (T, bool) {
	for {
		if t, ok := w.(T); ok {
			return t, true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			var none T
			return none, false
		}
		w = u.Unwrap()
	}
}

// A base passes everything on to the writer that it wraps; wrappers embed it and replace methods.
type base struct{ http.ResponseWriter }

func (b base) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b base) FlushError() error { return http.NewResponseController(b.ResponseWriter).Flush() }

func (b base) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(b.ResponseWriter).Hijack()
}

func (b base) Push(target string, opts *http.PushOptions) error {
	if p, ok := find[http.Pusher](b.ResponseWriter); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}

// onlyWriter hides ReadFrom from io.Copy.
type onlyWriter struct{ io.Writer }

// final reports whether a status is that of an answer and not of information before it.
func final(status int) bool { return status >= 200 || status == http.StatusSwitchingProtocols }

// A response tells what became of an answer, and lets filters change its header at the last moment.
// One serves all filters of a pipeline that stand next to each other.
type response struct {
	base
	status   int   // 0 until the answer has begun
	length   int64 // of the body written
	hijacked bool
	id       string                                 // what RequestID has set; a handler's own replaces it
	idNames  []string                               // in these headers
	before   []func(header http.Header, status int) // run once, the last one first, just before the header goes out
}

// track returns the response of w and the writer to give to the handler.
func track(w http.ResponseWriter) (*response, http.ResponseWriter) {
	if t, ok := w.(interface{ tracker() *response }); ok {
		if x := t.tracker(); x != nil {
			return x, w
		}
	}
	t := &tracked{response: response{base: base{w}}}
	if _, ok := w.(connWriter); ok { // HTTP/1: what shape would make, in the same allocation
		t.shaped = hijackWriter{&t.response, &t.response, &t.response}
		return &t.response, &t.shaped
	}
	return &t.response, shape(&t.response, w)
}

type tracked struct {
	response
	shaped hijackWriter
}

// A connWriter is what net/http has for HTTP/1.
type connWriter interface {
	http.Flusher
	http.Hijacker
}

func (x *response) tracker() *response { return x }

// begun reports whether it is too late for another answer.
func (x *response) begun() bool { return x.status != 0 || x.hijacked }

func (x *response) begin(status int) {
	x.status = status
	for i := len(x.before) - 1; i >= 0; i-- {
		x.before[i](x.Header(), status)
	}
	x.before = nil
	for _, name := range x.idNames {
		if values := x.Header()[name]; len(values) > 1 && values[0] == x.id {
			x.Header()[name] = values[1:]
		}
	}
}

func (x *response) WriteHeader(status int) {
	if x.status == 0 && final(status) {
		x.begin(status)
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *response) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	n, err := x.ResponseWriter.Write(p)
	x.length += int64(n)
	return n, err
}

func (x *response) WriteString(s string) (int, error) {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	n, err := io.WriteString(x.ResponseWriter, s)
	x.length += int64(n)
	return n, err
}

func (x *response) ReadFrom(src io.Reader) (int64, error) {
	to, ok := x.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(onlyWriter{x}, src)
	}
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	n, err := to.ReadFrom(src)
	x.length += n
	return n, err
}

func (x *response) Flush() { x.FlushError() }

func (x *response) FlushError() error {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	return x.base.FlushError()
}

func (x *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := x.base.Hijack()
	x.hijacked = err == nil
	return nc, rw, err
}

// end runs what waits for a header that the handler left to the server.
func (x *response) end() {
	if !x.begun() {
		x.begin(http.StatusOK)
	}
}
