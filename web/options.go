// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"time"

	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/tlsfiles"
)

// Options are what a configuration file says of a [Server]: oslo.service's options, for config.Register
// with the group DEFAULT. The zero value is not the default: that is in the tags.
type Options struct {
	LogFormat           string        `config:"wsgi_log_format" default:"%(client_ip)s \"%(request_line)s\" status: %(status_code)s  len: %(body_length)s time: %(wall_seconds).7f" help:"Form of access log messages, as Python's % operator has it. Fields: client_ip, client_port, date_time, request_line, status_code, body_length, wall_seconds."`
	KeepAliveIdle       time.Duration `config:"tcp_keepidle" default:"600" min:"0" unit:"seconds" help:"For how long a TCP connection may be silent before the kernel asks whether the peer is still there. 0 is without that question."`
	PoolSize            int           `config:"wsgi_default_pool_size" default:"100" min:"0" help:"Requests that each worker handles at once; more wait for their turn. 0 is without limit."`
	MaxHeaderLine       int           `config:"max_header_line" default:"16384" min:"0" unit:"bytes" help:"Longest line of a request's header. All together may take four times as much. 0 leaves it at 1 MB for all."`
	KeepAlive           bool          `config:"wsgi_keep_alive" default:"true" help:"Keep connections open between requests."`
	ClientSocketTimeout time.Duration `config:"client_socket_timeout" default:"900" min:"0" unit:"seconds" help:"For how long a client may be silent on an open connection. 0 is without end."`
	UnencryptedHTTP2    bool          `config:"http2_cleartext" default:"false" help:"Speak HTTP/2 also without TLS, with clients that begin with it."`
	Debug               bool          `config:"wsgi_server_debug" default:"false" help:"Send the stack of a panic to the client."`
}

// Validate says what is wrong with LogFormat, whose grammar is the only one that the declaration does not
// have.
func (o Options) Validate() error {
	_, err := parseLogFormat(o.LogFormat)
	return err
}

// Apply sets the fields of s that the options are for.
func (o Options) Apply(s *Server) {
	s.LogFormat = o.LogFormat
	s.PoolSize = cmp.Or(o.PoolSize, -1)
	s.MaxHeaderLine = cmp.Or(o.MaxHeaderLine, -1)
	s.DisableKeepAlives = !o.KeepAlive
	s.ClientSocketTimeout = cmp.Or(o.ClientSocketTimeout, -1)
	s.UnencryptedHTTP2 = o.UnencryptedHTTP2
	s.Debug = o.Debug
}

// Socket returns the setting of listeners.
func (o Options) Socket() *socket.Config {
	return &socket.Config{KeepAliveIdle: cmp.Or(o.KeepAliveIdle, -1)}
}

// SSLOptions are those of a [Server] with TLS, for config.Register with the group ssl.
type SSLOptions tlsfiles.Options

// Apply sets the field TLS of s if the options ask for TLS. A ca_file alone does, too: whoever demands
// certificates of clients is not to be served without, so Check and Start refuse it.
func (o SSLOptions) Apply(s *Server) {
	if t := tlsfiles.Options(o); t.Enabled() || t.CAFile != "" {
		s.TLS = &t
	}
}
