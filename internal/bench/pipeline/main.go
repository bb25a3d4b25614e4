// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Command pipeline is a trivial application behind the filters of nova's noauth2 pipeline, as Debian's
// api-paste.ini has them, but for osprofiler, which does nothing; with -filters=false it is the
// application alone.
package main

import (
	"flag"
	"io"
	"log"
	"log/slog"
	"net/http"
	"slices"

	"github.com/mainstay-go/mainstay/logging"
	"github.com/mainstay-go/mainstay/middleware"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	body := flag.String("body", "hello, world\n", "answer to every request")
	file := flag.String("log", "", "file for request_log's lines; without it the filter is silent, as nova's is where the server logs")
	filters := flag.Bool("filters", true, "put the filters around it")
	flag.Parse()
	// It says what it answers, as an API does.
	json := []string{"application/json"}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = json
		io.WriteString(w, *body)
	})
	var h http.Handler = app
	if *filters {
		var err error
		if h, err = pipeline(*file, app); err != nil {
			log.Fatal(err)
		}
	}
	// The load generator has no token to send.
	token := []string{"admin:demo"}
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header["X-Auth-Token"] = token
		h.ServeHTTP(w, r)
	})))
}

func pipeline(file string, h http.Handler) (http.Handler, error) {
	logger := slog.New(slog.DiscardHandler)
	if file != "" {
		l, err := logging.New(logging.Options{LogFile: file}, logging.Process{Program: "pipeline"})
		if err != nil {
			return nil, err
		}
		logger = l.Logger()
	}
	healthcheck, err := middleware.Healthcheck(middleware.HealthOptions{Backends: []string{"disable_by_file"}, DisableByFilePath: "/etc/nova/healthcheck_disable"})
	if err != nil {
		return nil, err
	}
	cors, err := middleware.CORS(middleware.CORSOptions{})
	if err != nil {
		return nil, err
	}
	proxy, err := middleware.HTTPProxyToWSGI(middleware.ProxyOptions{EnableProxyHeadersParsing: true, TrustedProxies: []string{"private"}})
	if err != nil {
		return nil, err
	}
	requestLog, err := middleware.RequestLog(middleware.RequestLogOptions{Logger: logger})
	if err != nil {
		return nil, err
	}
	sizelimit, err := middleware.RequestBodySizeLimiter(middleware.SizeLimitOptions{MaxRequestBodySize: 114688})
	if err != nil {
		return nil, err
	}
	filters := []middleware.Filter{healthcheck, cors, proxy, middleware.RequestID("X-Compute-Request-Id"),
		middleware.FaultWrapper(nil), requestLog, sizelimit, middleware.NoAuth2()}
	for _, f := range slices.Backward(filters) {
		h = f(h)
	}
	return h, nil
}
