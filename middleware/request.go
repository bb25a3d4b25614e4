// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/mainstay-go/mainstay/logging"
)

// A Filter puts a middleware around a handler.
type Filter = func(http.Handler) http.Handler

// A scope is what the filters of a pipeline know of one request. Inner ones write it before they call
// the handler, outer ones read it when that has returned; what log lines say may be read at any time.
// It is a context so that it takes one allocation; those derived from it watch its parent, as theirs.
type scope struct {
	context.Context
	ids      atomic.Pointer[ids]      // nil until there are some
	identity atomic.Pointer[Identity] // nil until somebody said who asks
	version  Version                  // the zero Version until it is negotiated
	scheme   string                   // as the first proxy saw it; empty without one
	prefix   string                   // of the path, that proxies took away
	legacy   bool                     // LegacyV2 was passed
}

type ids struct{ request, global string }

type (
	scopeKey    struct{}
	identityKey struct{}
)

func (s *scope) Value(key any) any {
	switch key.(type) {
	case scopeKey:
		return s
	case logging.RequestKey:
		if line, ok := s.line(); ok {
			return line
		}
	case identityKey:
		if id := s.identity.Load(); id != nil {
			return id
		}
	}
	return s.Context.Value(key)
}

// line returns what log lines say of the request, if s knows any of it. It is made for each line: most
// requests have none.
func (s *scope) line() (*logging.Request, bool) {
	ids, identity := s.ids.Load(), s.identity.Load()
	if ids == nil && identity == nil {
		return nil, false
	}
	line, _ := logging.RequestOf(s.Context)
	if ids != nil {
		line.ID, line.GlobalID = ids.request, ids.global
	}
	if identity != nil {
		identity.tell(&line)
	}
	return &line, true
}

// scopeOf returns the scope of a request, or nil.
func scopeOf(ctx context.Context) *scope {
	if s, ok := ctx.(*scope); ok {
		return s
	}
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// enter returns the scope of a request and a request that has it.
func enter(r *http.Request) (*scope, *http.Request) {
	if s := scopeOf(r.Context()); s != nil {
		return s, r
	}
	s := &scope{Context: r.Context()}
	return s, r.WithContext(s)
}

// identify returns a request that is made by id. The outer filters know it then, too: the line of the
// request log tells who asked, as the original's does.
func identify(r *http.Request, id *Identity) *http.Request {
	s, r := enter(r)
	s.identity.Store(id)
	return r
}

// Scheme returns http or https: what the client used, as far as HTTPProxyToWSGI was told by a proxy.
func Scheme(r *http.Request) string {
	if s := scopeOf(r.Context()); s != nil && s.scheme != "" {
		return s.scheme
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// Prefix returns the path that proxies took away from that of the request, as HTTPProxyToWSGI was
// told; it belongs in front of the paths of links.
func Prefix(r *http.Request) string {
	if s := scopeOf(r.Context()); s != nil {
		return s.prefix
	}
	return ""
}

// URL returns the URL that the client asked for, with scheme and host, as far as proxies told it.
func URL(r *http.Request) string {
	return Scheme(r) + "://" + r.Host + Prefix(r) + requestURI(r)
}

// ClientIP returns the address of the client without a port: that of the connection, or what
// HTTPProxyToWSGI put in its place. On a unix socket it is empty.
func ClientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return strings.TrimPrefix(r.RemoteAddr, "@")
	}
	return host
}

// requestURI returns path and query as the client sent them, whatever mounts have taken from the path
// since.
func requestURI(r *http.Request) string {
	uri := r.RequestURI
	if uri == "" {
		return r.URL.RequestURI()
	}
	if uri[0] == '/' || uri == "*" {
		return uri
	}
	if u, err := url.Parse(uri); err == nil { // absolute form
		return u.RequestURI()
	}
	return uri
}

// An Identity says who makes a request. Fields that are not known are empty.
type Identity struct {
	UserID, UserName, UserDomainID, UserDomainName             string
	ProjectID, ProjectName, ProjectDomainID, ProjectDomainName string
	DomainID, DomainName                                       string
	SystemScope                                                string // "all" or nothing
	Roles                                                      []string
	IsAdmin                                                    bool
	ServiceUserID, ServiceProjectID                            string // of the service that asks for the user
	ServiceRoles                                               []string
}

// tell writes who asks into what log lines say.
func (id *Identity) tell(line *logging.Request) {
	line.User, line.UserName = id.UserID, id.UserName
	line.UserDomain, line.UserDomainName = id.UserDomainID, id.UserDomainName
	line.Project, line.ProjectName = id.ProjectID, id.ProjectName
	line.ProjectDomain, line.ProjectDomainName = id.ProjectDomainID, id.ProjectDomainName
	line.Domain, line.DomainName, line.SystemScope = id.DomainID, id.DomainName, id.SystemScope
}

// WithIdentity returns a context with an identity, that IdentityOf finds and that log lines carry. It
// is for filters of other packages.
func WithIdentity(ctx context.Context, id *Identity) context.Context {
	line, _ := logging.RequestOf(ctx)
	id.tell(&line)
	return logging.WithRequest(context.WithValue(ctx, identityKey{}, id), line)
}

// IdentityOf returns who makes the request with context ctx, or nil if nobody said. It must not be
// changed.
func IdentityOf(ctx context.Context) *Identity {
	id, _ := ctx.Value(identityKey{}).(*Identity)
	return id
}
