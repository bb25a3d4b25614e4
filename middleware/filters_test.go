// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/logging"
	"github.com/mainstay-go/mainstay/middleware"
)

// ask sends a request to a handler behind filters, the first one outermost.
func ask(h http.HandlerFunc, r *http.Request, filters ...middleware.Filter) *httptest.ResponseRecorder {
	var all http.Handler = h
	for _, f := range slices.Backward(filters) {
		all = f(all)
	}
	w := httptest.NewRecorder()
	all.ServeHTTP(w, r)
	return w
}

// request makes a request with headers given as name and value.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func nothing(http.ResponseWriter, *http.Request) {}

func TestRequestIDInContext(t *testing.T) {
	const global = "req-01234567-89ab-cdef-0123-456789abcdef"
	form := regexp.MustCompile(`^req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := make(map[string]bool)
	for inbound, want := range map[string]string{
		"": "", global: global, strings.ToUpper(global): "", global + "0": "", "req-1": "", " " + global: "",
		strings.Replace(global, "-", "0", 3): "", "req-01234567-89ab-cdef-0123-456789abcdeg": "", "REQ" + global[3:]: "",
	} {
		var got logging.Request
		r := request("GET", "/", "X-Openstack-Request-Id", inbound)
		w := ask(func(w http.ResponseWriter, r *http.Request) { got, _ = logging.RequestOf(r.Context()) }, r, middleware.RequestID("x-compute-request-id"))
		if got.GlobalID != want {
			t.Errorf("inbound %q: global id %q, want %q", inbound, got.GlobalID, want)
		}
		a, b := w.Header()["X-Openstack-Request-Id"], w.Header()["X-Compute-Request-Id"]
		if !form.MatchString(got.ID) || !slices.Equal(a, []string{got.ID}) || !slices.Equal(a, b) || seen[got.ID] {
			t.Errorf("inbound %q: id %q in the log, %q and %q in the header", inbound, got.ID, a, b)
		}
		seen[got.ID] = true
	}
}

func TestRequestIDTwice(t *testing.T) {
	var inside string
	w := ask(func(w http.ResponseWriter, r *http.Request) {
		line, _ := logging.RequestOf(r.Context())
		inside = line.ID
	}, request("GET", "/"), middleware.RequestID(), middleware.RequestID("X-Compute-Request-Id"))
	if a, b := w.Header()["X-Openstack-Request-Id"], w.Header()["X-Compute-Request-Id"]; !slices.Equal(a, []string{inside}) || !slices.Equal(a, b) {
		t.Errorf("%q and %q in the header, %q in the log", a, b, inside)
	}
}

func TestHTTPProxyToWSGITrust(t *testing.T) {
	forwarded := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example.com", "X-Forwarded-For", "198.51.100.9, 203.0.113.7"}
	for name, c := range map[string]struct {
		remote  string
		trusted []string
		headers []string
		want    string
	}{
		"a stranger":              {remote: "203.0.113.99:5", trusted: []string{"private"}, headers: forwarded, want: "http example.com 203.0.113.99:5"},
		"a proxy":                 {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: forwarded, want: "https api.example.com 203.0.113.7:0"},
		"a proxy by address":      {remote: "203.0.113.99:5", trusted: []string{"203.0.113.99"}, headers: forwarded, want: "https api.example.com 203.0.113.7:0"},
		"both hops trusted":       {remote: "203.0.113.99:5", trusted: []string{"203.0.113.0/24"}, headers: forwarded, want: "https api.example.com 198.51.100.9:0"},
		"anybody":                 {remote: "203.0.113.99:5", trusted: []string{"any"}, headers: forwarded, want: "https api.example.com 198.51.100.9:0"},
		"nobody":                  {remote: "127.0.0.1:5", headers: forwarded, want: "http example.com 127.0.0.1:5"},
		"a unix socket":           {remote: "@", trusted: []string{"unix"}, headers: forwarded, want: "https api.example.com 203.0.113.7:0"},
		"a unix socket, not told": {remote: "@", trusted: []string{"127.0.0.1"}, headers: forwarded, want: "http example.com @"},
		"mapped IPv4":             {remote: "[::ffff:10.0.0.1]:5", trusted: []string{"10.0.0.0/8"}, headers: forwarded, want: "https api.example.com 203.0.113.7:0"},
		"quoted IPv6 with port":   {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"Forwarded", `for="[2001:db8::7]:4711";proto="https"`}, want: "https example.com [2001:db8::7]:4711"},
		"unknown and hidden":      {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"Forwarded", `for=unknown;proto=https`}, want: "https example.com 10.0.0.1:5"},
		"the invention of a client": {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"Forwarded",
			`for=10.0.0.9;host=evil.example.com;proto=https, for=203.0.113.7;host=api.example.com;proto=http`}, want: "http api.example.com 203.0.113.7:0"},
		"two fields":    {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"Forwarded", "for=203.0.113.7", "Forwarded", "for=10.0.0.2"}, want: "http example.com 203.0.113.7:0"},
		"broken before": {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"Forwarded", `for="203.0.113.7`, "Forwarded", "for=203.0.113.8"}, want: "http example.com 203.0.113.8:0"},
		"broken":        {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"Forwarded", `for="203.0.113.7`}, want: "http example.com 10.0.0.1:5"},
		"a bad host":    {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"X-Forwarded-Host", "a/b"}, want: "http example.com 10.0.0.1:5"},
		"a bad scheme":  {remote: "10.0.0.1:5", trusted: []string{"private"}, headers: []string{"X-Forwarded-Proto", "javascript"}, want: "http example.com 10.0.0.1:5"},
	} {
		t.Run(name, func(t *testing.T) {
			f := must(middleware.HTTPProxyToWSGI(middleware.ProxyOptions{EnableProxyHeadersParsing: true, TrustedProxies: c.trusted}))
			r := request("GET", "/", c.headers...)
			r.RemoteAddr = c.remote
			ask(func(_ http.ResponseWriter, r *http.Request) {
				if got := middleware.Scheme(r) + " " + r.Host + " " + r.RemoteAddr; got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}, r, f)
		})
	}
}

func TestFaultWrapper(t *testing.T) {
	const hidden = `{"computeFault": {"code": 500, "message": "The server has either erred or is incapable of performing the requested operation."}}`
	for name, c := range map[string]struct {
		panics any
		status int
		body   string
	}{
		"text":            {"secret", 500, hidden},
		"an error":        {errors.New("secret"), 500, hidden},
		"a fault":         {&middleware.Fault{Code: 404, Message: "No \"é\"."}, 404, `{"itemNotFound": {"code": 404, "message": "No \"\u00e9\"."}}`},
		"a wrapped fault": {fmt.Errorf("secret: %w", &middleware.Fault{Code: 409}), 409, `{"conflictingRequest": {"code": 409, "message": "There was a conflict when trying to complete your request."}}`},
		"over the limit": {&middleware.Fault{Code: 429, Message: "m", Header: http.Header{"Retry-After": {"5"}}}, 429,
			`{"overLimit": {"code": 429, "message": "m", "retryAfter": "5"}}`},
		"an unknown code": {&middleware.Fault{Code: 299, Message: "secret"}, 500, hidden},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w := ask(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "999")
				w.Header().Set("Etag", `"x"`)
				panic(c.panics)
			}, request("GET", "/v2.1/x"), middleware.FaultWrapper(slog.New(slog.NewTextHandler(&log, nil))))
			if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Type") != "application/json; charset=UTF-8" || w.Header()["Etag"] != nil {
				t.Errorf("got %d %v %s, want %d %s", w.Code, w.Header(), w.Body, c.status, c.body)
			}
			if text := log.String(); !strings.Contains(text, "Caught error") || !strings.Contains(text, "filters_test.go") ||
				!strings.Contains(text, fmt.Sprintf("http://example.com/v2.1/x returned with HTTP %d", c.status)) {
				t.Errorf("log %s", text)
			}
		})
	}
}

func TestCatchErrorsMasksTokens(t *testing.T) {
	var log bytes.Buffer
	ask(func(http.ResponseWriter, *http.Request) { panic("p") }, request("GET", "/", "X-Auth-Token", "s3cret", "X-Service-Token", "s3cret", "Authorization", "Basic s3cret", "X-Fine", "shown"),
		middleware.CatchErrors(slog.New(slog.NewTextHandler(&log, nil))))
	if text := log.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "X-Auth-Token: *****") || !strings.Contains(text, "X-Fine: shown") {
		t.Errorf("log %s", text)
	}
}

func TestRequestLog(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(202); io.WriteString(w, "four") }
	for name, c := range map[string]struct {
		format  string
		app     http.HandlerFunc
		filters []middleware.Filter
		headers []string
		want    string
	}{
		"nova":           {app: app, want: `^192\.0\.2\.1 "GET /v2\.1/servers\?limit=1" status: 202 len: 4 microversion: - time: 0\.\d{6}$`},
		"wsgi":           {format: "wsgi", app: app, want: `^192\.0\.2\.1 "GET /v2\.1/servers\?limit=1 HTTP/1\.1" status: 202  len: 4 time: 0\.\d{7}$`},
		"a version":      {app: app, filters: []middleware.Filter{must(middleware.MicroVersion(nova))}, headers: []string{"OpenStack-API-Version", "compute 2.53"}, want: ` microversion: 2\.53 `},
		"a version late": {app: app, filters: []middleware.Filter{must(middleware.MicroVersion(nova))}, headers: []string{"OpenStack-API-Version", "compute 2.99"}, want: ` status: 406 len: \d+ microversion: 2\.99 `},
		"no answer":      {app: nothing, want: ` status: 200 len: 0 `},
		"a panic":        {app: func(http.ResponseWriter, *http.Request) { panic("p") }, want: ` status: 500 len: 0 `},
		"a fault below":  {app: func(http.ResponseWriter, *http.Request) { panic("p") }, filters: []middleware.Filter{middleware.FaultWrapper(quiet)}, want: ` status: 500 len: 1\d\d `},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			logger := slog.New(slog.NewJSONHandler(&log, nil))
			f := must(middleware.RequestLog(middleware.RequestLogOptions{Format: c.format, Logger: logger}))
			r := request("GET", "/v2.1/servers?limit=1", c.headers...)
			ask(c.app, r, append([]middleware.Filter{middleware.CatchErrors(quiet), f}, c.filters...)...)
			line := regexp.MustCompile(`"msg":"((?:\\.|[^"\\])*)"`).FindStringSubmatch(log.String())
			if line == nil || !regexp.MustCompile(c.want).MatchString(strings.ReplaceAll(line[1], `\"`, `"`)) {
				t.Errorf("log %s, want %s", log.String(), c.want)
			}
		})
	}
}

func TestNoAuth2(t *testing.T) {
	w := ask(nil, request("GET", "/v2.1/", "X-Auth-User", "u", "X-Auth-Project-Id", "p"), middleware.NoAuth2())
	if w.Code != 204 || w.Header().Get("X-Auth-Token") != "u:p" || w.Header().Get("X-Server-Management-Url") != "http://example.com/v2.1/p" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	w = ask(nil, request("GET", "/v2.1/"), middleware.NoAuth2V218())
	if w.Code != 204 || w.Header().Get("X-Auth-Token") != "admin:admin" || w.Header().Get("X-Server-Management-Url") != "http://example.com/v2.1" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	for token, want := range map[string]string{"u:p": "u p false", "u": "u u false", "admin:x": "admin x true", "u:p:q": "u p:q false", "": "  false"} {
		r := request("GET", "/")
		r.Header["X-Auth-Token"] = []string{token}
		ask(func(_ http.ResponseWriter, r *http.Request) {
			id := middleware.IdentityOf(r.Context())
			if got := fmt.Sprint(id.UserID, " ", id.ProjectID, " ", id.IsAdmin); got != want {
				t.Errorf("token %q is %q, want %q", token, got, want)
			}
			if line, _ := logging.RequestOf(r.Context()); line.User != id.UserID || line.Project != id.ProjectID {
				t.Errorf("token %q: log lines say %+v", token, line)
			}
		}, r, middleware.NoAuth2())
	}
}

func TestIdentityFromHeaders(t *testing.T) {
	headers := []string{"X-User-Id", "u", "X-Project-Id", "p", "X-Roles", "member, reader", "X-User-Name", "name", "X-Service-Roles", "service"}
	var got *middleware.Identity
	keep := func(_ http.ResponseWriter, r *http.Request) { got = middleware.IdentityOf(r.Context()) }
	for name, f := range map[string]middleware.Filter{"keystonecontext": middleware.KeystoneContext(), "fake_project_id": middleware.FakeProjectID()} {
		ask(keep, request("GET", "/", headers...), f)
		if got.UserID != "u" || got.ProjectID != "p" || got.IsAdmin || !slices.Equal(got.Roles, []string{"member", "reader"}) || got.UserName != "name" || !slices.Equal(got.ServiceRoles, []string{"service"}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	ask(keep, request("GET", "/"), middleware.FakeProjectID())
	if got.ProjectID != "fake_project_id" || !got.IsAdmin || !slices.Equal(got.Roles, []string{"admin"}) {
		t.Errorf("without headers: %+v", got)
	}
	if w := ask(nil, request("GET", "/"), middleware.KeystoneContext()); w.Code != 401 || !strings.HasPrefix(w.Body.String(), "401 Unauthorized\n\nThis server could not verify") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	ask(keep, request("GET", "/", "X-User", "u", "X-Tenant", "t", "X-Role", "ADMIN"), middleware.KeystoneContext())
	if got.UserID != "u" || got.ProjectID != "t" || !got.IsAdmin {
		t.Errorf("with names of years ago: %+v", got)
	}
}

// TestOptionErrors holds that each error begins with the name of the option.
func TestOptionErrors(t *testing.T) {
	for option, err := range map[string]error{
		"max_request_body_size":   second(middleware.RequestBodySizeLimiter(middleware.SizeLimitOptions{MaxRequestBodySize: -1})),
		"allowed_origin":          second(middleware.CORS(middleware.CORSOptions{AllowedOrigin: []string{"http://ok", "http://slash/"}})),
		"trusted_proxies":         second(middleware.HTTPProxyToWSGI(middleware.ProxyOptions{TrustedProxies: []string{"10.0.0.0/99"}})),
		"backends":                second(middleware.Healthcheck(middleware.HealthOptions{Backends: []string{"nonsense"}})),
		"path":                    second(middleware.Healthcheck(middleware.HealthOptions{Path: "relative"})),
		"disable_by_file_paths":   second(middleware.Healthcheck(middleware.HealthOptions{DisableByFilePaths: []string{"/path"}})),
		"allowed_source_ranges":   second(middleware.Healthcheck(middleware.HealthOptions{AllowedSourceRanges: []string{"x"}})),
		"format":                  second(middleware.RequestLog(middleware.RequestLogOptions{Format: "apache"})),
		"service":                 second(middleware.MicroVersion(middleware.VersionOptions{Min: "2.1", Max: "2.2"})),
		"min":                     second(middleware.MicroVersion(middleware.VersionOptions{Service: "compute", Min: "2", Max: "2.2"})),
		"max":                     second(middleware.MicroVersion(middleware.VersionOptions{Service: "compute", Min: "2.3", Max: "2.2"})),
		"default":                 second(middleware.MicroVersion(middleware.VersionOptions{Service: "compute", Min: "2.1", Max: "2.2", Default: "2.3"})),
		"rate_limit":              second(middleware.RateLimit(middleware.RateLimitOptions{Rate: -1})),
		"rate_limit_burst_size":   second(middleware.RateLimit(middleware.RateLimitOptions{Rate: 1, Burst: -1})),
		"rate_limit_clients":      second(middleware.RateLimit(middleware.RateLimitOptions{Rate: 1, Clients: -1})),
		"max_concurrent_requests": second(middleware.LoadShed(middleware.ShedOptions{MaxConcurrency: -1})),
		"max_queued_requests":     second(middleware.LoadShed(middleware.ShedOptions{MaxQueue: -1})),
		"queue_timeout":           second(middleware.LoadShed(middleware.ShedOptions{QueueTimeout: -1})),
		"retry_after":             second(middleware.LoadShed(middleware.ShedOptions{RetryAfter: -1})),
		"request_timeout":         second(middleware.Timeout(middleware.TimeoutOptions{RequestTimeout: -1})),
		"compress_level":          second(middleware.Compress(middleware.CompressOptions{Level: 10})),
		"compress_min_size":       second(middleware.Compress(middleware.CompressOptions{Level: 1, MinSize: -1})),
		"compress_types":          second(middleware.Compress(middleware.CompressOptions{Level: 1, Types: []string{"json"}})),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), option+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", option, err)
		}
	}
}

func second(_ middleware.Filter, err error) error { return err }
