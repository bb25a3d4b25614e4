// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/mainstay-go/mainstay/logging"
)

// RequestLogOptions say how the request log looks. The zero value is nova's.
type RequestLogOptions struct {
	Format string       // nova, also if empty, or wsgi, the default of oslo.service's wsgi_log_format, as neutron's server has it
	Logger *slog.Logger // nil is slog.Default(), under the name of nova's or eventlet's logger
}

// RequestLog logs a line for each request when its handler has returned, in nova's form,
//
//	10.0.0.7 "GET /v2.1/servers?limit=1" status: 200 len: 1734 microversion: 2.93 time: 0.012345
//
// or in neutron's,
//
//	10.0.0.7 "GET /v2.0/networks HTTP/1.1" status: 200  len: 1734 time: 0.0123450
//
// len is what was written of the body; the original has the Content-Length there. One of it and the
// AccessLog of a web.Server is enough.
func RequestLog(o RequestLogOptions) (Filter, error) {
	name := "nova.api.openstack.requestlog"
	line := appendNova
	switch o.Format {
	case "", "nova":
	case "wsgi":
		name, line = "eventlet.wsgi.server", appendWSGI
	default:
		return nil, fmt.Errorf("format: %q is not nova or wsgi", o.Format)
	}
	return func(next http.Handler) http.Handler {
		log := logging.Named(loggerOr(o.Logger), name)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !log.Enabled(r.Context(), slog.LevelInfo) {
				next.ServeHTTP(w, r)
				return
			}
			start := time.Now()
			_, r = enter(r) // the version will be in there
			x, w := track(w)
			ended := false
			defer func() {
				status := x.status
				switch {
				case status != 0:
				case !ended:
					status = http.StatusInternalServerError // a panic passes; somebody above will answer so
				case !x.hijacked:
					status = http.StatusOK
				}
				b := line(make([]byte, 0, 160), r, status, x.length, time.Since(start))
				log.LogAttrs(r.Context(), slog.LevelInfo, string(b))
			}()
			next.ServeHTTP(w, r)
			ended = true
		})
	}, nil
}

func appendNova(b []byte, r *http.Request, status int, length int64, took time.Duration) []byte {
	b = appendRequest(b, r)
	b = strconv.AppendInt(append(b, `" status: `...), int64(status), 10)
	b = strconv.AppendInt(append(b, " len: "...), length, 10)
	b = append(b, " microversion: "...)
	if s := scopeOf(r.Context()); s != nil && s.version != (Version{}) {
		b = s.version.append(b)
	} else {
		b = append(b, '-')
	}
	return strconv.AppendFloat(append(b, " time: "...), took.Seconds(), 'f', 6, 64)
}

func appendWSGI(b []byte, r *http.Request, status int, length int64, took time.Duration) []byte {
	b = append(append(appendRequest(b, r), ' '), r.Proto...)
	b = strconv.AppendInt(append(b, `" status: `...), int64(status), 10)
	b = strconv.AppendInt(append(b, "  len: "...), length, 10)
	return strconv.AppendFloat(append(b, " time: "...), took.Seconds(), 'f', 7, 64)
}

// appendRequest writes who asked for what, up to the end of the URL. Control characters are the
// logger's to escape.
func appendRequest(b []byte, r *http.Request) []byte {
	if ip := ClientIP(r); ip != "" {
		b = append(b, ip...)
	} else {
		b = append(b, '-')
	}
	b = append(append(append(b, ` "`...), r.Method...), ' ')
	return append(append(b, Prefix(r)...), requestURI(r)...)
}
