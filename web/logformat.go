// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultLogFormat is oslo.service's default for wsgi_log_format. A format is text with fields, written
// as Python's % operator has them: %(name), then flags, width and precision if wanted, then s for any
// field, or d, e, f or g for numbers. %% is a percent sign. The fields are
//
//	client_ip     address of the client; unix on a unix socket
//	client_port   its port; empty on a unix socket
//	date_time     local time at the end, as 02/Jan/2006 15:04:05
//	request_line  method, URL and protocol
//	status_code   of the answer, a number; 0 when the handler took the connection over
//	body_length   bytes of the answer's body, a number
//	wall_seconds  time from the request's header to the end of its handler, a number
const DefaultLogFormat = `%(client_ip)s "%(request_line)s" status: %(status_code)s  len: %(body_length)s time: %(wall_seconds).7f`

// A logField makes the value of a field: a string, an int64 or a float64.
type logField func(x *exchange, end time.Time) any

var logFields = map[string]logField{
	"client_ip": func(x *exchange, _ time.Time) any {
		host, _, err := net.SplitHostPort(x.request.RemoteAddr)
		if err != nil {
			return "unix"
		}
		return host
	},
	"client_port": func(x *exchange, _ time.Time) any {
		_, port, _ := net.SplitHostPort(x.request.RemoteAddr)
		return port
	},
	"date_time": func(_ *exchange, end time.Time) any { return end.Format("02/Jan/2006 15:04:05") },
	"request_line": func(x *exchange, _ time.Time) any {
		return x.request.Method + " " + x.request.RequestURI + " " + x.request.Proto
	},
	"status_code": func(x *exchange, _ time.Time) any { return int64(x.status) },
	"body_length": func(x *exchange, _ time.Time) any {
		if x.request.Method == http.MethodHead {
			return int64(0)
		}
		return x.length
	},
	"wall_seconds": func(x *exchange, end time.Time) any {
		return (end.Sub(x.front.epoch) - x.started).Seconds()
	},
}

// numbers are the fields that d, e, f and g can show.
var numbers = []string{"status_code", "body_length", "wall_seconds"}

// A logFormat is a parsed format.
type logFormat []logPart

// A logPart is text and the field behind it, if it has one.
type logPart struct {
	text  string
	field logField // nil without
	form  string   // percent sign, flags, width, precision: fmt and Python agree on them
	verb  byte     // s, d, e, f or g
}

// logFieldSyntax finds a field's name, flags with width and precision, and verb.
var logFieldSyntax = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^%\((\w*)\)([-+ 0]*[0-9]{0,3}(?:\.[0-9]{0,3})?)([a-zA-Z])`)
})

// parseLogFormat reads a format. The error names the field that is wrong.
func parseLogFormat(s string) (logFormat, error) {
	var format logFormat
	text := ""
	for {
		before, _, found := strings.Cut(s, "%")
		text += before
		if !found {
			return append(format, logPart{text: text}), nil
		}
		s = s[len(before):]
		if rest, ok := strings.CutPrefix(s, "%%"); ok {
			text, s = text+"%", rest
			continue
		}
		m := logFieldSyntax().FindStringSubmatch(s)
		if m == nil {
			return nil, fmt.Errorf("%.40q: want %%(field)s, or %%%% for a percent sign", s)
		}
		name, verb := m[1], m[3]
		field, known := logFields[name]
		switch {
		case !known:
			return nil, fmt.Errorf("%%(%s)%s: no such field, only %s", name, verb, strings.Join(slices.Sorted(maps.Keys(logFields)), ", "))
		case verb == "s":
		case !slices.Contains(numbers, name):
			return nil, fmt.Errorf("%%(%s)%s: want s behind this field", name, verb)
		case !strings.Contains("defg", verb):
			return nil, fmt.Errorf("%%(%s)%s: want s, d, e, f or g behind this field", name, verb)
		}
		format = append(format, logPart{text, field, "%" + m[2], verb[0]})
		text, s = "", s[len(m[0]):]
	}
}

// append appends the line of an exchange that ended at end.
func (f logFormat) append(b []byte, x *exchange, end time.Time) []byte {
	for _, p := range f {
		b = append(b, p.text...)
		if p.field == nil {
			continue
		}
		value := p.field(x, end)
		switch p.verb {
		case 's':
			value = fmt.Sprint(value)
		case 'd':
			if v, ok := value.(float64); ok {
				value = int64(v)
			}
		default:
			if v, ok := value.(int64); ok {
				value = float64(v)
			}
		}
		b = fmt.Appendf(b, p.form+string(p.verb), value)
	}
	return b
}

// logAccess writes the exchange into the access log.
func (x *exchange) logAccess() {
	line := x.front.format.append(nil, x, time.Now())
	x.front.access.LogAttrs(x.request.Context(), slog.LevelInfo, string(line))
}
