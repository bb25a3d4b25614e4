// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"sync/atomic"
)

// SizeLimitOptions are oslo.middleware's, for the group oslo_middleware. The zero value is not the
// default: that is in the tags.
type SizeLimitOptions struct {
	MaxRequestBodySize int64 `config:"max_request_body_size" default:"114688" min:"0" unit:"bytes" deprecated:"DEFAULT.osapi_max_request_body_size,DEFAULT.max_request_body_size" help:"The maximum body size for each request, in bytes."`
}

// RequestBodySizeLimiter is oslo.middleware's: a request whose body is longer is answered 413, at once
// if its header says so. A body of unknown length is cut there: reading fails with
// *http.MaxBytesError, and whatever the handler answers then, if it had not begun, the client gets 413.
func RequestBodySizeLimiter(o SizeLimitOptions) (Filter, error) {
	limit := o.MaxRequestBodySize
	if limit < 0 {
		return nil, fmt.Errorf("max_request_body_size: %d is less than 0", limit)
	}
	text := strconv.FormatInt(limit, 10)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.ContentLength > limit:
				why := "Request is too large. Larger than max_request_body_size (" + text + ")."
				slog.InfoContext(r.Context(), why)
				closeAfter(w, r)
				Error(w, r, http.StatusRequestEntityTooLarge, why)
			case r.ContentLength < 0:
				body := &limitedBody{ReadCloser: r.Body, left: limit, limit: limit}
				x := &limitedWriter{base: base{w}, request: r, body: body, outer: w.Header().Clone(),
					why: "Request is too large. Larger than " + text + "."}
				r2 := *r
				r2.Body = body
				next.ServeHTTP(shape(x, w), &r2)
				if body.over.Load() && !x.begun {
					x.refuse()
				}
			default: // the server holds a body to the length in the header
				next.ServeHTTP(w, r)
			}
		})
	}, nil
}

// closeAfter tells an HTTP/1 client that its connection ends with this answer: the rest of the body is
// not worth reading.
func closeAfter(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		w.Header().Set("Connection", "close")
	}
}

// A limitedBody fails once more than the limit was read. The handler reads it, from one goroutine at a
// time.
type limitedBody struct {
	io.ReadCloser
	left, limit int64
	over        atomic.Bool // more came; the handler may read and write in two goroutines
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.over.Load() {
		return 0, &http.MaxBytesError{Limit: b.limit}
	}
	if int64(len(p)) > b.left+1 { // one more tells whether there is more
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.over.Store(true)
		b.left = 0
		return n, &http.MaxBytesError{Limit: b.limit}
	}
	b.left -= int64(n)
	return n, err
}

// A limitedWriter puts 413 in the place of an answer that begins after its request was too large.
type limitedWriter struct {
	base
	request *http.Request
	body    *limitedBody
	outer   http.Header // what was set before the handler was called
	why     string
	begun   bool // the answer of the handler, or ours
	refused bool // ours; that of the handler is thrown away
}

func (x *limitedWriter) tracker() *response { return nil }

func (x *limitedWriter) refuse() {
	x.begun, x.refused = true, true
	h := x.Header()
	clear(h)
	maps.Copy(h, x.outer)
	closeAfter(x.ResponseWriter, x.request)
	Error(x.ResponseWriter, x.request, http.StatusRequestEntityTooLarge, x.why)
}

// begin reports whether the handler's answer goes on.
func (x *limitedWriter) begin() bool {
	if !x.begun && x.body.over.Load() {
		x.refuse()
	}
	x.begun = true
	return !x.refused
}

func (x *limitedWriter) WriteHeader(status int) {
	if !final(status) || x.begin() {
		x.ResponseWriter.WriteHeader(status)
	}
}

func (x *limitedWriter) Write(p []byte) (int, error) {
	if !x.begin() {
		return len(p), nil
	}
	return x.ResponseWriter.Write(p)
}

func (x *limitedWriter) WriteString(s string) (int, error) {
	if !x.begin() {
		return len(s), nil
	}
	return io.WriteString(x.ResponseWriter, s)
}

// ReadFrom must look at each part: src may be the body itself.
func (x *limitedWriter) ReadFrom(src io.Reader) (int64, error) {
	if x.begun && !x.refused {
		if to, ok := x.ResponseWriter.(io.ReaderFrom); ok {
			return to.ReadFrom(src)
		}
	}
	return io.Copy(onlyWriter{x}, src)
}

func (x *limitedWriter) Flush() { x.FlushError() }

func (x *limitedWriter) FlushError() error {
	x.begin()
	return x.base.FlushError()
}
