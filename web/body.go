// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"io"
	"net/http"
	"time"
)

// A body is the body of a request with a limit on the wait for each next piece. The limit holds from
// the beginning, also while net/http reads off what the handler left.
type body struct {
	io.ReadCloser
	reader  interface{ SetReadDeadline(time.Time) error } // net/http's http.ResponseWriter
	timeout time.Duration
	ended   bool // read to its end
}

// limitBody puts a body in the place of r.Body.
func limitBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) {
	if reader, ok := w.(interface{ SetReadDeadline(time.Time) error }); ok {
		b := &body{ReadCloser: r.Body, reader: reader, timeout: timeout}
		b.extend()
		r.Body = b
	}
}

func (b *body) extend() { b.reader.SetReadDeadline(time.Now().Add(b.timeout)) }

func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return b.ReadCloser.Read(p)
	}
	b.extend()
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended = true
		b.reader.SetReadDeadline(time.Time{})
	}
	return n, err
}

// leave is called when the handler has returned.
func (b *body) leave() {
	if !b.ended {
		b.extend()
	}
}
