// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package web

import (
	"net"
	"time"
)

// limitStall does nothing: the option is one of Linux.
func limitStall(net.Conn, time.Duration) {}
