// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package proc

import "net"

// Listener returns the listener that the table holds for this lease, nil once the lease, or the
// socket, is closed. Closing the lease closes it.
func (l *Lease) Listener() net.Listener {
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	e := l.table.ofLocked(l)
	if e == nil || e.sock == nil {
		return nil
	}
	return e.sock.Listener()
}

// On this system no descriptor is ever passed.
func closeFD(int) error { return nil }
func closeAll([]int)    {}
