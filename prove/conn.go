// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"
)

// A conn is one connection of a client.
type conn struct {
	net.Conn
	in       *bufio.Reader
	probe    func() state // of the socket below
	born     time.Time
	answers  int
	h2       *h2       // nil over HTTP/1.1
	deadline time.Time // of the socket, moved rarely: that costs
}

// A state is what can be known of a connection without reading from it.
type state int

const (
	quiet    state = iota // nothing has come
	readable              // bytes, the end or an error
	unknown               // this system does not tell
)

// dial makes a connection, with its TLS handshake.
func (l *Load) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, l.network, l.address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, probe: prober(raw)}
	if l.TLS != nil {
		secure := tls.Client(raw, l.TLS)
		err := secure.HandshakeContext(ctx)
		if err == nil && l.HTTP2 && secure.ConnectionState().NegotiatedProtocol != "h2" {
			err = malformed("the server does not speak HTTP/2")
		}
		if err != nil {
			raw.Close()
			return nil, err
		}
		c.Conn = secure
	}
	c.in = bufio.NewReaderSize(c.Conn, maxLine)
	c.born = time.Now()
	if l.HTTP2 {
		c.bound(c.born, l.Timeout)
		if err := startH2(c); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// bound sees to it that nothing takes much longer than timeout from now on.
func (c *conn) bound(now time.Time, timeout time.Duration) {
	if want := now.Add(timeout); want.Sub(c.deadline) > timeout/10 {
		c.SetDeadline(want)
		c.deadline = want
	}
}

// unbound forgets the deadline, which somebody else has set.
func (c *conn) unbound() { c.deadline = time.Time{} }

// idle waits for d on a connection on which nothing is under way, with an error for what ends it, or
// should not be.
func (c *conn) idle(d time.Duration) error {
	if c.h2 != nil {
		return c.waitH2(d)
	}
	return c.wait(d)
}

// wait waits for d on a connection on which nothing is under way. It returns nil if nothing came, the
// error of the connection, or errStray if there are bytes to read.
func (c *conn) wait(d time.Duration) error {
	if c.in.Buffered() > 0 {
		return errStray
	}
	if d <= 0 {
		switch c.probe() {
		case quiet:
			return nil
		case readable:
			// For TLS this need not be for us; a moment is enough to find out.
			d = time.Millisecond
		case unknown:
			d = 50 * time.Microsecond
		}
	}
	c.unbound()
	c.SetReadDeadline(time.Now().Add(d))
	_, err := c.in.Peek(1)
	c.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		return errStray
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}

// errStray says that bytes came that nobody asked for.
var errStray = errors.New("bytes that nobody asked for")
