// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// A responseWriter is what net/http gives for HTTP/1 and HTTP/2 alike.
type responseWriter interface {
	http.ResponseWriter
	io.StringWriter
	FlushError() error
}

// An exchange is a request with its answer: the http.ResponseWriter that handlers see. It is not used
// again for other requests, since a handler's goroutine may outlive its request and write then.
type exchange struct {
	responseWriter
	front    *front
	request  *http.Request
	length   int64         // of the body written
	started  time.Duration // since the front was made; only with an access log
	status   int32         // 0 until the answer has begun
	ticket   scoreboard.Ticket
	turn     bool
	hijacked bool
}

type exchange1 struct{ exchange }
type exchange2 struct{ exchange }

// open begins an exchange; the second value is it with all methods that w has.
func (f *front) open(w http.ResponseWriter, r *http.Request) (*exchange, http.ResponseWriter) {
	var x *exchange
	var out http.ResponseWriter
	if r.ProtoMajor == 2 {
		x2 := new(exchange2)
		x, out = &x2.exchange, x2
		f.streams.Add(1)
	} else {
		x1 := new(exchange1)
		x, out = &x1.exchange, x1
	}
	x.responseWriter = w.(responseWriter)
	x.front, x.request = f, r
	x.ticket = scoreboard.Current().Begin()
	if f.access != nil {
		x.started = time.Since(f.epoch)
	}
	if f.bodyTimeout > 0 && r.ContentLength != 0 {
		limitBody(w, r, f.bodyTimeout)
	}
	return x, out
}

// begin notes that an answer begins, the last moment to say that the connection closes after it.
func (x *exchange) begin(status int) {
	x.status = int32(status)
	if x.front.closing.Load() {
		x.Header().Set("Connection", "close")
	}
}

// WriteHeader begins the answer, unless status is informational or will be refused.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 && status <= 999 {
		x.begin(status)
	}
	x.responseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	n, err := x.responseWriter.Write(p)
	x.length += int64(n)
	return n, err
}

func (x *exchange) WriteString(s string) (int, error) {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	n, err := x.responseWriter.WriteString(s)
	x.length += int64(n)
	return n, err
}

func (x *exchange) Flush() { x.FlushError() }

func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	return x.responseWriter.FlushError()
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.responseWriter }

func (x *exchange1) ReadFrom(src io.Reader) (int64, error) {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	n, err := x.responseWriter.(io.ReaderFrom).ReadFrom(src)
	x.length += n
	return n, err
}

// Hijack gives the connection to the handler, without our wrapper where there is no TLS. The request
// then counts no more.
func (x *exchange1) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := x.responseWriter.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	x.hijacked = true
	x.keep()
	x.leave()
	if c, ok := nc.(*conn); ok {
		nc = c.Conn
	}
	return nc, rw, nil
}

func (x *exchange2) Push(target string, opts *http.PushOptions) error {
	return x.responseWriter.(http.Pusher).Push(target, opts)
}

// conn returns the connection of the exchange.
func (x *exchange) conn() *conn {
	c, _ := x.request.Context().Value(connKey{}).(*conn)
	return c
}

// keep notes that the handler has taken the connection over, release that it has returned.
func (x *exchange) keep() {
	if c := x.conn(); c != nil {
		c.run.mu.Lock()
		defer c.run.mu.Unlock()
		c.run.kept[c] = struct{}{}
	}
}

func (x *exchange) release() {
	if c := x.conn(); c != nil {
		c.run.mu.Lock()
		defer c.run.mu.Unlock()
		delete(c.run.kept, c)
	}
}
