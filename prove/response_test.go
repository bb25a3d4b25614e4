// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mainstay-go/mainstay/prove"
)

func TestReadAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		in     string
		status int
		body   string
		closes bool
		err    error // io.EOF, io.ErrUnexpectedEOF or any other for one of form
	}{
		"a length":                     {in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", status: 200, body: "hi"},
		"no reason phrase":             {in: "HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n", status: 500},
		"lines without CR":             {in: "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", status: 200, body: "hi"},
		"chunks":                       {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nh\r\n1\r\ni\r\n0\r\nMore: x\r\n\r\n", status: 200, body: "hi"},
		"to the end":                   {in: "HTTP/1.1 200 OK\r\n\r\nhi", status: 200, body: "hi", closes: true},
		"closing":                      {in: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", status: 200, closes: true},
		"HTTP/1.0":                     {in: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, closes: true},
		"HTTP/1.0, kept":               {in: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", status: 200},
		"no content":                   {in: "HTTP/1.1 204 No Content\r\n\r\nrest", status: 204},
		"the same length twice":        {in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x"},
		"nothing":                      {err: io.EOF},
		"half a line":                  {in: "HTTP/1.1 20", err: io.ErrUnexpectedEOF},
		"half a head":                  {in: "HTTP/1.1 200 OK\r\n", status: 200, err: io.ErrUnexpectedEOF},
		"half a body":                  {in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", status: 200, body: "h", err: io.ErrUnexpectedEOF},
		"no last chunk":                {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n", status: 200, body: "h", err: io.ErrUnexpectedEOF},
		"half a trailer":               {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", status: 200, err: io.ErrUnexpectedEOF},
		"two lengths":                  {in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", status: 200, err: errors.New("form")},
		"a length and chunks":          {in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", status: 200, err: errors.New("form")},
		"a length below 0":             {in: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", status: 200, err: errors.New("form")},
		"a length with a sign":         {in: "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", status: 200, err: errors.New("form")},
		"an encoding that is not ours": {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", status: 200, err: errors.New("form")},
		"a chunk of no size":           {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", status: 200, err: errors.New("form")},
		"a chunk that is too long":     {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n", status: 200, body: "h", err: errors.New("form")},
		"another protocol":             {in: "SSH-2.0-x\r\n", err: errors.New("form")},
		"a line over all bounds":       {in: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<15) + "\r\n\r\n", status: 200, err: errors.New("form")},
		"a head over all bounds":       {in: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1<<10)+"\r\n", 1<<7) + "\r\n", status: 200, err: errors.New("form")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				status, body, closes, err := prove.ReadAnswer(in)
				ofForm := err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
				if c.err == nil && err != nil || c.err != nil && !errors.Is(err, c.err) && !(ofForm && c.err.Error() == "form") {
					t.Fatalf("error %v, want %v", err, c.err)
				}
				if status != c.status || string(body) != c.body || err == nil && closes != c.closes {
					t.Errorf("%d %q, closes %t, want %d %q, %t", status, body, closes, c.status, c.body, c.closes)
				}
			}
		})
	}
}

// FuzzReadAnswer holds that an answer does not depend on how it comes, and that what net/http and we
// both take we take alike.
func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nh\r\n1\r\ni\r\n0\r\nMore: x\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nto the end"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		status, body, closes, err := prove.ReadAnswer(bytes.NewReader(b))
		status1, body1, closes1, err1 := prove.ReadAnswer(iotest.OneByteReader(bytes.NewReader(b)))
		if status != status1 || !bytes.Equal(body, body1) || closes != closes1 || (err == nil) != (err1 == nil) {
			t.Fatalf("%q at once: %d %q %t %v, by bytes: %d %q %t %v", b, status, body, closes, err, status1, body1, closes1, err1)
		}
		if err != nil {
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil || res.ProtoMinor > 1 {
			return
		}
		want, err := io.ReadAll(res.Body)
		if err == nil && (res.StatusCode != status || !bytes.Equal(want, body)) {
			t.Fatalf("%q: %d %q, net/http reads %d %q", b, status, body, res.StatusCode, want)
		}
	})
}
