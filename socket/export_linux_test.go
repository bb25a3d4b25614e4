// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import "github.com/mainstay-go/mainstay/internal/proc"

// StandIn returns what the launcher's offers come to, for a Listener that accepts.
func (l *Listener) StandIn() proc.StandIn {
	l.open()
	l.mu.Lock()
	defer l.mu.Unlock()
	return standIn{l, l.term}
}

// Queues returns how many queues of others the Listener serves.
func (l *Listener) Queues() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.term.extras)
}
