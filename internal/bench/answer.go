// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxHead bounds the head of an answer.
const maxHead = 16 << 10

// An answer is one HTTP/1.1 response at the beginning of a buffer.
type answer struct {
	status int
	body   []byte // part of the buffer
	size   int    // of head and body
	close  bool   // the server closes the connection after it
}

// errMore says that an answer is not complete yet.
var errMore = errors.New("answer incomplete")

var (
	crlf     = []byte("\r\n")
	headEnd  = []byte("\r\n\r\n")
	version1 = []byte("HTTP/1.1 ")
)

// parseAnswer reads the answer that b begins with. It is errMore as long as b does not hold all of
// it. Only bodies with a Content-Length are taken: every server here sends one for a short answer.
func parseAnswer(b []byte) (answer, error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		if len(b) > maxHead {
			return answer{}, fmt.Errorf("head of an answer over %d bytes", maxHead)
		}
		return answer{}, errMore
	}
	line, rest, _ := bytes.Cut(b[:end], crlf)
	if !bytes.HasPrefix(line, version1) || len(line) < len(version1)+3 {
		return answer{}, fmt.Errorf("not an HTTP/1.1 answer: %.40q", line)
	}
	var a answer
	var err error
	if a.status, err = parseLength(line[len(version1) : len(version1)+3]); err != nil {
		return answer{}, fmt.Errorf("status of %.40q: %w", line, err)
	}
	length := -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, crlf)
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = parseLength(value); err != nil {
				return answer{}, fmt.Errorf("Content-Length: %w", err)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			a.close = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 {
		return answer{}, errors.New("answer without a Content-Length")
	}
	a.size = end + len(headEnd) + length
	if len(b) < a.size {
		return answer{}, errMore
	}
	a.body = b[a.size-length : a.size]
	return a, nil
}

// parseLength reads a number that is not negative and far from overflow.
func parseLength(b []byte) (int, error) {
	n, err := strconv.ParseUint(string(b), 10, 31)
	return int(n), err
}
