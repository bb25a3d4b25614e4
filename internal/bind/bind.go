// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package bind makes the listening sockets of a launcher and keeps them as descriptor numbers.
//
// On Linux nothing here registers with the runtime's poller: a process that holds a net.Listener
// wakes for every connection, even when it accepts none. Whoever serves takes a duplicate with
// [Socket.Dup] and makes a listener of that. Other systems have no worker processes; there a
// [Socket] holds a net.Listener.
package bind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Spec says what to listen on. It travels between processes as JSON.
type Spec struct {
	// Network is tcp, tcp4, tcp6 or unix, or systemd for a socket that the service manager passed.
	Network string `json:"network"`

	// Address is HOST:PORT for TCP, and for unix a path or @NAME in the abstract name space. An
	// empty host with tcp is every address of IPv6 and IPv4. Port 0 is any free port. For systemd it
	// is a name, or an index from 0.
	Address string `json:"address"`

	// Ordinal tells sockets of the same network and address apart, as with port 0 asked for twice.
	Ordinal int `json:"ordinal,omitempty"`

	// Backlog is the length of the accept queue; 0 is the most that the kernel allows (somaxconn).
	Backlog int `json:"backlog,omitempty"`

	// Mode is the mode of a unix socket's file; 0 leaves it to the umask.
	Mode fs.FileMode `json:"mode,omitempty"`

	// Shared says that all workers accept from one socket, where each could have its own.
	Shared bool `json:"shared,omitempty"`

	// RetryUntil is for how long to keep trying while the address is in use; 0 tries once.
	RetryUntil time.Duration `json:"retry_until,omitempty"`
}

// Key names the socket among all of a program: "tcp 127.0.0.1:8774", with "#1" after it for Ordinal 1.
func (s Spec) Key() string {
	key := s.Network + " " + s.Address
	if s.Ordinal != 0 {
		key += "#" + strconv.Itoa(s.Ordinal)
	}
	return key
}

// retryPause is the time between two tries for an address in use.
const retryPause = 100 * time.Millisecond

// Bind makes the socket that spec describes, or takes a duplicate of one that was [Passed] and has
// the address; connections queue from then on. The error is one line
// that names network and address; it is syscall.EADDRINUSE for an address in use. A ctx that ends
// ends the wait of RetryUntil and the lookup of a host, with the last error.
//
// A TCP socket is bound without SO_REUSEPORT, so that a second program is refused, and has the
// option set once it listens, so that more sockets of this user can join it on purpose.
//
// The file of a unix socket never has a wider mode than asked for. One that nobody listens on any
// more is replaced; one that answers is an address in use.
func Bind(ctx context.Context, spec Spec) (*Socket, error) {
	if err := spec.check(); err != nil {
		return nil, spec.wrap(err)
	}
	end := time.Now().Add(spec.RetryUntil)
	for {
		s, err := openPassed(ctx, spec)
		if s == nil && err == nil {
			s, err = open(ctx, spec)
		}
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Until(end) < retryPause {
			return nil, spec.wrap(err)
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return nil, spec.wrap(errors.Join(err, context.Cause(ctx)))
		}
	}
}

// check refuses what no system can bind.
func (s Spec) check() error {
	switch s.Network {
	case "tcp", "tcp4", "tcp6":
	case "unix":
		if err := checkPath(s.Address); err != nil {
			return err
		}
	case "systemd":
	default:
		return fmt.Errorf("network %q: want tcp, tcp4, tcp6, unix or systemd", s.Network)
	}
	if s.Backlog < 0 {
		return fmt.Errorf("backlog: %d: want 0 or more", s.Backlog)
	}
	if s.Mode&^fs.ModePerm != 0 {
		return fmt.Errorf("mode: %v: want permission bits only", s.Mode)
	}
	return nil
}

// maxPath is the longest name that the kernel takes for a unix socket.
const maxPath = 107

func checkPath(path string) error {
	switch {
	case path == "" || path == "@":
		return errors.New("empty name")
	case len(path) > maxPath:
		return fmt.Errorf("name is %d bytes long: the kernel takes at most %d", len(path), maxPath)
	case strings.IndexByte(path, 0) >= 0:
		return errors.New("name has a zero byte")
	}
	return nil
}

// wrap puts the address before err, on one line.
func (s Spec) wrap(err error) error {
	return fmt.Errorf("listen %s %s: %w", s.Network, s.Address, err)
}
