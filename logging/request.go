// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import "context"

// A Request is what a line says of the request that it belongs to. Empty fields are not known.
type Request struct {
	ID       string // request_id; without it a line is written as one of no request
	GlobalID string // global_request_id: of the request that this one was made for

	User, Project, Domain     string // ids
	UserDomain, ProjectDomain string // ids
	SystemScope               string // "all" or nothing

	UserName, ProjectName, DomainName string
	UserDomainName, ProjectDomainName string

	ResourceUUID string // what the request is about: written as an instance_uuid
}

// RequestKey is the type of the key under which a context has a *Request. It is for contexts that
// have one themselves; WithRequest is for all others.
type RequestKey struct{}

// WithRequest returns a context whose lines belong to r.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, RequestKey{}, &r)
}

// WithRequestID returns a context whose lines belong to the request of that id. The rest of a request
// that ctx already has stays.
func WithRequestID(ctx context.Context, id string) context.Context {
	r, _ := RequestOf(ctx)
	r.ID = id
	return WithRequest(ctx, r)
}

// RequestOf returns the request that ctx has, if it has one.
func RequestOf(ctx context.Context) (Request, bool) {
	if r := requestOf(ctx); r != nil {
		return *r, true
	}
	return Request{}, false
}

func requestOf(ctx context.Context) *Request {
	if ctx == nil {
		return nil
	}
	r, _ := ctx.Value(RequestKey{}).(*Request)
	return r
}
