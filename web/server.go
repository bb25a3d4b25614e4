// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

// The defaults of a [Server]: those of oslo.service's wsgi server where that has the option.
const (
	DefaultMaxHeaderLine       = 16384
	DefaultMaxURLLength        = 8192
	DefaultPoolSize            = 100
	DefaultClientSocketTimeout = 900 * time.Second
	DefaultReadHeaderTimeout   = 60 * time.Second
	DefaultDrainGrace          = time.Second
)

var errServing = errors.New("serves already")

// A Server serves HTTP on one listener. Its fields are read by Start, or by Serve where Start was not
// called, and must not change until Serve and Shutdown have returned. A Server must not be copied.
type Server struct {
	// Listener accepts the connections; it must be set. The Server ends it: by a Shutdown(ctx) method
	// where it has one, as a socket.Listener has, else by Close.
	Listener net.Listener

	// Handler answers requests; nil is http.DefaultServeMux.
	Handler http.Handler

	// Label is the name in logs and status; default "web".
	Label string

	// Configure, if set, may change the http.Server that each Start makes of the other fields, before
	// it serves. A handler, ConnState or BaseContext set here is used as well. TLSConfig holds what TLS
	// and CertFile say and is nil without; what is changed in it holds, and one with other certificates
	// takes their place and turns TLS on.
	// Functions given to RegisterOnShutdown run at the end of a drain. Whoever sets TLSNextProto
	// serves HTTP/2 without its part in a drain.
	Configure func(*http.Server)

	// CertFile and KeyFile are PEM files; both turn on TLS, with HTTP/2; one alone is an error. They are
	// looked at every few seconds, and new ones serve from the next connection on.
	CertFile, KeyFile string

	// TLS, if set, turns on TLS with all its options: client certificates, versions, ciphers and more
	// certificates. CertFile and KeyFile stand in for those that it has not.
	TLS *tlsfiles.Options

	// UnencryptedHTTP2 serves HTTP/2 beside HTTP/1.1 where there is no TLS, to clients that begin with it.
	// Connections then stay where they were accepted, as with DisableHandOver.
	UnencryptedHTTP2 bool

	// MaxHeaderLine is the longest line of a request's header in bytes (oslo.service:
	// max_header_line); a longer one is answered 431. All lines together may take four times as
	// much. Default 16384; negative leaves it to the 1 MB of net/http for all.
	MaxHeaderLine int

	// MaxURLLength is the longest URL of a request in bytes; a longer one is answered 414. Default
	// 8192; negative leaves it to the limit for all lines of the header.
	MaxURLLength int

	// PoolSize is how many requests are handled at once (oslo.service: wsgi_default_pool_size). More
	// wait for their turn, first come first served, as long as their clients do. A handler that took
	// its connection over counts no more. Default 100; negative is without limit.
	PoolSize int

	// ClientSocketTimeout is how long a kept-alive connection may be idle, and, over TCP on Linux,
	// how long a client may take no byte of an answer (oslo.service: client_socket_timeout). Default
	// 900 s; negative is without end.
	ClientSocketTimeout time.Duration

	// ReadHeaderTimeout is how long a client may take to send the header of a request, on a new
	// connection from its first moment. Default 60 s; negative is without end.
	ReadHeaderTimeout time.Duration

	// BodyTimeout is how long a client may let a handler wait for the next bytes of a body; then
	// reading fails with os.ErrDeadlineExceeded. Default ClientSocketTimeout; negative is without
	// end. A ReadTimeout set by Configure replaces it.
	BodyTimeout time.Duration

	// DisableKeepAlives closes each connection after one answer (oslo.service: wsgi_keep_alive).
	DisableKeepAlives bool

	// DisableHandOver keeps each connection where it was accepted. Else idle connections of HTTP/1.1
	// without TLS move to the successor when this server is replaced, and their clients notice nothing.
	// What a handler knows about a connection does not move along, so neither do the connections of a
	// ConnContext set by Configure, nor those that Listener has wrapped.
	DisableHandOver bool

	// AccessLog gets a message in LogFormat for each request; nil is no access log.
	AccessLog *slog.Logger

	// LogFormat is the form of access log messages (oslo.service: wsgi_log_format); see
	// [DefaultLogFormat].
	LogFormat string

	// Debug sends the stack of a panic to the client (oslo.service: wsgi_server_debug); otherwise
	// the answer has no body.
	Debug bool

	// DrainGrace is how long a drain waits for one more request on each idle connection, to close it
	// with the answer. Default 1 s; negative waits not at all.
	DrainGrace time.Duration

	// DrainSpread is over how long a drain lets the channels of [Draining] close, evenly: clients whose
	// endless answers or websockets end come back one after the other. It takes at most half of the
	// drain's time. Default 0: all at once.
	DrainSpread time.Duration

	// Logger gets what the server has to say; nil is slog.Default().
	Logger *slog.Logger

	mu  sync.Mutex
	run *run // the latest; nil before the first
}

// Name returns Label, or "web" without one.
func (s *Server) Name() string { return cmp.Or(s.Label, "web") }

// Check says whether Start would succeed; it changes nothing.
func (s *Server) Check(context.Context) error {
	_, err := s.newRun()
	return err
}

// Start checks the fields, reads the certificate files, and opens the listener again by its
// Reopen(ctx) method, if it has one, for a Server that was stopped. A Server whose Serve and Shutdown
// have returned may be started again; one that still serves may not.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	err := s.startLocked()
	r := s.run
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return r.open(ctx)
}

func (s *Server) startLocked() error {
	if s.run != nil && s.run.is(serving) {
		return errServing
	}
	r, err := s.newRun()
	if err != nil {
		return err
	}
	s.run = r
	return nil
}

// Serve accepts connections and answers requests until Shutdown has drained them, which returns nil,
// until the listener fails, or until ctx is cancelled. The latter two close every connection, cancel
// the contexts of all requests, and wait a moment for their handlers. The error then counts the
// requests that this cut; a cancelled Serve that cut nothing returns nil.
//
// Contexts of requests descend from ctx. Where Start was not called before, Serve does so.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	if s.run == nil || s.run.is(over) {
		if err := s.startLocked(); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	r := s.run
	err := r.begin(ctx)
	s.mu.Unlock()
	if err != nil || r.is(over) {
		return err
	}
	return r.serve(ctx)
}

// Shutdown drains. It stops accepting, as the reason in ctx demands of the listener, answers what was
// accepted, tells each client with its next answer that the connection closes, waits DrainGrace for
// those that are idle, and returns when all connections are gone, but those that handlers took over
// and did not call [Draining] for.
// When ctx ends first it closes them; the error then wraps ctx's and counts the requests cut.
//
// Serve must follow a Start also where Shutdown came before: Shutdown waits for it, though no longer
// than a second, if the accept queue is to be emptied. Without Start it makes the next Serve return at
// once. It may be called by several goroutines.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.run == nil || s.run.is(over) {
		s.run = stillborn()
	}
	r := s.run
	s.mu.Unlock()
	return r.shutdown(ctx)
}
