// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// A front stands between net/http and the handler: it refuses what is over a limit, lets requests
// take turns, and sees to it that each is answered, counted and logged. What it does for a plain
// request decides what supervision costs.
type front struct {
	next        http.Handler
	log         *slog.Logger
	maxURL      int
	maxLine     int
	turns       turns
	bodyTimeout time.Duration // 0 is without end
	access      *slog.Logger  // nil is no access log
	format      logFormat
	debug       bool
	epoch       time.Time // from which exchanges count

	closing  atomic.Bool  // answers tell clients that the connection closes
	farewell *farewell    // tells handlers of a drain
	streams  atomic.Int64 // HTTP/2 requests
	quiet    func()       // called when an HTTP/2 request, or a handler that took over, has ended in a drain
}

// ServeHTTP answers one request.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, out := f.open(w, r)
	defer x.close()
	switch {
	case len(r.RequestURI) > f.maxURL:
		x.refuse(http.StatusRequestURITooLong)
	case longLine(r, f.maxLine):
		x.refuse(http.StatusRequestHeaderFieldsTooLarge)
	case !f.turns.take(r.Context()):
		x.refuse(http.StatusServiceUnavailable)
	default:
		x.turn = true
		f.next.ServeHTTP(out, r)
	}
}

// longLine reports whether a line of r's header is longer than max.
func longLine(r *http.Request, max int) bool {
	if len("Host: ")+len(r.Host) > max {
		return true
	}
	for name, values := range r.Header {
		for _, v := range values {
			if len(name)+len(": ")+len(v) > max {
				return true
			}
		}
	}
	return false
}

// leave ends the part of the request that others wait for.
func (x *exchange) leave() {
	if x.turn {
		x.turn = false
		x.front.turns.giveBack()
	}
	scoreboard.Current().End(x.ticket)
	x.ticket = 0
}

// close ends the exchange. It is deferred by ServeHTTP, so that it sees a panic of the handler.
func (x *exchange) close() {
	failure := recover()
	if x.hijacked {
		x.release()
	}
	if b, ok := x.request.Body.(*body); ok {
		b.leave()
	}
	if x.status >= http.StatusInternalServerError || failure != nil && failure != http.ErrAbortHandler {
		scoreboard.Current().Fail(x.ticket)
	}
	x.leave()
	switch {
	case failure != nil && failure != http.ErrAbortHandler:
		failure = x.panicked(failure)
	case failure == nil && x.status == 0 && !x.hijacked:
		x.begin(http.StatusOK)
	}
	if x.front.access != nil {
		x.logAccess()
	}
	if x.request.ProtoMajor == 2 && x.front.streams.Add(-1) == 0 && x.front.closing.Load() || x.hijacked {
		x.front.quiet()
	}
	if failure != nil {
		panic(failure)
	}
}

// panicked logs a panic of the handler and answers 500, if nothing was answered yet. Else it returns
// what makes net/http end the connection, or the stream, so that the client sees a broken answer.
func (x *exchange) panicked(failure any) any {
	stack := debug.Stack()
	r := x.request
	x.front.log.ErrorContext(r.Context(), "handler panicked", "panic", fmt.Sprint(failure),
		"method", r.Method, "url", r.RequestURI, "client", r.RemoteAddr, "stack", string(stack))
	if x.status != 0 || x.hijacked {
		scoreboard.Current().AddLost(scoreboard.Panic, 1)
		return http.ErrAbortHandler
	}
	var body []byte
	if x.front.debug {
		body = fmt.Appendf(nil, "panic: %v\n\n%s", failure, stack)
	}
	h := x.Header()
	clear(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(http.StatusInternalServerError)
	x.Write(body)
	return nil
}

// refuse answers without a body. It closes an HTTP/1 connection, whose client is not to be trusted to
// have sent a request that ends where it says.
func (x *exchange) refuse(status int) {
	h := x.Header()
	if x.request.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	h.Set("Content-Length", "0")
	x.WriteHeader(status)
}
