// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

const (
	Window     = window
	AnswerWait = answerWait
	Version    = version
)

// Recode decodes a packet and encodes what was read.
func Recode(b []byte) ([]byte, error) {
	p, err := decode(b)
	if err != nil {
		return nil, err
	}
	return p.encode(), nil
}

// HelloPacket is the hello of a version.
func HelloPacket(ver uint16, keys ...string) []byte {
	p := packet{kind: typeHello, ver: ver, keys: keys}
	return p.encode()
}

// GivePacket gives the connection id of key.
func GivePacket(id uint64, key string) []byte {
	p := packet{kind: typeGive, id: id, key: key}
	return p.encode()
}

// TookPacket and its like answer for it.
func TookPacket(id uint64) []byte { p := packet{kind: typeTook, id: id}; return p.encode() }

func UsedPacket(id uint64) []byte { p := packet{kind: typeUsed, id: id}; return p.encode() }

// ParsePacket returns type, id and reason of a packet.
func ParsePacket(b []byte) (kind byte, id uint64, reason string) {
	p, _ := decode(b)
	return p.kind, p.id, p.reason
}
