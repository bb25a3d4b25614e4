// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// version is that of the protocol. A side that hears of another one hands nothing over.
const version = 1

// Bounds of packets.
const (
	maxPacket = 32 << 10 // bytes
	maxKey    = 1 << 10  // bytes; a longer key is not handed over
	maxReason = 512      // bytes; a longer reason is cut
)

// Types of packets.
const (
	typeHello   = 'H' // both, first: version and, from the one that takes over, the keys it serves
	typeGive    = 'G' // with a descriptor: a connection
	typeTook    = 'T' // it is the receiver's now
	typeUsed    = 'U' // and may have been read from, or closed: the giver lets go of its copy
	typeRefused = 'R' // it stays the giver's, and why
)

// name is in a hello, so that nothing else is taken for one.
const name = "mainstay"

// A packet is what goes over the channel. Which fields it has follows from its type.
type packet struct {
	kind   byte
	id     uint64        // of a connection, given by the giver, on this channel
	fresh  bool          // give: no request has come over it yet
	idle   time.Duration // give: since its last answer, or its beginning
	key    string        // give: what it belongs to
	reason string        // refused
	ver    uint16        // hello
	keys   []string      // hello
}

var errPacket = errors.New("malformed packet")

// encode returns the bytes of p. A hello names as many keys as there is room for.
func (p *packet) encode() []byte {
	b := []byte{p.kind}
	if p.kind == typeHello {
		b = append(b, name...)
		b = binary.BigEndian.AppendUint16(b, p.ver)
		for _, key := range p.keys {
			if len(key) <= maxKey && len(b)+2+len(key) <= maxPacket {
				b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
				b = append(b, key...)
			}
		}
		return b
	}
	b = binary.BigEndian.AppendUint64(b, p.id)
	switch p.kind {
	case typeGive:
		flags := byte(0)
		if p.fresh {
			flags = 1
		}
		b = append(b, flags)
		b = binary.BigEndian.AppendUint64(b, uint64(max(0, p.idle)))
		b = append(b, p.key...)
	case typeRefused:
		b = append(b, p.reason[:min(len(p.reason), maxReason)]...)
	}
	return b
}

// decode reads a packet. Of a hello of another version it reads no more than that.
func decode(b []byte) (packet, error) {
	if len(b) == 0 || len(b) > maxPacket {
		return packet{}, fmt.Errorf("%w: %d bytes", errPacket, len(b))
	}
	p := packet{kind: b[0]}
	if p.kind == typeHello {
		return p, p.decodeHello(b[1:])
	}
	if len(b) < 9 {
		return packet{}, fmt.Errorf("%w: type %q of %d bytes", errPacket, p.kind, len(b))
	}
	p.id, b = binary.BigEndian.Uint64(b[1:]), b[9:]
	switch p.kind {
	case typeGive:
		if len(b) < 9 || b[0] > 1 || len(b)-9 > maxKey {
			return packet{}, fmt.Errorf("%w: a connection in %d bytes", errPacket, len(b))
		}
		idle := binary.BigEndian.Uint64(b[1:])
		if idle > uint64(maxIdle) {
			return packet{}, fmt.Errorf("%w: idle for %d ns", errPacket, idle)
		}
		p.fresh, p.idle, p.key = b[0] == 1, time.Duration(idle), string(b[9:])
	case typeRefused:
		p.reason = string(b[:min(len(b), maxReason)])
	case typeTook, typeUsed:
		if len(b) > 0 {
			return packet{}, fmt.Errorf("%w: %d bytes too many in type %q", errPacket, len(b), p.kind)
		}
	default:
		return packet{}, fmt.Errorf("%w: type %q", errPacket, p.kind)
	}
	return p, nil
}

// maxIdle is far longer than any connection idles.
const maxIdle = 10 * 365 * 24 * time.Hour

func (p *packet) decodeHello(b []byte) error {
	if len(b) < len(name)+2 || string(b[:len(name)]) != name {
		return fmt.Errorf("%w: no hello", errPacket)
	}
	b = b[len(name):]
	p.ver, b = binary.BigEndian.Uint16(b), b[2:]
	if p.ver != version {
		return nil
	}
	for len(b) > 0 {
		if len(b) < 2 {
			return fmt.Errorf("%w: half a key", errPacket)
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > maxKey || n > len(b) {
			return fmt.Errorf("%w: a key of %d bytes in %d", errPacket, n, len(b))
		}
		p.keys, b = append(p.keys, string(b[:n])), b[n:]
	}
	return nil
}
