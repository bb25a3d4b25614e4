// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package bind

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
)

// A Socket is a listening stream socket that this process holds. On this system it is a net.Listener
// and has no descriptor to share.
type Socket struct {
	FD   int    // always -1
	Spec Spec   // what was asked for
	Addr string // real address, as one dials it

	ln     net.Listener
	closed sync.Once
}

// Listener returns the listener that s holds; s.Close closes it.
func (s *Socket) Listener() net.Listener { return s.ln }

// FromFD returns errors.ErrUnsupported: descriptors are passed on Linux alone.
func FromFD(fd int, spec Spec) (*Socket, error) { return nil, spec.wrap(errors.ErrUnsupported) }

// Dup returns errors.ErrUnsupported.
func (s *Socket) Dup() (int, error) { return -1, errors.ErrUnsupported }

// Close closes the listener, which removes the file of a unix socket. Only the first call does
// anything.
func (s *Socket) Close() error {
	var err error
	s.closed.Do(func() { err = s.ln.Close() })
	return err
}

// Hide and Show do nothing: the file goes when the socket is closed.
func (s *Socket) Hide() error { return nil }

// Show does nothing, see Hide.
func (s *Socket) Show() error { return nil }

// Ungate does nothing: there are no gates here.
func (s *Socket) Ungate() {}

// Queued returns errors.ErrUnsupported.
func (s *Socket) Queued() (int, error) { return 0, errors.ErrUnsupported }

// Made reports whether Bind made s.
func (s *Socket) Made() bool { return true }

func (s *Socket) splits() bool { return false }

func (s *Socket) join() (*Socket, error) { return nil, s.Spec.wrap(errors.ErrUnsupported) }

func (s *Socket) end() error { return nil }

func (g *Group) choose([]bool) error { return nil }

// A Gate keeps new connections from a listener, which nothing can here.
type Gate struct{}

// Drop does nothing.
func (*Gate) Drop() {}

// openPassed finds nothing: sockets are passed on Linux alone.
func openPassed(_ context.Context, spec Spec) (*Socket, error) {
	if spec.Network == "systemd" {
		_, err := pick(nil, spec.Address, spec.Ordinal)
		return nil, err
	}
	return nil, nil
}

// open leaves backlog and address families to package net. The mode of a unix socket is set after it
// listens, as this system has no way to set it before.
func open(ctx context.Context, spec Spec) (*Socket, error) {
	file := spec.Network == "unix" && spec.Address[0] != '@'
	if file {
		removeStale(ctx, spec.Address)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, spec.Network, spec.Address)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // wrap says the rest
		}
		return nil, err
	}
	if file && spec.Mode != 0 {
		if err := os.Chmod(spec.Address, spec.Mode.Perm()); err != nil {
			ln.Close()
			return nil, err
		}
	}
	return &Socket{FD: -1, Spec: spec, Addr: ln.Addr().String(), ln: ln}, nil
}

// removeStale removes the socket at path if nobody answers there.
func removeStale(ctx context.Context, path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		os.Remove(path)
		return
	}
	c.Close()
}
