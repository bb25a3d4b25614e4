// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package control

import (
	"context"
	"syscall"
)

// privately does nothing: the mode is set after the socket is bound.
func privately(_, _ string, _ syscall.RawConn) error { return nil }

// lockDir locks nothing: programs of one name that start at the same moment are not told apart.
func lockDir(context.Context, string) (unlock func(), err error) { return func() {}, nil }
