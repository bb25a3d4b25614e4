// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proxyproto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultTimeout is how long a peer may take to send the header.
const DefaultTimeout = 10 * time.Second

// Options are for Wrap.
type Options struct {
	// Trusted are the addresses and networks whose connections begin with a header: those of the load
	// balancers, such as 10.0.0.0/8. unix is for connections on a unix socket, any for all. Empty is
	// an error.
	Trusted []string

	// Optional lets connections of trusted addresses begin without a header as well, as those of
	// health checks of old. A peer that begins by waiting for the server then waits for Timeout.
	Optional bool

	// Timeout is how long a peer may take to send the header. Default 10 s; negative is without end.
	Timeout time.Duration

	// Logger gets a line for each connection refused; nil is slog.Default().
	Logger *slog.Logger
}

// Wrap returns a listener whose connections have the addresses that load balancers tell. Closing it
// closes ln.
func Wrap(ln net.Listener, o Options) (net.Listener, error) {
	l := &listener{Listener: ln, Options: o}
	if l.Timeout == 0 {
		l.Timeout = DefaultTimeout
	}
	if l.Logger == nil {
		l.Logger = slog.Default()
	}
	if len(o.Trusted) == 0 {
		return nil, errors.New("option Trusted: no address, and without one no header would be read")
	}
	for _, text := range o.Trusted {
		switch text {
		case "unix":
			l.unix = true
			continue
		case "any":
			l.unix = true
			l.nets = append(l.nets, netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
			continue
		}
		network, err := netip.ParsePrefix(text)
		if addr, aerr := netip.ParseAddr(text); aerr == nil {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("option Trusted: %q is not an address, a network such as 10.0.0.0/8, unix or any", text)
		}
		l.nets = append(l.nets, network.Masked())
	}
	return l, nil
}

type listener struct {
	net.Listener
	Options
	nets []netip.Prefix
	unix bool
}

// Unwrap returns the listener that was wrapped.
func (l *listener) Unwrap() net.Listener { return l.Listener }

// Shutdown ends the wrapped listener as it wants to be.
func (l *listener) Shutdown(ctx context.Context) error {
	if ln, ok := l.Listener.(interface{ Shutdown(context.Context) error }); ok {
		return ln.Shutdown(ctx)
	}
	return l.Listener.Close()
}

// Reopen opens the wrapped listener again, if it can.
func (l *listener) Reopen(ctx context.Context) error {
	if ln, ok := l.Listener.(interface{ Reopen(context.Context) error }); ok {
		return ln.Reopen(ctx)
	}
	return nil
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil || !l.trusts(nc.RemoteAddr()) {
		return nc, err
	}
	return &conn{Conn: nc, l: l}, nil
}

func (l *listener) trusts(addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		ip := addr.AddrPort().Addr().Unmap().WithZone("")
		for _, n := range l.nets {
			if n.Contains(ip) {
				return true
			}
		}
	case *net.UnixAddr:
		return l.unix
	}
	return false
}

// A conn reads the header when somebody wants to know something that depends on it.
type conn struct {
	net.Conn
	l *listener

	once   sync.Once
	err    error  // of the header
	header Header // once it was read
	rest   []byte // read, and not of the header

	mu       sync.Mutex
	deadline time.Time // that the user set for reads
	own      bool      // ours is in force
	closed   atomic.Bool
}

// ready reads the header, the first time.
func (c *conn) ready() error {
	c.once.Do(func() {
		c.limit(true)
		c.header, c.rest, c.err = readHeader(c.Conn, c.l.Optional)
		c.limit(false)
		if c.err != nil {
			if !c.closed.Load() {
				c.l.Logger.Warn("refused a connection without a proper PROXY header", "peer", c.Conn.RemoteAddr(), "error", c.err)
			}
			c.Conn.Close()
		}
	})
	return c.err
}

// limit puts the limit for the header in force, or what the user wants in its place.
func (c *conn) limit(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = on
	deadline := c.deadline
	if on && c.l.Timeout > 0 {
		if end := time.Now().Add(c.l.Timeout); deadline.IsZero() || end.Before(deadline) {
			deadline = end
		}
	}
	c.Conn.SetReadDeadline(deadline)
}

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// SetReadDeadline waits for no header; while one is read, the earlier limit counts.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.own && (t.IsZero() || t.After(time.Now())) {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.ready(); err != nil {
		return 0, err
	}
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// RemoteAddr is the address of the client. It waits for the header.
func (c *conn) RemoteAddr() net.Addr {
	if c.ready() == nil && c.header.Source.IsValid() {
		return net.TCPAddrFromAddrPort(c.header.Source)
	}
	return c.Conn.RemoteAddr()
}

// LocalAddr is the address that the client connected to. It waits for the header.
func (c *conn) LocalAddr() net.Addr {
	if c.ready() == nil && c.header.Destination.IsValid() {
		return net.TCPAddrFromAddrPort(c.header.Destination)
	}
	return c.Conn.LocalAddr()
}

func (c *conn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// CloseWrite closes the writing side, where the connection can.
func (c *conn) CloseWrite() error {
	if nc, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return nc.CloseWrite()
	}
	return net.ErrClosed
}
