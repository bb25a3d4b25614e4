// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

const (
	maxV1 = 107 // bytes of a header of version 1, line end included
	// maxV2 bounds the addresses and extensions of version 2. The format has room for 65535; load
	// balancers send a few hundred, with the names of a client certificate.
	maxV2 = 4096
)

var signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// A Header is what a load balancer tells of a connection.
type Header struct {
	Version             int            // 1 or 2; 0 where there was no header
	Source, Destination netip.AddrPort // of the client's connection; not valid for LOCAL, UNKNOWN and other families than TCP
}

// errNoHeader is a connection that begins with something else.
var errNoHeader = errors.New("no PROXY header")

// ParseHeader reads the header at the begin of b and returns its length. io.ErrUnexpectedEOF means
// that b is the begin of one.
func ParseHeader(b []byte) (Header, int, error) {
	switch {
	case begins(b, signature):
		return parseV2(b)
	case begins(b, []byte("PROXY ")):
		return parseV1(b)
	}
	return Header{}, 0, errNoHeader
}

// begins reports whether b begins with prefix, or may when more of it comes.
func begins(b, prefix []byte) bool {
	n := min(len(b), len(prefix))
	return bytes.Equal(b[:n], prefix[:n])
}

// parseV1 reads "PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n" or "PROXY UNKNOWN ...\r\n".
func parseV1(b []byte) (Header, int, error) {
	end := bytes.IndexByte(b[:min(len(b), maxV1)], '\n')
	if end < 0 {
		if len(b) >= maxV1 {
			return Header{}, 0, fmt.Errorf("a PROXY line of more than %d bytes", maxV1)
		}
		return Header{}, 0, io.ErrUnexpectedEOF
	}
	line, ok := strings.CutSuffix(string(b[:end]), "\r")
	fields := strings.Split(line, " ")
	h := Header{Version: 1}
	switch {
	case !ok || len(fields) < 2:
	case fields[1] == "UNKNOWN":
		return h, end + 1, nil
	case len(fields) == 6 && (fields[1] == "TCP4" || fields[1] == "TCP6"):
		h.Source, ok = parseAddr(fields[1], fields[2], fields[4])
		var also bool
		h.Destination, also = parseAddr(fields[1], fields[3], fields[5])
		if ok && also {
			return h, end + 1, nil
		}
	}
	return Header{}, 0, fmt.Errorf("PROXY line %q is malformed", line)
}

func parseAddr(family, host, port string) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(host)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || addr.Zone() != "" || addr.Is4() != (family == "TCP4") || len(port) > 1 && port[0] == '0' || port[0] == '+' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, uint16(n)), true
}

// parseV2 reads the binary form: signature, version and command, family, length, addresses, extensions.
func parseV2(b []byte) (Header, int, error) {
	if len(b) < 16 {
		return Header{}, 0, io.ErrUnexpectedEOF
	}
	size := int(binary.BigEndian.Uint16(b[14:]))
	command := b[12] & 0x0f
	switch {
	case b[12]>>4 != 2:
		return Header{}, 0, fmt.Errorf("version %d of a binary PROXY header is not 2", b[12]>>4)
	case command > 1:
		return Header{}, 0, fmt.Errorf("command %d of a PROXY header is neither LOCAL nor PROXY", command)
	case size > maxV2:
		return Header{}, 0, fmt.Errorf("a PROXY header of %d bytes is longer than %d", size, maxV2)
	case len(b) < 16+size:
		return Header{}, 0, io.ErrUnexpectedEOF
	}
	h := Header{Version: 2}
	data := b[16 : 16+size]
	width := map[byte]int{0x11: 4, 0x21: 16}[b[13]] // TCP over IPv4, over IPv6
	if command == 1 && width > 0 {
		if size < 2*width+4 {
			return Header{}, 0, fmt.Errorf("a PROXY header of %d bytes is too short for its addresses", size)
		}
		addr := func(i int) netip.AddrPort {
			ip, _ := netip.AddrFromSlice(data[i*width : (i+1)*width])
			return netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(data[2*width+2*i:]))
		}
		h.Source, h.Destination = addr(0), addr(1)
	}
	return h, 16 + size, nil
}

// readHeader reads a header and returns what came behind it.
func readHeader(r io.Reader, optional bool) (Header, []byte, error) {
	b := make([]byte, 0, 256)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)] // room for more; ParseHeader bounds it
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		h, size, perr := ParseHeader(b)
		switch {
		case len(b) > 0 && perr == nil:
			return h, b[size:], nil
		case len(b) > 0 && perr == errNoHeader && optional:
			return Header{}, b, nil
		case len(b) > 0 && perr != io.ErrUnexpectedEOF:
			return Header{}, nil, perr
		case err == io.EOF && len(b) > 0:
			return Header{}, nil, io.ErrUnexpectedEOF
		case err != nil:
			return Header{}, nil, err
		}
	}
}
