// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

// headerLines is how many lines of the longest kind a header may hold, as upstream.
const headerLines = 4

// newRun checks the fields, fills in defaults and reads files.
func (s *Server) newRun() (*run, error) {
	if s.Listener == nil {
		return nil, errors.New("listener: missing")
	}
	log := s.Logger
	if log == nil {
		log = slog.Default()
	}
	r := emptyRun()
	r.log, r.ln = log.With("service", s.Name()), s.Listener
	var err error
	if r.files, err = s.openFiles(r.log); err != nil {
		return nil, err
	}
	r.stall = duration(s.ClientSocketTimeout, DefaultClientSocketTimeout)
	r.spread = max(0, s.DrainSpread)
	r.grace = duration(s.DrainGrace, DefaultDrainGrace)
	r.h1 = s.httpServer(r.log, r.files)
	if r.front, err = s.newFront(r); err != nil {
		return nil, err
	}
	pinned := r.h1.ConnContext != nil
	r.hook(r.h1)
	r.secure()
	r.multiplex()
	r.follow()
	if r.tls == nil && r.h2 == nil {
		r.idle = cmp.Or(r.h1.IdleTimeout, r.h1.ReadTimeout)
		r.header = cmp.Or(r.h1.ReadHeaderTimeout, r.h1.ReadTimeout)
		r.h1.IdleTimeout, r.h1.ReadHeaderTimeout = -1, -1
	}
	r.late = newLateListener(s.Listener.Addr())
	r.movable.Store(r.tls == nil && r.h2 == nil && !pinned && !s.DisableKeepAlives && !s.DisableHandOver)
	if s.DisableKeepAlives {
		r.h1.SetKeepAlivesEnabled(false)
	}
	return r, nil
}

// httpServer makes the http.Server that Configure has seen.
func (s *Server) httpServer(log *slog.Logger, files *tlsfiles.Source) *http.Server {
	hs := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: cmp.Or(s.ReadHeaderTimeout, DefaultReadHeaderTimeout),
		IdleTimeout:       cmp.Or(s.ClientSocketTimeout, DefaultClientSocketTimeout),
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	if s.MaxHeaderLine >= 0 {
		hs.MaxHeaderBytes = headerLines*cmp.Or(s.MaxHeaderLine, DefaultMaxHeaderLine) + max(0, cmp.Or(s.MaxURLLength, DefaultMaxURLLength))
	}
	switch {
	case files != nil:
		hs.TLSConfig = files.Template()
		hs.TLSConfig.NextProtos = nil // secure sets them, if Configure does not
	case s.UnencryptedHTTP2:
		hs.Protocols = new(http.Protocols)
		hs.Protocols.SetHTTP1(true)
		hs.Protocols.SetUnencryptedHTTP2(true)
	}
	if s.Configure != nil {
		s.Configure(hs)
	}
	if hs.Handler == nil {
		hs.Handler = http.DefaultServeMux
	}
	return hs
}

// newFront makes the front of r, whose http.Server is complete but for it.
func (s *Server) newFront(r *run) (*front, error) {
	format, err := parseLogFormat(cmp.Or(s.LogFormat, DefaultLogFormat))
	if err != nil {
		return nil, fmt.Errorf("log_format: %w", err)
	}
	f := &front{
		next:        r.h1.Handler,
		log:         r.log,
		maxURL:      limit(s.MaxURLLength, DefaultMaxURLLength),
		maxLine:     limit(s.MaxHeaderLine, DefaultMaxHeaderLine),
		turns:       turns{size: int64(limit(s.PoolSize, DefaultPoolSize))},
		bodyTimeout: duration(s.BodyTimeout, duration(s.ClientSocketTimeout, DefaultClientSocketTimeout)),
		format:      format,
		access:      s.AccessLog,
		debug:       s.Debug,
		epoch:       time.Now(),
		farewell:    newFarewell(s.DrainSpread),
		quiet:       r.notify,
	}
	if r.h1.ReadTimeout > 0 {
		f.bodyTimeout = 0
	}
	return f, nil
}

// limit is n, the default for zero, and no limit for negative n.
func limit(n, byDefault int) int {
	if n < 0 {
		return math.MaxInt
	}
	return cmp.Or(n, byDefault)
}

// duration is d, the default for zero, and zero for negative d.
func duration(d, byDefault time.Duration) time.Duration { return max(0, cmp.Or(d, byDefault)) }

// hook puts r between hs and what the user set in it.
func (r *run) hook(hs *http.Server) {
	hs.Handler = r.front
	state, base, ofConn := hs.ConnState, hs.BaseContext, hs.ConnContext
	hs.ConnState = func(nc net.Conn, s http.ConnState) {
		if state != nil {
			state(nc, s)
		}
		r.connState(nc, s)
	}
	hs.BaseContext = func(net.Listener) context.Context {
		if base == nil {
			return r.base
		}
		return base(r.ln)
	}
	hs.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if ofConn != nil {
			ctx = ofConn(ctx, nc)
		}
		return context.WithValue(ctx, connKey{}, connOf(nc))
	}
}

// multiplex sets up HTTP/2. The graceful shutdown of net/http closes idle HTTP/1.1 connections while
// it tells those of HTTP/2 to go away, so the latter are registered with an http.Server of their own.
func (r *run) multiplex() {
	plain := r.h1.Protocols != nil && r.h1.Protocols.UnencryptedHTTP2()
	if r.h1.TLSNextProto != nil || !plain && (r.tls == nil || !slices.Contains(r.tls.NextProtos, "h2")) {
		return
	}
	h2 := &http.Server{IdleTimeout: r.h1.IdleTimeout, ReadTimeout: r.h1.ReadTimeout, Protocols: r.h1.Protocols, TLSConfig: r.tls.Clone()}
	h2.Serve(noListener{}) // sets up HTTP/2 and returns
	if h2.TLSNextProto == nil {
		r.withoutHTTP2() // switched off by GODEBUG, or the ciphers that Configure has set are not for it
		return
	}
	r.h2 = h2
	r.h1.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	for protocol, serve := range h2.TLSNextProto {
		r.h1.TLSNextProto[protocol] = func(hs *http.Server, tc *tls.Conn, h http.Handler) {
			if c := connOf(tc); c != nil {
				c.state.Store(multiple)
			}
			serve(hs, tc, h)
		}
	}
}

// noListener has been closed from the beginning.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.TCPAddr{} }
