// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/middleware"
)

// A peerCase is a request to a filter around an application. The interop test sends it to
// oslo.middleware and to ours, and keeps oslo.middleware's answers in testdata/oslo.json for
// TestAsOslo.
type peerCase struct {
	Filter  string            `json:"filter"`
	Conf    map[string]string `json:"conf,omitempty"` // as a paste file would have it
	App     peerApp           `json:"app"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers [][2]string       `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Chunked bool              `json:"chunked,omitempty"`
}

// A peerApp answers what it is told to.
type peerApp struct {
	Status  int         `json:"status"` // 0 is 200
	Headers [][2]string `json:"headers,omitempty"`
	Body    string      `json:"body,omitempty"`
	Echo    bool        `json:"echo,omitempty"` // the body is what it sees of the request
	Read    bool        `json:"read,omitempty"` // it reads the body first, and lets an error pass
	Raise   bool        `json:"raise,omitempty"`
}

// A peerAnswer is what came back, without what changes from time to time.
type peerAnswer struct {
	Status  int      `json:"status"`
	Headers []string `json:"headers"` // "name: value", sorted
	Body    string   `json:"body"`
}

const serverPort = 8774 // that the applications are told

// peerCases is a function, for the interop test and TestAsOslo alike.
func peerCases() map[string]peerCase {
	cases := map[string]peerCase{}
	add := func(name string, c peerCase) {
		if c.Method == "" {
			c.Method = "GET"
		}
		if c.Path == "" {
			c.Path = "/v2.1/servers?limit=1"
		}
		if c.App.Status == 0 {
			c.App.Status = 200
		}
		if _, twice := cases[name]; twice {
			panic(name)
		}
		cases[name] = c
	}
	corsCases(add)
	healthCases(add)
	proxyCases(add)
	hello := peerApp{Headers: [][2]string{{"Content-Type", "text/plain; charset=UTF-8"}}, Body: "hello"}
	add("request id: one is made", peerCase{Filter: "request_id", App: hello})
	add("request id: the application has its own", peerCase{Filter: "request_id",
		App: peerApp{Headers: [][2]string{{"X-Openstack-Request-Id", "mine"}}}})
	add("request id: of an error", peerCase{Filter: "request_id", App: peerApp{Status: 404}})
	for name, accept := range map[string]string{
		"none": "", "anything": "*/*", "html": "text/html", "json": "application/json", "text": "text/plain",
		"json before html": "text/html;q=0.5, application/json", "broken": "text/html;q=7,,;", "image": "image/png",
		"html refused": "text/html;q=0, */*;q=0.1", "by type": "application/*", "with a parameter": "text/html;level=1",
		"capitals": "TEXT/HTML", "empty elements": ", ,application/json,",
	} {
		var headers [][2]string
		if accept != "" {
			headers = [][2]string{{"Accept", accept}}
		}
		add("catch errors: accept "+name, peerCase{Filter: "catch_errors", App: peerApp{Raise: true}, Headers: headers})
		add("size limit: accept "+name, peerCase{Filter: "sizelimit", Method: "POST", Headers: headers,
			Conf: map[string]string{"max_request_body_size": "4"}, App: hello, Body: "12345"})
		add("healthcheck: accept "+name, peerCase{Filter: "healthcheck", Path: "/healthcheck", Headers: headers,
			Conf: map[string]string{"backends": "disable_by_file", "disable_by_file_path": "/nowhere/to/be/found"}})
	}
	add("catch errors: nothing to catch", peerCase{Filter: "catch_errors", App: hello})
	add("catch errors: HEAD", peerCase{Filter: "catch_errors", Method: "HEAD", App: peerApp{Raise: true}})
	for _, chunked := range []bool{false, true} {
		for _, size := range []int{0, 3, 4, 5, 500} {
			add(fmt.Sprintf("size limit: %d of 4, chunked %t", size, chunked), peerCase{Filter: "sizelimit", Method: "PUT",
				Conf: map[string]string{"max_request_body_size": "4"}, App: peerApp{Read: true, Echo: true},
				Body: strings.Repeat("x", size), Chunked: chunked})
		}
	}
	add("size limit: default", peerCase{Filter: "sizelimit", Method: "POST", App: peerApp{Read: true, Echo: true}, Body: strings.Repeat("x", 114688)})
	add("size limit: over the default", peerCase{Filter: "sizelimit", Method: "POST", App: hello, Body: strings.Repeat("x", 114689)})
	return cases
}

func corsCases(add func(string, peerCase)) {
	conf := func(pairs ...string) map[string]string {
		m := map[string]string{"allowed_origin": "http://valid.example.com,https://two.example.com:8080"}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	origin := [2]string{"Origin", "http://valid.example.com"}
	app := peerApp{Headers: [][2]string{{"Content-Type", "text/plain; charset=UTF-8"}}, Body: "body"}
	for name, c := range map[string]peerCase{
		"no origin":                {App: app},
		"origin":                   {App: app, Headers: [][2]string{origin}},
		"the other origin":         {App: app, Headers: [][2]string{{"Origin", "https://two.example.com:8080"}}},
		"a stranger":               {App: app, Headers: [][2]string{{"Origin", "http://invalid.example.com"}}},
		"origin in capitals":       {App: app, Headers: [][2]string{{"Origin", "HTTP://VALID.example.com"}}},
		"empty origin":             {App: app, Headers: [][2]string{{"Origin", ""}}},
		"an error of the app":      {App: peerApp{Status: 404, Body: "no", Headers: app.Headers}, Headers: [][2]string{origin}},
		"no credentials":           {App: app, Conf: conf("allow_credentials", "False"), Headers: [][2]string{origin}},
		"exposed headers":          {App: app, Conf: conf("expose_headers", "X-One,X-Two"), Headers: [][2]string{origin}},
		"any origin":               {App: app, Conf: conf("allowed_origin", "*"), Headers: [][2]string{{"Origin", "http://who.example.com"}}},
		"vary of the app":          {App: peerApp{Headers: [][2]string{{"Vary", "Accept"}}}, Headers: [][2]string{origin}},
		"the app knows better":     {App: peerApp{Headers: [][2]string{{"Access-Control-Allow-Origin", "http://app.example.com"}}}, Headers: [][2]string{origin}},
		"options without origin":   {Method: "OPTIONS", App: app},
		"options unknown to app":   {Method: "OPTIONS", App: peerApp{Status: 404, Body: "no", Headers: [][2]string{{"X-App", "1"}}}},
		"options, app knows":       {Method: "OPTIONS", App: peerApp{Status: 204, Headers: [][2]string{{"X-App", "1"}}}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "GET"}}},
		"options, app allows":      {Method: "OPTIONS", App: peerApp{Status: 200, Headers: [][2]string{{"Access-Control-Allow-Origin", "http://app.example.com"}}}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "GET"}}},
		"preflight":                {Method: "OPTIONS", App: peerApp{Status: 405}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "GET"}}},
		"preflight of a stranger":  {Method: "OPTIONS", App: peerApp{Status: 405}, Headers: [][2]string{{"Origin", "http://no.example.com"}, {"Access-Control-Request-Method", "GET"}}},
		"preflight without method": {Method: "OPTIONS", App: peerApp{Status: 405}, Headers: [][2]string{origin}},
		"preflight, wrong method":  {Method: "OPTIONS", App: peerApp{Status: 405}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "get"}}},
		"preflight, one method":    {Method: "OPTIONS", Conf: conf("allow_methods", "GET"), App: peerApp{Status: 404}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "POST"}}},
		"preflight, max age 0":     {Method: "OPTIONS", Conf: conf("max_age", "0"), App: peerApp{Status: 404}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "POST"}}},
		"preflight, simple":        {Method: "OPTIONS", App: peerApp{Status: 404}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "PUT"}, {"Access-Control-Request-Headers", "content-type, ACCEPT"}}},
		"preflight, not allowed":   {Method: "OPTIONS", App: peerApp{Status: 404}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "PUT"}, {"Access-Control-Request-Headers", "X-Auth-Token"}}},
		"preflight, allowed":       {Method: "OPTIONS", Conf: conf("allow_headers", "X-Auth-Token,X-Other"), App: peerApp{Status: 404}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "PUT"}, {"Access-Control-Request-Headers", "x-auth-token,,X-Other "}}},
		"preflight, any origin":    {Method: "OPTIONS", Conf: conf("allowed_origin", "*", "allow_credentials", "false", "max_age", "5"), App: peerApp{Status: 500}, Headers: [][2]string{origin, {"Access-Control-Request-Method", "PATCH"}}},
	} {
		c.Filter = "cors"
		if c.Conf == nil {
			c.Conf = conf()
		}
		add("cors: "+name, c)
	}
}

func healthCases(add func(string, peerCase)) {
	app := peerApp{Body: "app", Headers: [][2]string{{"Content-Type", "text/plain; charset=UTF-8"}}}
	file := map[string]string{"backends": "disable_by_file", "disable_by_file_path": "/"}
	ports := func(port string) map[string]string {
		return map[string]string{"backends": "disable_by_files_ports,disable_by_file", "disable_by_file_paths": port + ":/,80:/nowhere/to/be/found"}
	}
	html, js := [][2]string{{"Accept", "text/html"}}, [][2]string{{"Accept", "application/json"}}
	for name, c := range map[string]peerCase{
		"another path":           {Path: "/healthchecks"},
		"with a query":           {Path: "/healthcheck?x=1"},
		"a path of its own":      {Path: "/alive", Conf: map[string]string{"path": "/alive"}},
		"no backends":            {},
		"no backends, HTML":      {Headers: html},
		"no backends, JSON":      {Headers: js},
		"no backends, HEAD":      {Method: "HEAD"},
		"POST":                   {Method: "POST", Conf: file},
		"disabled":               {Conf: file},
		"disabled, HTML":         {Conf: file, Headers: html},
		"disabled, JSON":         {Conf: file, Headers: js},
		"disabled, HEAD":         {Conf: file, Method: "HEAD"},
		"disabled on this port":  {Conf: ports("8774")},
		"disabled on another":    {Conf: ports("8775")},
		"two backends, HTML":     {Conf: ports("8774"), Headers: html},
		"two backends, JSON":     {Conf: ports("8774"), Headers: js},
		"file option is missing": {Conf: map[string]string{"backends": "disable_by_file"}, Headers: js},
	} {
		c.Filter, c.App = "healthcheck", app
		if c.Path == "" {
			c.Path = "/healthcheck"
		}
		add("healthcheck: "+name, c)
		if c.Path == "/healthcheck" {
			c.Filter, c.Path = "healthcheck_app", "/anywhere"
			add("healthcheck as app: "+name, c)
		}
	}
}

func proxyCases(add func(string, peerCase)) {
	echo := peerApp{Echo: true}
	on := map[string]string{"enable_proxy_headers_parsing": "true"}
	for name, c := range map[string]peerCase{
		"off":                   {Conf: map[string]string{}, Headers: [][2]string{{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "h.example.com"}}},
		"no headers":            {},
		"proto":                 {Headers: [][2]string{{"X-Forwarded-Proto", "https"}}},
		"host":                  {Headers: [][2]string{{"X-Forwarded-Host", "h.example.com:8080"}}},
		"for":                   {Headers: [][2]string{{"X-Forwarded-For", "203.0.113.7"}}},
		"for, IPv6":             {Headers: [][2]string{{"X-Forwarded-For", "2001:db8::7"}}},
		"prefix":                {Headers: [][2]string{{"X-Forwarded-Prefix", "/compute"}}},
		"all":                   {Headers: [][2]string{{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "h"}, {"X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-Prefix", "/a/b"}}},
		"forwarded":             {Headers: [][2]string{{"Forwarded", "for=203.0.113.7;proto=https;host=f.example.com"}}},
		"forwarded, by":         {Headers: [][2]string{{"Forwarded", "by=10.0.0.1; For=203.0.113.7 ;PROTO=https"}}},
		"forwarded, two":        {Headers: [][2]string{{"Forwarded", "for=203.0.113.7;proto=https;host=first, for=10.1.1.1;proto=http;host=second"}}},
		"forwarded wins":        {Headers: [][2]string{{"Forwarded", "proto=https"}, {"X-Forwarded-Host", "x.example.com"}, {"X-Forwarded-For", "203.0.113.7"}}},
		"forwarded with prefix": {Headers: [][2]string{{"Forwarded", "proto=https"}, {"X-Forwarded-Prefix", "/p"}}},
		"forwarded, empty pair": {Headers: [][2]string{{"Forwarded", "for=203.0.113.7;;proto=https;"}}},
	} {
		c.Filter, c.App = "http_proxy_to_wsgi", echo
		if c.Conf == nil {
			c.Conf = on
		}
		add("proxy: "+name, c)
	}
}

// TestAsOslo holds the filters to what oslo.middleware answered.
func TestAsOslo(t *testing.T) {
	text, err := os.ReadFile("testdata/oslo.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]peerAnswer
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	cases := peerCases()
	if len(cases) != len(want) {
		t.Errorf("%d cases and %d recorded answers: make interop -update", len(cases), len(want))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := answerOf(t, c); !sameAnswer(got, want[name]) {
				t.Errorf("got  %+v\nwant %+v", got, want[name])
			}
		})
	}
}

func sameAnswer(a, b peerAnswer) bool {
	return a.Status == b.Status && slices.Equal(a.Headers, b.Headers) && a.Body == b.Body
}

// answerOf sends a case to our filter, over a connection.
func answerOf(t *testing.T, c peerCase) peerAnswer {
	t.Helper()
	h := filterOf(t, c)(c.App)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: serverPort}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local)))
	}))
	defer server.Close()
	return exchange(t, server.Listener.Addr().String(), c, nil)
}

// exchange sends a case to a server and reads the answer.
func exchange(t *testing.T, addr string, c peerCase, headers [][2]string) peerAnswer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n", c.Method, c.Path)
	for _, h := range append(headers, c.Headers...) {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case c.Chunked && c.Body != "":
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(c.Body), c.Body)
	case c.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	case c.Method == "POST" || c.Method == "PUT":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(c.Body), c.Body)
	default:
		b.WriteString("\r\n")
	}
	// A server may answer before it has read all.
	wrote := make(chan error, 1)
	go func() { _, err := nc.Write(b.Bytes()); wrote <- err }()
	defer func() { <-wrote }()
	res, err := http.ReadResponse(bufio.NewReader(nc), &http.Request{Method: c.Method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := peerAnswer{Status: res.StatusCode, Headers: []string{}, Body: string(body)}
	id := regexp.MustCompile(`req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	for name, values := range res.Header {
		switch name {
		case "Date", "Server", "Connection":
			continue
		case "Content-Length", "Content-Type":
			if res.StatusCode == http.StatusNoContent {
				continue // there is none to describe
			}
		}
		for _, value := range values {
			answer.Headers = append(answer.Headers, strings.ToLower(name)+": "+id.ReplaceAllString(value, "req-UUID"))
		}
	}
	slices.Sort(answer.Headers)
	return answer
}

// filterOf builds our filter of a case.
func filterOf(t *testing.T, c peerCase) func(peerApp) http.Handler {
	t.Helper()
	list := func(key string) []string {
		if c.Conf[key] == "" {
			return nil
		}
		return strings.Split(c.Conf[key], ",")
	}
	number := func(key string, initial int) int {
		if c.Conf[key] == "" {
			return initial
		}
		n, err := strconv.Atoi(c.Conf[key])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var f middleware.Filter
	var err error
	switch c.Filter {
	case "request_id":
		f = middleware.RequestID()
	case "catch_errors":
		f = middleware.CatchErrors(quiet)
	case "sizelimit":
		f, err = middleware.RequestBodySizeLimiter(middleware.SizeLimitOptions{MaxRequestBodySize: int64(number("max_request_body_size", 114688))})
	case "http_proxy_to_wsgi":
		f, err = middleware.HTTPProxyToWSGI(middleware.ProxyOptions{
			EnableProxyHeadersParsing: c.Conf["enable_proxy_headers_parsing"] == "true", TrustedProxies: []string{"any"}})
	case "cors":
		methods := list("allow_methods")
		if methods == nil {
			methods = []string{"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH"}
		}
		f, err = middleware.CORS(middleware.CORSOptions{AllowedOrigin: list("allowed_origin"),
			AllowCredentials: !strings.EqualFold(c.Conf["allow_credentials"], "false"), ExposeHeaders: list("expose_headers"),
			MaxAge: number("max_age", 3600), AllowMethods: methods, AllowHeaders: list("allow_headers")})
	case "healthcheck", "healthcheck_app":
		o := middleware.HealthOptions{Path: c.Conf["path"], Backends: list("backends"),
			DisableByFilePath: c.Conf["disable_by_file_path"], DisableByFilePaths: list("disable_by_file_paths")}
		f, err = middleware.Healthcheck(o)
		if c.Filter == "healthcheck_app" {
			app, err := middleware.HealthcheckApp(o)
			if err != nil {
				t.Fatal(err)
			}
			f = func(http.Handler) http.Handler { return app }
		}
	default:
		t.Fatalf("no filter %q", c.Filter)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(app peerApp) http.Handler { return f(app) }
}

func (a peerApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n int
	if a.Read {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "broken body", http.StatusBadRequest)
			return
		}
		n = len(body)
	}
	if a.Raise {
		panic("raised")
	}
	for _, h := range a.Headers {
		w.Header().Add(h[0], h[1])
	}
	body := a.Body
	if a.Echo {
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		body = fmt.Sprintf("scheme=%s host=%s client=%s prefix=%s body=%d", middleware.Scheme(r), r.Host, middleware.ClientIP(r), middleware.Prefix(r), n)
	}
	if a.Status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.Status)
	io.WriteString(w, body)
}
