// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// TimeoutOptions are for Timeout, in a group of the program's choice. The zero value is no limit.
type TimeoutOptions struct {
	RequestTimeout time.Duration `config:"request_timeout" default:"0" min:"0" unit:"seconds" help:"How long a request may take until its answer begins. 0 is without limit."`
}

// Timeout answers 504 for a handler that has begun no answer in time, and cancels the request's
// context whether it has or not; what the handler writes afterwards fails with
// http.ErrHandlerTimeout. Nothing is buffered, and no goroutine left behind: the request goes on to
// count, and its connection to wait, until the handler returns. One that took its connection over is
// only told by the context.
func Timeout(o TimeoutOptions) (Filter, error) {
	limit := o.RequestTimeout
	if limit < 0 {
		return nil, fmt.Errorf("request_timeout: %v is less than 0", limit)
	}
	if limit == 0 {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			defer cancel()
			x := &timedWriter{base: base{w}, request: r, header: w.Header().Clone()}
			if x.header == nil {
				x.header = make(http.Header)
			}
			fired := make(chan struct{})
			timer := time.AfterFunc(limit, func() {
				defer close(fired)
				x.expire()
			})
			defer func() { // also when a panic passes
				if !timer.Stop() {
					<-fired
				}
			}()
			next.ServeHTTP(shape(x, w), r.WithContext(ctx))
			x.end()
		})
	}, nil
}

// A timedWriter is used by a handler and a timer. The header is a copy until the answer begins: the
// handler changes it without asking anybody.
type timedWriter struct {
	base
	request *http.Request
	header  http.Header

	mu      sync.Mutex
	begun   bool
	expired bool
}

func (x *timedWriter) tracker() *response { return nil }

// Header is x's own also after the answer has begun, for trailers; end copies those.
func (x *timedWriter) Header() http.Header { return x.header }

// expire answers in the handler's place, if it has not begun to.
func (x *timedWriter) expire() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.begun {
		return
	}
	x.begun, x.expired = true, true
	slog.WarnContext(x.request.Context(), "a request took too long: answered 504", "method", x.request.Method, "url", x.request.RequestURI)
	rc := http.NewResponseController(x.ResponseWriter)
	// An answer waits for what reads the body. That may wait for the client: no longer.
	if x.request.ContentLength != 0 {
		rc.SetReadDeadline(time.Unix(1, 0))
		closeAfter(x.ResponseWriter, x.request)
	}
	Error(x.ResponseWriter, x.request, http.StatusGatewayTimeout, "")
	rc.Flush()
}

// beginLocked begins the handler's answer, unless the timer was first.
func (x *timedWriter) beginLocked() error {
	if x.expired {
		return http.ErrHandlerTimeout
	}
	if !x.begun {
		x.begun = true
		x.copyHeader()
	}
	return nil
}

func (x *timedWriter) copyHeader() {
	to := x.ResponseWriter.Header()
	clear(to)
	maps.Copy(to, x.header)
}

// end copies the header of an answer without a body, or what was added since: trailers.
func (x *timedWriter) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.expired {
		x.begun = true
		x.copyHeader()
	}
}

func (x *timedWriter) WriteHeader(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !final(status) {
		if !x.expired {
			x.copyHeader()
			x.ResponseWriter.WriteHeader(status)
		}
		return
	}
	if x.beginLocked() == nil {
		x.ResponseWriter.WriteHeader(status)
	}
}

func (x *timedWriter) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.beginLocked(); err != nil {
		return 0, err
	}
	return x.ResponseWriter.Write(p)
}

func (x *timedWriter) WriteString(s string) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.beginLocked(); err != nil {
		return 0, err
	}
	return io.WriteString(x.ResponseWriter, s)
}

// ReadFrom begins the answer when src has given something, and is out of the timer's way from then on.
func (x *timedWriter) ReadFrom(src io.Reader) (int64, error) {
	x.mu.Lock()
	begun, expired := x.begun, x.expired
	x.mu.Unlock()
	if to, ok := x.ResponseWriter.(io.ReaderFrom); ok && begun && !expired {
		return to.ReadFrom(src)
	}
	return io.Copy(onlyWriter{x}, src)
}

func (x *timedWriter) Flush() { x.FlushError() }

func (x *timedWriter) FlushError() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.beginLocked(); err != nil {
		return err
	}
	return x.base.FlushError()
}

func (x *timedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.expired {
		return nil, nil, http.ErrHandlerTimeout
	}
	nc, rw, err := x.base.Hijack()
	x.begun = x.begun || err == nil
	return nc, rw, err
}
