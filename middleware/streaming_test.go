// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/middleware"
)

// quiet is for what is expected to fail.
var quiet = slog.New(slog.DiscardHandler)

// must is for options that are known to be right.
func must(f middleware.Filter, err error) middleware.Filter {
	if err != nil {
		panic(err)
	}
	return f
}

// everyFilter returns each filter in a state in which it touches the answer, by name.
func everyFilter() map[string]middleware.Filter {
	return map[string]middleware.Filter{
		"none":      func(h http.Handler) http.Handler { return h },
		"RequestID": middleware.RequestID("X-Compute-Request-Id"),
		"CORS": must(middleware.CORS(middleware.CORSOptions{AllowedOrigin: []string{"*"},
			AllowMethods: []string{"GET"}})),
		"HTTPProxyToWSGI": must(middleware.HTTPProxyToWSGI(middleware.ProxyOptions{EnableProxyHeadersParsing: true, TrustedProxies: []string{"any"}})),
		"SizeLimit":       must(middleware.RequestBodySizeLimiter(middleware.SizeLimitOptions{MaxRequestBodySize: 1 << 20})),
		"Healthcheck":     must(middleware.Healthcheck(middleware.HealthOptions{})),
		"RequestLog":      must(middleware.RequestLog(middleware.RequestLogOptions{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})),
		"FaultWrapper":    middleware.FaultWrapper(quiet),
		"CatchErrors":     middleware.CatchErrors(quiet),
		"FakeProjectID":   middleware.FakeProjectID(),
		"LegacyV2":        middleware.LegacyV2("X-OpenStack-Nova-API-Version"),
		"MicroVersion":    must(middleware.MicroVersion(nova)),
		"RateLimit":       must(middleware.RateLimit(middleware.RateLimitOptions{Rate: 1000})),
		"LoadShed":        must(middleware.LoadShed(middleware.ShedOptions{MaxConcurrency: 4})),
		"Timeout":         must(middleware.Timeout(middleware.TimeoutOptions{RequestTimeout: time.Minute})),
		"Compress":        must(middleware.Compress(compression)),
	}
}

var nova = middleware.VersionOptions{Service: "compute", Legacy: "X-OpenStack-Nova-API-Version", Min: "2.1", Max: "2.93"}

var compression = middleware.CompressOptions{Level: 1, MinSize: 1024, Types: []string{"text/*", "application/json"}}

// allFilters is a pipeline of every filter.
func allFilters() middleware.Filter {
	every := everyFilter()
	return func(h http.Handler) http.Handler {
		for _, name := range []string{"FakeProjectID", "MicroVersion", "LegacyV2", "CatchErrors", "SizeLimit", "Timeout", "RequestLog", "FaultWrapper",
			"RateLimit", "Compress", "HTTPProxyToWSGI", "RequestID", "CORS", "Healthcheck", "LoadShed"} {
			h = every[name](h)
		}
		return h
	}
}

// TestStreaming holds every filter to what a handler may do with a connection.
func TestStreaming(t *testing.T) {
	filters := everyFilter()
	filters["all"] = allFilters()
	for name, filter := range filters {
		t.Run(name, func(t *testing.T) {
			for what, test := range map[string]func(*testing.T, middleware.Filter){
				"flush": testFlush, "flush by controller": testFlushController, "hijack": testHijack, "hijack by controller": testHijackController,
				"ReaderFrom": testReaderFrom, "deadlines": testDeadlines, "trailers": testTrailers, "informational": testInformational,
				"HTTP/2": testHTTP2, "chunked body": testChunkedBody, "OPTIONS": testOptions, "abort": testAbort,
			} {
				t.Run(what, func(t *testing.T) { test(t, filter) })
			}
		})
	}
}

// serve starts a server for a handler behind a filter.
func serve(t *testing.T, filter middleware.Filter, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(filter(h))
	s.Config.ErrorLog = slog.NewLogLogger(quiet.Handler(), 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// get asks for the root, with an Origin and as a browser does.
func get(t *testing.T, s *httptest.Server, method string, body io.Reader) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "http://page.example.com")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func testFlush(t *testing.T, filter middleware.Filter) {
	flushAnd(t, filter, func(w http.ResponseWriter) error {
		f, ok := w.(http.Flusher)
		if !ok {
			return errors.New("no http.Flusher")
		}
		f.Flush()
		return nil
	})
}

func testFlushController(t *testing.T, filter middleware.Filter) {
	flushAnd(t, filter, func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() })
}

// flushAnd holds that a part reaches the client while the handler still runs.
func flushAnd(t *testing.T, filter middleware.Filter, flush func(http.ResponseWriter) error) {
	more := make(chan struct{})
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "one\n")
		if err := flush(w); err != nil {
			t.Error(err)
		}
		<-more
		w.Write([]byte("two\n"))
	})
	res := get(t, s, "GET", nil)
	br := bufio.NewReader(res.Body)
	one, err := br.ReadString('\n')
	close(more)
	two, _ := br.ReadString('\n')
	if one != "one\n" || two != "two\n" || err != nil {
		t.Errorf("read %q and %q, %v", one, two, err)
	}
}

func testHijack(t *testing.T, filter middleware.Filter) {
	hijackBy(t, filter, func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
		h, ok := w.(http.Hijacker)
		if !ok {
			return nil, nil, errors.New("no http.Hijacker")
		}
		return h.Hijack()
	})
}

func testHijackController(t *testing.T, filter middleware.Filter) {
	hijackBy(t, filter, func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
		return http.NewResponseController(w).Hijack()
	})
}

func hijackBy(t *testing.T, filter middleware.Filter, hijack func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error)) {
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		nc, rw, err := hijack(w)
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		rw.WriteString("HTTP/1.1 299 Mine\r\nContent-Length: 4\r\n\r\nmine")
		rw.Flush()
	})
	res := get(t, s, "GET", nil)
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != 299 || string(body) != "mine" || err != nil {
		t.Errorf("got %d %q, %v", res.StatusCode, body, err)
	}
}

func testReaderFrom(t *testing.T, filter middleware.Filter) {
	long := strings.Repeat("0123456789abcdef", 1<<14)
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		from, ok := w.(io.ReaderFrom)
		if !ok {
			t.Error("no io.ReaderFrom")
			return
		}
		if n, err := from.ReadFrom(strings.NewReader(long)); n != int64(len(long)) || err != nil {
			t.Errorf("ReadFrom = %d, %v", n, err)
		}
	})
	body, err := io.ReadAll(get(t, s, "GET", nil).Body)
	if string(body) != long || err != nil {
		t.Errorf("read %d bytes, want %d; %v", len(body), len(long), err)
	}
}

func testDeadlines(t *testing.T, filter middleware.Filter) {
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute)), rc.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
	})
	get(t, s, "GET", nil)
}

func testTrailers(t *testing.T, filter middleware.Filter) {
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		http.NewResponseController(w).Flush()
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "43")
	})
	res := get(t, s, "GET", nil)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if sum, late := res.Trailer.Get("X-Sum"), res.Trailer.Get("X-Late"); sum != "42" || late != "43" {
		t.Errorf("trailers %v", res.Trailer)
	}
}

func testInformational(t *testing.T, filter middleware.Filter) {
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusTeapot) // too late
	})
	if res := get(t, s, "GET", nil); res.StatusCode != http.StatusAccepted || res.Header.Get("Link") == "" {
		t.Errorf("got %s %v", res.Status, res.Header)
	}
}

func testHTTP2(t *testing.T, filter middleware.Filter) {
	s := httptest.NewUnstartedServer(filter(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Hijacker); ok || r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d, with a Hijacker: %t", r.ProtoMajor, ok)
		}
		if _, ok := w.(http.Flusher); !ok {
			t.Error("no http.Flusher")
		}
		io.Copy(w, r.Body)
	})))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	body, err := io.ReadAll(get(t, s, "POST", strings.NewReader("over two")).Body)
	if string(body) != "over two" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}

func testChunkedBody(t *testing.T, filter middleware.Filter) {
	long := strings.Repeat("x", 1<<19)
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), err)
	})
	body, _ := io.ReadAll(get(t, s, "POST", io.MultiReader(strings.NewReader(long))).Body)
	if string(body) != fmt.Sprint(len(long), nil) {
		t.Errorf("got %q", body)
	}
}

func testOptions(t *testing.T, filter middleware.Filter) {
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		w.Write(bytes.Repeat([]byte("y"), 4096))
		http.NewResponseController(w).Flush()
	})
	body, err := io.ReadAll(get(t, s, "OPTIONS", nil).Body)
	if len(body) != 4096 || err != nil {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
}

func testAbort(t *testing.T, filter middleware.Filter) {
	s := serve(t, filter, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000")
		w.Write(make([]byte, 4096))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if _, err := io.ReadAll(get(t, s, "GET", nil).Body); err == nil {
		t.Error("the client noticed nothing")
	}
}
