// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package handover

import (
	"errors"
	"net"
	"syscall"
)

var errTruncated, errUnsupported = errors.New("descriptors lost"), errors.ErrUnsupported

// Pair is not supported here, where there are no worker processes.
func Pair() (successor, predecessor int, err error) { return -1, -1, errUnsupported }

type sock struct{}

func newSock(int) *sock { return nil }

func (s *sock) send([]byte, syscall.RawConn) error { return errUnsupported }
func (s *sock) sendSoon([]byte)                    {}
func (s *sock) receive() ([]byte, []int, error)    { return nil, nil, errUnsupported }
func (s *sock) shutdown()                          {}
func (s *sock) close()                             {}

func connOf(int) (net.Conn, error) { return nil, errUnsupported }

func closeAll([]int) {}
