// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/mainstay-go/mainstay/middleware"
)

// novaPipeline is Debian's noauth2 pipeline, without osprofiler, which does nothing: eight filters.
// With eventlet its request_log is silent, as the server has the same line in its access log; to has a
// logger that is so, or one that writes.
func novaPipeline(to *slog.Logger) middleware.Filter {
	filters := []middleware.Filter{
		must(middleware.Healthcheck(middleware.HealthOptions{Backends: []string{"disable_by_file"}, DisableByFilePath: "/nowhere/to/be/found"})),
		must(middleware.CORS(middleware.CORSOptions{})),
		must(middleware.HTTPProxyToWSGI(middleware.ProxyOptions{EnableProxyHeadersParsing: true, TrustedProxies: []string{"private"}})),
		middleware.RequestID("X-Compute-Request-Id"),
		middleware.FaultWrapper(nil),
		must(middleware.RequestLog(middleware.RequestLogOptions{Logger: to})),
		must(middleware.RequestBodySizeLimiter(middleware.SizeLimitOptions{MaxRequestBodySize: 114688})),
		middleware.NoAuth2(),
	}
	return func(h http.Handler) http.Handler {
		for _, f := range slices.Backward(filters) {
			h = f(h)
		}
		return h
	}
}

// A bin is a response writer that costs nothing.
type bin struct{ header http.Header }

func (b *bin) Header() http.Header         { return b.header }
func (b *bin) WriteHeader(int)             {}
func (b *bin) Write(p []byte) (int, error) { return len(p), nil }
func (b *bin) Flush()                      {}
func (b *bin) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

func BenchmarkNovaPipeline(b *testing.B) {
	for name, logger := range map[string]*slog.Logger{
		"silent":  slog.New(slog.DiscardHandler),
		"logging": slog.New(slog.NewTextHandler(io.Discard, nil)),
	} {
		b.Run(name, func(b *testing.B) {
			h := novaPipeline(logger)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") }))
			r := request("GET", "/v2.1/servers", "X-Auth-Token", "admin:demo")
			w := &bin{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}
