// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package socket

import (
	"net"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// A deadliner is what the listeners of package net are.
type deadliner interface {
	net.Listener
	SetDeadline(time.Time) error
}

// borrowed is a listener that the program keeps. Closing it only wakes who accepts; closing the
// lease closes the listener, unless the program still needs it.
type borrowed struct{ deadliner }

func (b borrowed) Close() error { return b.SetDeadline(time.Unix(1, 0)) }

// serve borrows the listener of lease.
func serve(lease *proc.Lease) (net.Listener, error) {
	ln, ok := lease.Listener().(deadliner)
	if !ok {
		return nil, net.ErrClosed
	}
	return borrowed{ln}, ln.SetDeadline(time.Time{})
}

// acceptNow finds nothing: there is no way to look without waiting.
func acceptNow(net.Listener) (net.Conn, error) { return nil, errEmpty }

// shut has no gate to put up. What is in the queue is accepted in the time that it gives.
func shut(net.Listener, *proc.Lease) (gate *bind.Gate, settle time.Duration) {
	return nil, 20 * time.Millisecond
}

func reopenGate(net.Listener, *bind.Gate) error { return nil }

func admit(*net.TCPConn) {}

// extras are the queues of other workers, of which there are none here.
type extras struct{}

func (l *Listener) standInLocked(*term) {}

func (*extras) accept(bool) (net.Conn, error) { return nil, errEmpty }
func (*extras) shut(bind.Spec)                {}
func (*extras) filled() bool                  { return false }
func (*extras) open() error                   { return nil }
func (*extras) close()                        {}
