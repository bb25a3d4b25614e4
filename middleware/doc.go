// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package middleware has the filters that stand before an OpenStack API, with the options and the
behaviour of oslo.middleware's, nova's and neutron's, and others that a service in the open needs.

	cors, err := middleware.CORS(config.Get[middleware.CORSOptions](conf, "cors"))
	...
	sizelimit, err := middleware.RequestBodySizeLimiter(config.Get[middleware.SizeLimitOptions](conf, "oslo_middleware"))
	...
	api := cors(middleware.RequestID("X-Compute-Request-Id")(middleware.FaultWrapper(nil)(sizelimit(app))))

A [Filter] is a func(http.Handler) http.Handler, so those of other packages mix with these. Options are
structs for config.Register; constructors that have any return an error that begins with the name of
the option. The factories of the stock paste files are in package stock, authtoken in package authtoken.

	RequestID               request_id, compute_req_id: ids in header, context and log lines
	CORS                    cors
	HTTPProxyToWSGI         http_proxy_to_wsgi: Forwarded and X-Forwarded-*, of trusted proxies
	RequestBodySizeLimiter  sizelimit
	Healthcheck             healthcheck, as a filter; HealthcheckApp as an application
	RequestLog              request_log
	FaultWrapper            faultwrap: panics become nova's faults
	CatchErrors             catch_errors
	NoAuth2                 noauth2
	KeystoneContext         keystonecontext
	FakeProjectID           fake_project_id
	LegacyV2                legacy_v2_compatible
	MicroVersion            version negotiation: OpenStack-API-Version
	RateLimit               requests a second of each client
	LoadShed                requests at once, with a queue and a deadline
	Timeout                 until an answer begins
	Compress                gzip

# What handlers see

IdentityOf, VersionOf and logging.RequestOf tell from a request's context who asks, for which version
of the API, and under which id. Scheme, Prefix, URL and ClientIP tell how the client sees the server.
Error and WriteFault answer in the forms of webob and of nova.

# Streaming

A response writer keeps its optional methods through every filter here: what of http.Flusher,
http.Hijacker, http.Pusher and io.ReaderFrom it has, by an assertion and by http.ResponseController,
deadlines too, and trailers. No filter holds a body in memory: Compress waits for the first
compress_min_size bytes, to see whether they are worth it.

A panic with http.ErrAbortHandler passes all filters.

# Where the originals decide otherwise

  - Headers of proxies are believed if the connection comes from one of trusted_proxies, and the last
    word is that of the outermost of those, not of whoever was first.
  - Values of Forwarded may be quoted, as RFC 7239 has it for IPv6 addresses. Schemes other than http
    and https, and what is no host or address, are ignored; the original takes anything.
  - A body of unknown length that is too long gives the handler an error to read, where the original
    has an exception. The client gets 413 all the same.
  - The request log has the bytes written as len, not the Content-Length, which a stream lacks.
  - Healthcheck's detailed report has Go's facts in the places of Python's.
  - An origin that can match none, such as one with a trailing slash, is an error.
*/
package middleware
