// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// CORSOptions are oslo.middleware's, for the group cors. The zero value is not the default: that is
// in the tags.
type CORSOptions struct {
	AllowedOrigin    []string `config:"allowed_origin" help:"Indicate whether this resource may be shared with the domain received in the requests \"origin\" header. Format: \"<protocol>://<host>[:<port>]\", no trailing slash. Example: https://horizon.example.com"`
	AllowCredentials bool     `config:"allow_credentials" default:"true" help:"Indicate that the actual request can include user credentials"`
	ExposeHeaders    []string `config:"expose_headers" help:"Indicate which headers are safe to expose to the API. Defaults to HTTP Simple Headers."`
	MaxAge           int      `config:"max_age" default:"3600" help:"Maximum cache age of CORS preflight requests."`
	AllowMethods     []string `config:"allow_methods" default:"OPTIONS,GET,HEAD,POST,PUT,DELETE,TRACE,PATCH" help:"Indicate which methods can be used during the actual request."`
	AllowHeaders     []string `config:"allow_headers" help:"Indicate which header field names may be used during the actual request."`
}

// simpleHeaders may be sent whatever allow_headers says.
var simpleHeaders = []string{
	"Accept", "Accept-Language", "Content-Type", "Cache-Control", "Content-Language", "Expires", "Last-Modified", "Pragma",
}

// CORS is oslo.middleware's: it lets pages of the allowed origins use the API. A handler that sets
// Access-Control-Allow-Origin itself knows better. OPTIONS requests that the handler does not answer
// with 2xx are answered 200 without a body, allowed origin or not.
func CORS(o CORSOptions) (Filter, error) {
	c := &cors{CORSOptions: o, expose: strings.Join(o.ExposeHeaders, ",")}
	for _, origin := range o.AllowedOrigin {
		if u, err := url.Parse(origin); origin != "*" && origin != "null" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return nil, fmt.Errorf("allowed_origin: %q is not <protocol>://<host>[:<port>] without a trailing slash", origin)
		}
	}
	if o.MaxAge != 0 {
		c.maxAge = strconv.Itoa(o.MaxAge)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions {
				x := &preflight{base: base{w}, cors: c, request: r, outer: w.Header().Clone()}
				next.ServeHTTP(shape(x, w), r)
				x.begin(http.StatusOK) // unless it has
				return
			}
			origin, allowed := c.origin(r)
			if !allowed {
				next.ServeHTTP(w, r)
				return
			}
			x, w := track(w)
			x.before = append(x.before, func(h http.Header, _ int) { c.share(h, origin) })
			next.ServeHTTP(w, r)
			x.end()
		})
	}, nil
}

type cors struct {
	CORSOptions
	expose, maxAge string
}

// origin returns what Access-Control-Allow-Origin says to a request, if it is from an allowed origin.
func (c *cors) origin(r *http.Request) (string, bool) {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return "", false
	}
	if slices.Contains(c.AllowedOrigin, values[0]) {
		return values[0], true
	}
	return "*", slices.Contains(c.AllowedOrigin, "*")
}

// share says in the header of an answer who may read it.
func (c *cors) share(h http.Header, origin string) {
	if h["Access-Control-Allow-Origin"] != nil {
		return
	}
	if vary := h["Vary"]; len(vary) > 0 {
		vary = slices.Clone(vary)
		vary[len(vary)-1] += ",Origin"
		h["Vary"] = vary
	} else {
		h.Set("Vary", "Origin")
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if c.expose != "" {
		h.Set("Access-Control-Expose-Headers", c.expose)
	}
}

// permit says in the header of an answer to OPTIONS what a page may ask for.
func (c *cors) permit(h http.Header, r *http.Request) {
	if h["Access-Control-Allow-Origin"] != nil {
		return
	}
	origin, allowed := c.origin(r)
	method := r.Header.Get("Access-Control-Request-Method")
	if !allowed || !slices.Contains(c.AllowMethods, method) {
		return
	}
	var asked []string
	for _, value := range r.Header.Values("Access-Control-Request-Headers") {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			same := func(known string) bool { return strings.EqualFold(known, name) }
			if !slices.ContainsFunc(c.AllowHeaders, same) && !slices.ContainsFunc(simpleHeaders, same) {
				return
			}
			asked = append(asked, name)
		}
	}
	h.Set("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	if c.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if c.maxAge != "" {
		h.Set("Access-Control-Max-Age", c.maxAge)
	}
	h.Set("Access-Control-Allow-Methods", method)
	if len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ","))
	}
}

// A preflight is the writer for OPTIONS requests: what the handler refuses becomes an empty 200.
type preflight struct {
	base
	cors    *cors
	request *http.Request
	outer   http.Header // what was set before the handler was called
	begun   bool
	empty   bool // the body of the handler is thrown away
}

func (x *preflight) tracker() *response { return nil }

func (x *preflight) begin(status int) {
	if x.begun {
		return
	}
	x.begun = true
	h := x.Header()
	switch {
	case h["Access-Control-Allow-Origin"] != nil: // the handler knows better
	case status < 200 || status > 299:
		x.empty, status = true, http.StatusOK
		clear(h)
		maps.Copy(h, x.outer)
	}
	x.cors.permit(h, x.request)
	x.ResponseWriter.WriteHeader(status)
}

func (x *preflight) WriteHeader(status int) {
	if !final(status) {
		x.ResponseWriter.WriteHeader(status)
		return
	}
	x.begin(status)
}

func (x *preflight) Write(p []byte) (int, error) {
	if x.begin(http.StatusOK); x.empty {
		return len(p), nil
	}
	return x.ResponseWriter.Write(p)
}

func (x *preflight) WriteString(s string) (int, error) {
	if x.begin(http.StatusOK); x.empty {
		return len(s), nil
	}
	return io.WriteString(x.ResponseWriter, s)
}

func (x *preflight) ReadFrom(src io.Reader) (int64, error) { return io.Copy(onlyWriter{x}, src) }

func (x *preflight) Flush() { x.FlushError() }

func (x *preflight) FlushError() error {
	x.begin(http.StatusOK)
	return x.base.FlushError()
}
