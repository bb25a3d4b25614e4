// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/mainstay-go/mainstay/logging"
)

// A Filter puts a middleware around a handler.
type Filter = func(http.Handler) http.Handler

// A scope is what the filters of a pipeline know of one request. Inner ones write it before they call
// the handler, outer ones read it when that has returned. It is a context so that it takes one
// allocation; those derived from it watch its parent, as theirs.
type scope struct {
	context.Context
	version Version // the zero Version until it is negotiated
	scheme  string  // as the first proxy saw it; empty without one
	prefix  string  // of the path, that proxies took away
	legacy  bool    // LegacyV2 was passed
}

type scopeKey struct{}

func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// scopeOf returns the scope of a request, or nil.
func scopeOf(ctx context.Context) *scope {
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

// WithIdentity returns a context with an identity, that IdentityOf finds and that log lines carry.
func WithIdentity(ctx context.Context, id *Identity) context.Context {
	r, _ := logging.RequestOf(ctx)
	r.User, r.UserName, r.UserDomain, r.UserDomainName = id.UserID, id.UserName, id.UserDomainID, id.UserDomainName
	r.Project, r.ProjectName = id.ProjectID, id.ProjectName
	r.ProjectDomain, r.ProjectDomainName = id.ProjectDomainID, id.ProjectDomainName
	r.Domain, r.DomainName, r.SystemScope = id.DomainID, id.DomainName, id.SystemScope
	return logging.WithRequest(context.WithValue(ctx, identityKey{}, id), r)
}

type identityKey struct{}

// IdentityOf returns who makes the request with context ctx, or nil if nobody said. It must not be
// changed.
func IdentityOf(ctx context.Context) *Identity {
	id, _ := ctx.Value(identityKey{}).(*Identity)
	return id
}
