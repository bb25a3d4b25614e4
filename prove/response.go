// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds on what a server may send.
const (
	maxLine = 16 << 10 // a line of a head
	maxHead = 64 << 10 // a head
)

// A head is what an answer begins with.
type head struct {
	status  int
	minor   int   // of HTTP/1.x
	length  int64 // of the body; -1 if not said
	chunked bool
	closes  bool  // the server closes the connection after this answer
	count   int64 // what Prove-Count says: how often the request was executed; 0 if nothing
}

// A formError is an answer that is not HTTP/1.
type formError struct{ text string }

func (e *formError) Error() string { return e.text }

func malformed(format string, args ...any) error { return &formError{fmt.Sprintf(format, args...)} }

// readHead reads a head and the empty line behind it. An error before the first byte is that of the
// connection as it is; a later end of the connection is io.ErrUnexpectedEOF.
func readHead(in *bufio.Reader) (head, error) {
	h := head{length: -1}
	line, err := readLine(in)
	if err != nil {
		return h, err
	}
	if err := h.parseStatus(line); err != nil {
		return h, err
	}
	h.closes = h.minor == 0
	for size := len(line); ; size += len(line) {
		if line, err = readLine(in); err != nil {
			return h, noEnd(err)
		}
		if len(line) == 0 {
			return h, h.check()
		}
		if size > maxHead {
			return h, malformed("head over %d bytes", maxHead)
		}
		if err := h.field(line); err != nil {
			return h, err
		}
	}
}

// noEnd makes of an end of file one that comes too soon.
func noEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readLine returns a line without its end, valid until the next read.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, malformed("line over %d bytes: %.40q", len(line), line)
	case err != nil && len(line) > 0:
		return nil, noEnd(err)
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

func (h *head) parseStatus(line []byte) error {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1."))
	if !ok || len(rest) < 5 || rest[0] != '0' && rest[0] != '1' || rest[1] != ' ' || len(rest) > 5 && rest[5] != ' ' {
		return malformed("no status line: %.40q", line)
	}
	h.minor = int(rest[0] - '0')
	for _, c := range rest[2:5] {
		if c < '0' || c > '9' {
			return malformed("no status: %.40q", line)
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return malformed("no status: %.40q", line)
	}
	return nil
}

// field takes in a header line.
func (h *head) field(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
		return malformed("no header line: %.40q", line)
	}
	value = bytes.Trim(value, " \t")
	switch {
	case is(name, "Content-Length"):
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || h.length >= 0 && int64(n) != h.length {
			return malformed("Content-Length: %.40q", value)
		}
		h.length = int64(n)
	case is(name, "Transfer-Encoding"):
		if !is(value, "chunked") || h.chunked {
			return malformed("Transfer-Encoding: %.40q", value)
		}
		h.chunked = true
	case is(name, "Connection"):
		for word := range bytes.SplitSeq(value, []byte(",")) {
			switch word = bytes.Trim(word, " \t"); {
			case is(word, "close"):
				h.closes = true
			case is(word, "keep-alive") && h.minor == 0:
				h.closes = false
			}
		}
	case is(name, countHeader):
		n, err := strconv.ParseUint(string(value), 10, 31)
		if err != nil {
			return malformed("%s: %.40q", countHeader, value)
		}
		h.count = int64(n)
	}
	return nil
}

func is(b []byte, word string) bool { return len(b) == len(word) && bytes.EqualFold(b, []byte(word)) }

// check refuses what two readers may read in two ways, and settles where the body ends.
func (h *head) check() error {
	switch {
	case h.chunked && h.length >= 0:
		return malformed("both Transfer-Encoding and Content-Length")
	case h.chunked && h.minor == 0:
		return malformed("Transfer-Encoding in HTTP/1.0")
	case h.status < 200 || h.status == 204 || h.status == 304:
		h.length, h.chunked = 0, false
	case !h.chunked && h.length < 0:
		h.closes = true // the end of the connection is that of the body
	}
	return nil
}

// readBody gives take the pieces of a body as they come; they are valid until take returns.
func readBody(in *bufio.Reader, h head, take func([]byte)) error {
	switch {
	case h.chunked:
		return readChunks(in, take)
	case h.length >= 0:
		return readPiece(in, h.length, take)
	}
	err := readPiece(in, 1<<62, take)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// readPiece reads n bytes.
func readPiece(in *bufio.Reader, n int64, take func([]byte)) error {
	for n > 0 {
		if _, err := in.Peek(1); err != nil {
			return noEnd(err)
		}
		b, _ := in.Peek(int(min(n, int64(in.Buffered()))))
		take(b)
		in.Discard(len(b))
		n -= int64(len(b))
	}
	return nil
}

func readChunks(in *bufio.Reader, take func([]byte)) error {
	for {
		line, err := readLine(in)
		if err != nil {
			return noEnd(err)
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		n, perr := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 62)
		if perr != nil {
			return malformed("size of a chunk: %.40q", line)
		}
		if n == 0 {
			return readTrailer(in)
		}
		if err := readPiece(in, int64(n), take); err != nil {
			return err
		}
		if line, err = readLine(in); err != nil {
			return noEnd(err)
		}
		if len(line) > 0 {
			return malformed("behind a chunk: %.40q", line)
		}
	}
}

func readTrailer(in *bufio.Reader) error {
	for size := 0; ; {
		line, err := readLine(in)
		if err != nil {
			return noEnd(err)
		}
		if len(line) == 0 {
			return nil
		}
		if size += len(line); size > maxHead {
			return malformed("trailer over %d bytes", maxHead)
		}
	}
}
