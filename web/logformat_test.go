// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/web"
)

// accessLine serves one request with an access log and returns the line.
func accessLine(t *testing.T, ln net.Listener, format string, handler http.HandlerFunc, request string) string {
	t.Helper()
	log := &logBuffer{}
	start(t, &web.Server{Listener: ln, Handler: handler, AccessLog: slog.New(slog.NewJSONHandler(log, nil)), LogFormat: format})
	conn := dial(t, ln.Addr().Network(), ln.Addr().String())
	conn.send(request)
	conn.receive()
	if !eventually(func() bool { return strings.HasSuffix(log.String(), "\n") }) {
		t.Fatalf("no line in the access log")
	}
	var record struct{ Level, Msg string }
	if err := json.Unmarshal([]byte(log.String()), &record); err != nil {
		t.Fatalf("%q: %v", log.String(), err)
	}
	if record.Level != "INFO" {
		t.Errorf("level %s, want INFO", record.Level)
	}
	return record.Msg
}

func TestAccessLog(t *testing.T) {
	const get = "GET /a?b=c HTTP/1.1\r\nHost: test\r\n\r\n"
	boom := func(http.ResponseWriter, *http.Request) { panic("boom") }
	late := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 10_000))
		panic(http.ErrAbortHandler)
	}
	hijack := func(w http.ResponseWriter, r *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	}
	for name, c := range map[string]struct {
		format  string
		handler http.HandlerFunc
		request string
		want    string // a regular expression
	}{
		"default":             {"", hello, get, `127\.0\.0\.1 "GET /a\?b=c HTTP/1\.1" status: 200  len: 13 time: 0\.\d{7}`},
		"all fields":          {"%(client_ip)s|%(client_port)s|%(date_time)s|%(request_line)s|%(status_code)s|%(body_length)s|%(wall_seconds)s", hello, get, `127\.0\.0\.1\|\d+\|\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\|GET /a\?b=c HTTP/1\.1\|200\|13\|[\d.e-]+`},
		"numbers":             {"%(status_code)d %(body_length)5d %(status_code).1f %(wall_seconds)d %(wall_seconds)8.3f %(body_length)e", hello, get, `200    13 200\.0 0    0\.\d{3} 1\.3\d*e\+01`},
		"width and precision": {"[%(client_ip)12s][%(client_ip)-12s][%(client_ip).3s]", hello, get, `\[   127\.0\.0\.1\]\[127\.0\.0\.1   \]\[127\]`},
		"percent":             {"100%% %(status_code)s%%", hello, get, `100% 200%`},
		"no field":            {"a request", hello, get, `a request`},
		"panic":               {"%(status_code)s %(body_length)s", boom, get, `500 0`},
		"broken answer":       {"%(status_code)s %(body_length)s", late, get, `200 10000`},
		"nothing written":     {"%(status_code)s %(body_length)s", func(http.ResponseWriter, *http.Request) {}, get, `200 0`},
		"hijacked":            {"%(status_code)s %(body_length)s", hijack, get, `0 0`},
		"HEAD":                {"%(status_code)s %(body_length)s", hello, "HEAD / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", `200 0`},
		"refused":             {"%(status_code)s", hello, "GET /" + strings.Repeat("x", 10_000) + " HTTP/1.1\r\nHost: test\r\n\r\n", `414`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := accessLine(t, listen(t), c.format, c.handler, c.request); !regexp.MustCompile("^" + c.want + "$").MatchString(got) {
				t.Errorf("format %q wrote %q, want %q", c.format, got, c.want)
			}
		})
	}
}

func TestAccessLogUnix(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got := accessLine(t, ln, "%(client_ip)s:%(client_port)s", hello, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); got != "unix:" {
		t.Errorf("client on a unix socket is %q, want %q", got, "unix:")
	}
}

func TestLogFormatErrors(t *testing.T) {
	for format, want := range map[string]string{
		"%(bogus)s":               "bogus",
		"%(status_code)":          "status_code",
		"%(status_code)q":         "status_code",
		"%(client_ip)d":           "client_ip",
		"%(wall_seconds).99999f":  "wall_seconds",
		"%(wall_seconds)99999f":   "wall_seconds",
		"%(body_length)x":         "body_length",
		"ok %(client_ip)s %":      "percent sign",
		"%s":                      "%s",
		"%(":                      "%(",
		"%()s":                    "no such field",
		"%(client_ip)s%(Status)s": "Status",
	} {
		s := &web.Server{Listener: listen(t), LogFormat: format}
		for op, err := range map[string]error{"Start": s.Start(t.Context()), "Check": s.Check(t.Context())} {
			if err == nil || !strings.HasPrefix(err.Error(), "log_format: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s with LogFormat %q = %v, want one line that begins with log_format: and names %s", op, format, err, want)
			}
		}
	}
}

func FuzzLogFormat(f *testing.F) {
	f.Add(web.DefaultLogFormat)
	f.Add("%(client_ip)-12.3s %% %(status_code)+05d %(wall_seconds) 8.3e")
	f.Add("%(bogus)s")
	f.Add("%(client_ip)")
	f.Fuzz(func(t *testing.T, format string) {
		line, err := web.FormatExample(format)
		switch {
		case err != nil && line != "":
			t.Errorf("FormatExample(%q) = %q, %v: both", format, line, err)
		case err == nil && strings.Count(line, "%!") > strings.Count(strings.ReplaceAll(format, "%%", "%"), "%!"):
			t.Errorf("FormatExample(%q) = %q: fmt refuses a verb", format, line)
		case err == nil && len(line) > len(format)*1200+1000:
			t.Errorf("FormatExample(%q) has %d bytes", format, len(line))
		}
	})
}
