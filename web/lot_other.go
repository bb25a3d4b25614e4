// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package web

import "syscall"

// A lot exists on Linux. Elsewhere each connection gets a goroutine of net/http at once.
type lot struct{}

func newLot(func(*parked)) *lot { return nil }

func (l *lot) watch(*parked) bool { return false }
func (l *lot) forget(*parked)     {}
func (l *lot) close()             {}

func hasInput(syscall.RawConn) bool { return false }
