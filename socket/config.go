// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// defaultKeepAliveIdle is upstream's default of tcp_keepidle.
const defaultKeepAliveIdle = 600 * time.Second

// A Config sets up listeners. The zero value works, and is what [Listen] uses.
type Config struct {
	// Backlog is how many connections may wait to be accepted; 0 is the most that the kernel allows
	// (net.core.somaxconn). Negative is an error.
	Backlog int

	// KeepAliveIdle is for how long a TCP connection may be silent before the kernel asks whether the
	// peer is still there (oslo.service: tcp_keepidle), in whole seconds, rounded up; default 600 s.
	// Negative switches keep-alive off. It is set on every accepted connection.
	KeepAliveIdle time.Duration

	// Mode is the mode of a unix socket's file. It is never wider, at no moment. Default 0: what the
	// umask leaves.
	Mode os.FileMode

	// Shared has all workers accept from one socket. By default each worker has its own at an address of
	// TCP: the kernel spreads connections evenly over them and wakes no two workers for one connection.
	// Unix sockets and those that a service manager passed are always shared.
	Shared bool

	// RetryUntilWindow is for how long Listen tries again while the address is in use (neutron:
	// retry_until_window). Default 0: it tries once.
	RetryUntilWindow time.Duration
}

// Listen is [Config.Listen] with the zero Config.
func Listen(ctx context.Context, network, address string) (*Listener, error) {
	return new(Config).Listen(ctx, network, address)
}

// Listen returns a listener on address. Connections may queue from now on; [Listener.Accept] takes
// them. ctx bounds Listen alone.
//
// The network is tcp, tcp4, tcp6 or unix, with addresses as package net takes them; a unix name that
// begins with @ is abstract. A socket of that address that a service manager passed (LISTEN_FDS) is
// used instead of a new one. The network systemd takes a passed socket by its name, or else its
// index from 0.
//
// In a worker process the launcher binds, at once if it did not before, and keeps the socket when
// the worker ends: its queue is served by the others, or by its replacement. Asking twice for one
// address gets a second socket, which only port 0 has.
//
// The error is one line that names the address, and syscall.EADDRINUSE where that is in use (in a
// worker process the line alone): a first socket never shares its address with another program's. A
// stale unix socket file is replaced, one that answers is in use.
func (c *Config) Listen(ctx context.Context, network, address string) (*Listener, error) {
	l := &Listener{
		keepAliveIdle: cmp.Or(c.KeepAliveIdle, defaultKeepAliveIdle),
		spec: bind.Spec{
			Network:    network,
			Address:    address,
			Backlog:    c.Backlog,
			Mode:       c.Mode,
			Shared:     c.Shared,
			RetryUntil: c.RetryUntilWindow,
		},
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	if err := l.Reopen(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

func (c *Config) validate() error {
	switch {
	case c.Backlog < 0:
		return errors.New("backlog: want 0 or more")
	case c.Mode&^os.ModePerm != 0:
		return errors.New("mode: want permission bits only")
	case c.RetryUntilWindow < 0:
		return errors.New("retry_until_window: want 0 or more")
	}
	return nil
}
