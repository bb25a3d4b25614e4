// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proxyproto

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

func FuzzParseHeader(f *testing.F) {
	v2 := append(bytes.Clone(signature), 0x21, 0x11, 0, 12, 203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80)
	for _, seed := range [][]byte{
		nil, []byte("PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\nGET / HTTP/1.1\r\n"), []byte("PROXY TCP6 2001:db8::7 ::1 1 2\r\n"),
		[]byte("PROXY UNKNOWN\r\n"), []byte("GET / HTTP/1.1\r\n"), v2, append(bytes.Clone(v2), "GET"...), v2[:20],
		append(bytes.Clone(signature), 0x20, 0, 0, 0), append(bytes.Clone(signature), 0x21, 0x21, 0xff, 0xff),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if n < 0 || n > len(b) || err == nil && n == 0 || err != nil && n != 0 || err != nil && h != (Header{}) {
			t.Fatalf("ParseHeader(%q) = %+v, %d, %v", b, h, n, err)
		}
		if h.Source.IsValid() != h.Destination.IsValid() {
			t.Errorf("%q: one address without the other: %+v", b, h)
		}
		if err == nil {
			for i := range n { // no shorter one is complete or refused
				if _, _, err := ParseHeader(b[:i]); err != io.ErrUnexpectedEOF {
					t.Fatalf("%q: the first %d bytes are %v", b, i, err)
				}
			}
		}
		// However it is cut, the same comes out.
		got, rest, rerr := readHeader(iotest.OneByteReader(bytes.NewReader(b)), false)
		switch {
		case err == nil:
			if got != h || rerr != nil || len(rest) != 0 {
				t.Errorf("byte by byte %q is %+v, %q, %v", b, got, rest, rerr)
			}
		case rerr == nil:
			t.Errorf("byte by byte %q is %+v, as a whole %v", b, got, err)
		}
	})
}
