// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package wire

import "errors"

// Pair is not supported here.
func Pair() (a, b int, err error) { return -1, -1, errors.ErrUnsupported }

// A Conn is one end of a channel, of which there are none on this system.
type Conn struct{}

// NewConn returns a Conn whose methods are not supported here.
func NewConn(fd int) *Conn { return new(Conn) }

// Send is not supported here.
func (c *Conn) Send(m Message, fds ...int) error { return errors.ErrUnsupported }

// Receive is not supported here.
func (c *Conn) Receive() (Message, []int, error) { return Message{}, nil, errors.ErrUnsupported }

// Close is not supported here.
func (c *Conn) Close() error { return errors.ErrUnsupported }
