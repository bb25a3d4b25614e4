// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Load is clients that send requests to one server. Target is needed, and an end: Duration, Requests,
// a [Disturbance] with Times, or the end of Run's context. A Load may be run many times, one after the
// other.
type Load struct {
	// Target is http://HOST:PORT/PATH, https://HOST:PORT/PATH, unix:/PATH or unix:@NAME. PATH of the first
	// two answers GET; for unix sockets that is Path.
	Target string
	Path   string // answers GET; default that of Target, or /
	// Echo is a path that answers POST with the body it was sent, as [Echo] does. Empty: every request
	// is a GET, and any server will do.
	Echo string
	// Want is the body of the answer to GET. Nil learns it from two answers before the load begins; where
	// these differ, any body will do.
	Want []byte

	Clients int     // default 16
	Fresh   int     // how many of them make a connection for each request; default none
	Shapes  []Shape // drawn from at random, one named twice twice as often; default AllShapes
	// Think is the mean time between an answer and the next request of a client; default none.
	Think time.Duration
	// Rate is requests per second of all clients together, sent when they are due; one that an earlier
	// answer keeps from it is late, and that is part of its latency. Default as fast as answers come.
	Rate      float64
	MaxBody   int           // of a POST, in bytes; default 30,000
	LargeBody int           // of shape Large; default 300,000
	Pause     time.Duration // mean of those between pieces of a request; default 2 ms, negative none
	Timeout   time.Duration // of a dial, and of an answer; default 30 s

	// TLS is how https and unix targets are dialed; default the system's roots, and for unix no TLS.
	TLS *tls.Config

	// HTTP2 speaks HTTP/2: over TLS as agreed there, else at once. Streams that a GOAWAY or a refusal left
	// unserved are sent again, and counted. Shapes are then Get, Post, Slow, Large, Split and Pipeline.
	HTTP2 bool

	Duration time.Duration // of the load; 0 is no limit
	Requests uint64        // to send, about; 0 is no limit
	Disturb  []Disturbance // what is done to the server meanwhile
	Seed     uint64        // of all that is random; default a new one, named in the report
	Series   bool          // report every second

	network, address, host, path string
}

// prepare returns a copy with defaults set and settings checked.
func (l Load) prepare() (*Load, error) {
	if err := l.parseTarget(); err != nil {
		return nil, err
	}
	l.Clients = cmp.Or(l.Clients, 16)
	l.MaxBody = cmp.Or(l.MaxBody, 30_000)
	l.LargeBody = cmp.Or(l.LargeBody, 300_000)
	l.Pause = cmp.Or(l.Pause, 2*time.Millisecond)
	l.Timeout = cmp.Or(l.Timeout, 30*time.Second)
	l.Seed = cmp.Or(l.Seed, rand.Uint64()>>1|1) // a flag takes it back
	if len(l.Shapes) == 0 {
		l.Shapes = AllShapes(l.Echo != "")
		if l.HTTP2 {
			l.Shapes = slices.DeleteFunc(l.Shapes, func(s Shape) bool { return !h2Shapes[s] })
		}
	}
	if l.HTTP2 && l.TLS != nil {
		l.TLS = l.TLS.Clone()
		l.TLS.NextProtos = []string{"h2"}
	}
	return &l, l.validate()
}

func (l *Load) parseTarget() error {
	if path, ok := strings.CutPrefix(l.Target, "unix:"); ok {
		l.network, l.address, l.host, l.path = "unix", path, "localhost", cmp.Or(l.Path, "/")
		if path == "" {
			return fmt.Errorf("target: %q: want unix:/PATH or unix:@NAME", l.Target)
		}
		return nil
	}
	u, err := url.Parse(l.Target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("target: %q: want http://HOST:PORT/, https://HOST:PORT/, unix:/PATH or unix:@NAME", l.Target)
	}
	l.network, l.host = "tcp", u.Host
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	l.address = net.JoinHostPort(u.Hostname(), port)
	l.path = cmp.Or(l.Path, u.RequestURI())
	if u.Scheme == "http" {
		l.TLS = nil
	} else {
		if l.TLS == nil {
			l.TLS = &tls.Config{}
		}
		l.TLS = l.TLS.Clone()
		l.TLS.ServerName = cmp.Or(l.TLS.ServerName, u.Hostname())
	}
	return nil
}

func (l *Load) validate() error {
	for _, s := range l.Shapes {
		needsEcho, ok := shapes[s]
		switch {
		case !ok:
			return fmt.Errorf("shapes: %q: want some of %q", s, AllShapes(true))
		case needsEcho && l.Echo == "":
			return fmt.Errorf("shapes: %q: needs a path that echoes", s)
		case l.HTTP2 && !h2Shapes[s]:
			return fmt.Errorf("shapes: %q: is not for HTTP/2", s)
		}
	}
	for _, d := range l.Disturb {
		if d.Do == nil || d.Every <= 0 || d.Times < 0 {
			return fmt.Errorf("disturbance %q: every %v, %d times: want something to do, more than 0s, and 0 or more", d.Name, d.Every, d.Times)
		}
	}
	switch {
	case l.Clients < 1 || l.Fresh < 0 || l.Fresh > l.Clients:
		return fmt.Errorf("clients: %d, of them %d fresh: want at least 1, and no more fresh ones than that", l.Clients, l.Fresh)
	case l.MaxBody < 1 || l.LargeBody < 1:
		return fmt.Errorf("bodies of %d and %d bytes: want at least 1", l.MaxBody, l.LargeBody)
	case l.Rate < 0 || l.Think < 0 || l.Timeout < 0 || l.Duration < 0:
		return errors.New("rate, think, timeout and duration: want 0 or more")
	case l.Rate > 0 && l.Think > 0:
		return errors.New("rate and think: want one of them")
	}
	return nil
}

// learn finds out what GET answers, if nobody said.
func (l *Load) learn(ctx context.Context) error {
	if l.Want != nil {
		return nil
	}
	first, err := l.ask(ctx)
	if err != nil {
		return err
	}
	second, err := l.ask(ctx)
	if err != nil {
		return err
	}
	if string(first) == string(second) {
		l.Want = append([]byte{}, first...)
	}
	return nil
}

// ask gets the path once, on a connection of its own.
func (l *Load) ask(ctx context.Context) ([]byte, error) {
	c, err := l.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("before the load: %w", err)
	}
	defer c.Close()
	c.bound(time.Now(), l.Timeout)
	ask := l.askH1
	if l.HTTP2 {
		ask = l.askH2
	}
	status, body, err := ask(c)
	switch {
	case err != nil:
		return nil, fmt.Errorf("before the load: GET %s: %w", l.path, err)
	case status != 200:
		return nil, fmt.Errorf("before the load: GET %s: status %d, want 200", l.path, status)
	}
	return body, nil
}

func (l *Load) askH1(c *conn) (status int, body []byte, err error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", l.path, l.host); err != nil {
		return 0, nil, err
	}
	h, err := readHead(c.in)
	if err == nil {
		err = readBody(c.in, h, func(b []byte) { body = append(body, b...) })
	}
	return h.status, body, err
}
