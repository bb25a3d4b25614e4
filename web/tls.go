// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

// Reset reads the certificate files again; new ones serve from the next connection on. If anything is wrong
// with them the old ones stay in use, and the error says why. Without such files, and when the Server
// does not serve, there is nothing to do.
func (s *Server) Reset(ctx context.Context) error {
	if files := s.files(); files != nil {
		return files.Reload(ctx)
	}
	return nil
}

// Inspect shows the certificates of the files that are in use, under the kind "certificates": see
// [tlsfiles.Source.Inspect].
func (s *Server) Inspect() map[string]any {
	if files := s.files(); files != nil {
		return files.Inspect()
	}
	return nil
}

// files returns the files of the latest run, nil without any.
func (s *Server) files() *tlsfiles.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil || s.run.is(over) {
		return nil
	}
	return s.run.files
}

// openFiles reads the files of TLS, CertFile and KeyFile; it returns nil without any.
func (s *Server) openFiles(log *slog.Logger) (*tlsfiles.Source, error) {
	if s.TLS == nil && s.CertFile == "" && s.KeyFile == "" {
		return nil, nil
	}
	var o tlsfiles.Options
	if s.TLS != nil {
		o = *s.TLS
	}
	o.CertFile, o.KeyFile = cmp.Or(o.CertFile, s.CertFile), cmp.Or(o.KeyFile, s.KeyFile)
	if o.Logger == nil {
		o.Logger = log
	}
	return tlsfiles.Open(o)
}

// secure turns TLS on if there is a certificate.
func (r *run) secure() {
	c := r.h1.TLSConfig
	if c == nil || len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil {
		return
	}
	r.tls = c.Clone()
	r.h1.TLSConfig = r.tls
	if len(r.tls.NextProtos) > 0 || r.h1.TLSNextProto != nil {
		return
	}
	r.tls.NextProtos = []string{"h2", "http/1.1"}
	if r.files != nil {
		r.tls.NextProtos = r.files.Template().NextProtos
	}
	if p := r.h1.Protocols; p != nil && !p.HTTP2() {
		r.withoutHTTP2()
	}
}

// withoutHTTP2 offers it no more.
func (r *run) withoutHTTP2() {
	if r.tls != nil {
		r.tls.NextProtos = slices.DeleteFunc(slices.Clone(r.tls.NextProtos), func(p string) bool { return p == "h2" })
	}
}

// follow makes the configuration, complete by now, follow the files.
func (r *run) follow() {
	if r.files != nil && r.tls != nil {
		r.tls = r.files.Follow(r.tls)
		r.h1.TLSConfig = r.tls
	}
}

// watch has the files looked at until the function that it returns is called, which waits for that to end.
func (r *run) watch() func() {
	if r.files == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.files.Watch(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
