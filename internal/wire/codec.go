// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrFull is in the error of a Send that the peer has no room for at the moment.
	ErrFull = errors.New("the peer's buffer is full")

	// ErrTooLarge is in the error for a packet of more than MaxPacket bytes.
	ErrTooLarge = fmt.Errorf("packet of more than %d bytes", MaxPacket)

	// ErrDescriptors is in the error for a packet with more than MaxFDs descriptors, or whose
	// descriptors did not all arrive, as when the receiver's table is full.
	ErrDescriptors = errors.New("descriptors lost")
)

// encode returns the packet of m.
func encode(m *Message) ([]byte, error) {
	p, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(p) > MaxPacket {
		return nil, fmt.Errorf("%w: %d", ErrTooLarge, len(p))
	}
	return p, nil
}

// decode reads a packet; false is a packet that is no message.
func decode(p []byte) (m Message, ok bool) {
	if err := json.Unmarshal(p, &m); err != nil || m.Type == "" {
		return Message{}, false
	}
	return m, true
}
