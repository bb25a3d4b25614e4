// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"errors"
	"testing"
)

func TestParseAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want answer
		more bool // errMore
		bad  bool // any other error
	}{
		"a whole answer": {
			in:   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
			want: answer{status: 200, body: []byte("hi"), size: 40},
		},
		"no reason phrase": {
			in:   "HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n",
			want: answer{status: 204, body: []byte{}, size: 35},
		},
		"headers in any case, connection closed": {
			in:   "HTTP/1.1 500 Oh\r\ncontent-length:1\r\nCONNECTION:  Close\r\n\r\nx",
			want: answer{status: 500, body: []byte("x"), size: 58, close: true},
		},
		"more than one answer": {
			in:   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 ",
			want: answer{status: 200, body: []byte("hi"), size: 40},
		},
		"half a head":         {in: "HTTP/1.1 200 OK\r\nContent-Le", more: true},
		"half a body":         {in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", more: true},
		"nothing":             {more: true},
		"another protocol":    {in: "SSH-2.0-OpenSSH\r\n\r\n", bad: true},
		"an older version":    {in: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", bad: true},
		"no length":           {in: "HTTP/1.1 200 OK\r\n\r\n", bad: true},
		"a length below zero": {in: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", bad: true},
		"a length of words":   {in: "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n", bad: true},
		"a status of words":   {in: "HTTP/1.1 two OK\r\nContent-Length: 0\r\n\r\n", bad: true},
		"a head without end":  {in: string(bytes.Repeat([]byte("x"), maxHead+1)), bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseAnswer([]byte(c.in))
			switch {
			case c.more && !errors.Is(err, errMore):
				t.Errorf("error %v, want errMore", err)
			case c.bad && (err == nil || errors.Is(err, errMore)):
				t.Errorf("error %v, want one that refuses", err)
			case c.more || c.bad:
			case err != nil:
				t.Errorf("error %v", err)
			case got.status != c.want.status || !bytes.Equal(got.body, c.want.body) || got.size != c.want.size || got.close != c.want.close:
				t.Errorf("parseAnswer(%q) = %+v, want %+v", c.in, got, c.want)
			}
		})
	}
}

// FuzzParseAnswer holds that an answer lies within its buffer and does not depend on what follows it.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
	f.Add([]byte("HTTP/1.1 200\r\nContent-Length: 0\r\nConnection: close\r\n\r\nrest"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAnswer(b)
		if err != nil {
			return
		}
		if a.size > len(b) || len(a.body) > a.size || !bytes.HasSuffix(b[:a.size], a.body) {
			t.Fatalf("parseAnswer(%q) = %+v", b, a)
		}
		again, err := parseAnswer(b[:a.size])
		if err != nil || again.size != a.size || !bytes.Equal(again.body, a.body) {
			t.Fatalf("alone: %+v, %v, want %+v", again, err, a)
		}
		if _, err := parseAnswer(b[:a.size-1]); !errors.Is(err, errMore) {
			t.Fatalf("one byte short: %v, want errMore", err)
		}
	})
}
