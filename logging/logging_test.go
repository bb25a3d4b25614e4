// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/mainstay-go/mainstay/logging"
)

// open returns a Log that is closed when the test ends.
func open(t testing.TB, o logging.Options, p logging.Process) *logging.Log {
	t.Helper()
	if p.Program == "" {
		p.Program = "prog"
	}
	l, err := logging.New(o, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// at is the time of all records of these tests.
var at = time.Date(2026, 11, 22, 7, 52, 1, 123456789, time.Local)

// logAt logs a record at that time.
func logAt(l *slog.Logger, ctx context.Context, level slog.Level, text string, attrs ...any) {
	if !l.Enabled(ctx, level) {
		return
	}
	r := slog.NewRecord(at, level, text, 0)
	r.Add(attrs...)
	l.Handler().Handle(ctx, r)
}

// head is what lines of no request begin with.
func head(level, name string) string {
	return fmt.Sprintf("2026-11-22 07:52:01.123 %d %s %s [-] ", os.Getpid(), level, name)
}

func TestText(t *testing.T) {
	ctx := context.Background()
	boom := errors.New("boom")
	request := logging.WithRequest(ctx, logging.Request{
		ID: "req-1", User: "u", Project: "p", Domain: "d", UserDomain: "ud", ProjectDomain: "pd",
	})
	requestHead := fmt.Sprintf("2026-11-22 07:52:01.123 %d INFO prog [None req-1 u p d - ud pd] ", os.Getpid())
	for name, c := range map[string]struct {
		o     logging.Options
		ctx   context.Context
		level slog.Level
		text  string
		attrs []any
		want  string
	}{
		"plain":              {text: "hello", want: head("INFO", "prog") + "hello\n"},
		"a warning":          {level: slog.LevelWarn, text: "x", want: head("WARNING", "prog") + "x\n"},
		"an error":           {level: slog.LevelError, text: "x", want: head("ERROR", "prog") + "x\n"},
		"a critical":         {level: logging.LevelCritical, text: "x", want: head("CRITICAL", "prog") + "x\n"},
		"between two levels": {level: slog.LevelInfo + 1, text: "x", want: head("INFO", "prog") + "x\n"},
		"attributes": {
			text: "x", attrs: []any{"a", 1, "b", "two words", "c", 1.5, "d", time.Second, "e", boom, "f", nil, "", "", "t", at.UTC()},
			want: head("INFO", "prog") + `x a=1 b="two words" c=1.5 d=1s e=boom f=<nil> ""="" t=` + at.UTC().Format(time.RFC3339Nano) + "\n",
		},
		"a group": {
			text: "x", attrs: []any{slog.Group("g", "a", 1, slog.Group("h", "b", 2)), slog.Group("", "c", 3), slog.Group("empty")},
			want: head("INFO", "prog") + "x g.a=1 g.h.b=2 c=3\n",
		},
		"a request": {ctx: request, text: "x", want: requestHead + "x\n"},
		"a request by id": {
			ctx: logging.WithRequestID(ctx, "req-2"), text: "x",
			want: strings.Replace(requestHead, "req-1 u p d - ud pd", "req-2 - - - - - -", 1) + "x\n",
		},
		"a request and the one it is for": {
			ctx: logging.WithRequest(ctx, logging.Request{ID: "req-2", GlobalID: "req-0", SystemScope: "all"}), text: "x",
			want: strings.Replace(requestHead, "None req-1 u p d - ud pd", "req-0 req-2 - - - all - -", 1) + "x\n",
		},
		"an instance":       {text: "x", attrs: []any{"instance", "u-1", "a", 1}, want: head("INFO", "prog") + "[instance: u-1] x a=1\n"},
		"an instance group": {text: "x", attrs: []any{slog.Group("instance", "uuid", "u-1", "n", 1)}, want: head("INFO", "prog") + "[instance: u-1] x\n"},
		"an instance uuid":  {o: logging.Options{InstanceUUIDFormat: "<%(uuid)-5s>"}, text: "x", attrs: []any{"instance_uuid", "u-1"}, want: head("INFO", "prog") + "<u-1  >x\n"},
		"a resource":        {o: logging.Options{DefaultFormat: "%(resource)s%(message)s"}, text: "x", attrs: []any{"resource", "vol-1"}, want: "[vol-1] x resource=vol-1 program=prog\n"},
		"lines of a message": {
			text: "one\r\ntwo\n\nfour\n", attrs: []any{"a", 1},
			want: head("INFO", "prog") + "one a=1\n" + head("INFO", "prog") + "two\n" + head("INFO", "prog") + "\n" + head("INFO", "prog") + "four\n",
		},
		"a stack": {
			level: slog.LevelError, text: "x", attrs: []any{"stack", "goroutine 1\n\tmain.go:1\n", "a", 1},
			want: head("ERROR", "prog") + "x a=1\n" + strings.Replace(head("ERROR", "prog"), "[-] ", "", 1) + "goroutine 1\n" +
				strings.Replace(head("ERROR", "prog"), "[-] ", "", 1) + "\tmain.go:1\n",
		},
		"errors joined": {
			o: logging.Options{ExceptionPrefix: "| "}, text: "x", attrs: []any{"error", errors.Join(boom, io.EOF), "b", 1},
			want: head("INFO", "prog") + "x b=1\n| boom\n| EOF\n",
		},
		"what forges": {
			text: "a\x1b[2Jb\x00\xff\u0085\u2028\u202ez\tü", attrs: []any{"k\n", "v\n2026 INFO", "w", "\u202e"},
			want: head("INFO", "prog") + `a\x1b[2Jb\x00\xff\u0085\u2028\u202ez` + "\tü " + `"k\n"="v\n2026 INFO" w="\u202e"` + "\n",
		},
		"a request id that forges": {
			ctx: logging.WithRequestID(ctx, "req\n2026-11-22 INFO"), text: "x",
			want: strings.Replace(requestHead, "req-1 u p d - ud pd", `req\n2026-11-22 INFO - - - - - -`, 1) + "x\n",
		},
		"debug":               {o: logging.Options{Debug: true, DebugSuffix: "at %(lineno)d"}, level: slog.LevelDebug, text: "x", want: head("DEBUG", "prog") + "x at 0\n"},
		"debug not asked for": {level: slog.LevelDebug, text: "x"},
		"a panic in a value":  {text: "x", attrs: []any{"v", panics{}}, want: head("INFO", "prog") + `x v="!PANIC: no text"` + "\n"},
		"an error summary": {
			o: logging.Options{DefaultFormat: "%(message)s: %(error_summary)s"}, text: "x", attrs: []any{"err", boom},
			want: "x err=boom program=prog: boom\n",
		},
		"all keys": {
			o: logging.Options{
				DefaultFormat: "%(created)f %(msecs)d %(msecs)s %(levelno)d %(levelname)-8s|%(name)8.2s|%(process)s%% %(processName)s %(module)s %(color)s%(user_identity)s%(request_id)s %(program)s %(message)s",
				LogDateFormat: "%H",
			},
			text: "x",
			want: fmt.Sprintf("%d.123456 123 123.0 20 INFO    |      pr|%d%% prog - - prog x\n", at.Unix(), os.Getpid()),
		},
	} {
		t.Run(name, func(t *testing.T) {
			var buf bytes.Buffer
			l := open(t, c.o, logging.Process{Stderr: &buf})
			if c.ctx == nil {
				c.ctx = ctx
			}
			logAt(l.Logger(), c.ctx, c.level, c.text, c.attrs...)
			if got := buf.String(); got != c.want {
				t.Errorf("logged\n%q, want\n%q", got, c.want)
			}
			// The same attributes from With are the same line.
			if len(c.attrs) > 0 {
				buf.Reset()
				logAt(l.Logger().With(c.attrs...), c.ctx, c.level, c.text)
				if got := buf.String(); got != c.want {
					t.Errorf("logged by With\n%q, want\n%q", got, c.want)
				}
			}
		})
	}
}

type panics struct{}

func (panics) Error() string { panic("no text") }

// TestEveryKey writes each key that a format may have.
func TestEveryKey(t *testing.T) {
	_, err := logging.New(logging.Options{DefaultFormat: "%(nothing)s"}, logging.Process{})
	if err == nil {
		t.Fatal("an unknown key was taken")
	}
	_, list, _ := strings.Cut(err.Error(), "want one of ")
	names := strings.Split(list, ", ")
	if len(names) < 40 {
		t.Fatalf("%d keys: %v", len(names), err)
	}
	for _, name := range names {
		var buf bytes.Buffer
		l := open(t, logging.Options{DefaultFormat: "<%(" + name + ")s>%(program)s%(worker)s"}, logging.Process{Stderr: &buf})
		l.Logger().Info("x")
		if got := buf.String(); !strings.HasPrefix(got, "<") || !strings.HasSuffix(got, ">prog-\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSourceAndProcess(t *testing.T) {
	var buf bytes.Buffer
	l := open(t, logging.Options{Debug: true, DebugSuffix: "%(funcName)s %(filename)s:%(lineno)d"},
		logging.Process{Stderr: &buf, Program: "nova", Worker: func() string { return "api 0" }})
	l.Logger().Debug("x")
	if got := buf.String(); !strings.Contains(got, `x worker="api 0" logging_test.TestSourceAndProcess logging_test.go:`) {
		t.Errorf("logged %q, want worker, function and place", got)
	}
	buf.Reset()
	logging.Named(l.Logger(), "amqp").Warn("y")
	if got := buf.String(); !strings.HasSuffix(got, ` WARNING amqp [-] y program=nova worker="api 0"`+"\n") {
		t.Errorf("logged %q, want program and worker", got)
	}
	buf.Reset()
	logging.Named(l.Logger(), "nova.compute").Warn("y")
	if got := buf.String(); !strings.HasSuffix(got, ` WARNING nova.compute [-] y worker="api 0"`+"\n") {
		t.Errorf("logged %q, want the program as its name only", got)
	}
}

func TestSlogtest(t *testing.T) {
	for name, c := range map[string]struct {
		o     logging.Options
		parse func(t *testing.T, line string) map[string]any
	}{
		"JSON": {logging.Options{UseJSON: true}, parseJSON},
		"text": {logging.Options{DefaultFormat: "%(isotime)s %(levelname)s%(program).0s %(message)s"}, parseText},
	} {
		t.Run(name, func(t *testing.T) {
			var buf bytes.Buffer
			slogtest.Run(t, func(t *testing.T) slog.Handler {
				buf.Reset()
				l, err := logging.New(c.o, logging.Process{Stderr: &buf})
				if err != nil {
					t.Fatal(err)
				}
				return l.Handler()
			}, func(t *testing.T) map[string]any { return c.parse(t, buf.String()) })
		})
	}
}

// parseJSON returns a line under slog's keys, with the attributes at the top.
func parseJSON(t *testing.T, line string) map[string]any {
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	out := map[string]any{}
	for ours, theirs := range map[string]string{"message": slog.MessageKey, "levelname": slog.LevelKey, "created": slog.TimeKey} {
		if v, ok := m[ours]; ok {
			out[theirs] = v
		}
	}
	for k, v := range m["extra"].(map[string]any) {
		out[k] = v
	}
	return out
}

func parseText(t *testing.T, line string) map[string]any {
	fields := strings.Fields(line)
	out := map[string]any{slog.LevelKey: fields[1], slog.MessageKey: fields[2]}
	if fields[0] != "-" {
		out[slog.TimeKey] = fields[0]
	}
	for _, field := range fields[3:] {
		key, value, _ := strings.Cut(field, "=")
		m := out
		names := strings.Split(key, ".")
		for _, g := range names[:len(names)-1] {
			if m[g] == nil {
				m[g] = map[string]any{}
			}
			m = m[g].(map[string]any)
		}
		m[names[len(names)-1]] = value
	}
	return out
}

func TestJSON(t *testing.T) {
	var buf bytes.Buffer
	l := open(t, logging.Options{UseJSON: true}, logging.Process{Stderr: &buf, Worker: func() string { return "api 0" }})
	ctx := logging.WithRequest(context.Background(), logging.Request{ID: "req-1", User: "u\"\n"})
	logger := l.Logger().With("a", 1).WithGroup("g").With("b", "x\n\x00\xff\u0085")
	logAt(logger, ctx, slog.LevelError, "one\ntwo", "c", 1.5, "stack", "not at the top", "nan", any(map[string]int{"k": 1}), "v", panics{})
	var got map[string]any
	if err := json.Unmarshal(buf.Bytes(), &got); err != nil {
		t.Fatalf("%q: %v", buf.String(), err)
	}
	if n := bytes.Count(buf.Bytes(), []byte("\n")); n != 1 {
		t.Errorf("%d lines: %q", n, buf.String())
	}
	host, _ := os.Hostname()
	want := map[string]any{
		"message": "one\ntwo", "asctime": "2026-11-22 07:52:01", "created": float64(at.UnixMicro()) / 1e6, "msecs": 123.0,
		"name": "prog", "levelname": "ERROR", "levelno": 40.0, "pathname": "-", "filename": "-", "lineno": 0.0, "funcname": "-",
		"process": float64(os.Getpid()), "process_name": "prog", "program": "prog", "hostname": host, "worker": "api 0",
		"traceback": nil, "error_summary": "", "context": map[string]any{"request_id": "req-1", "user": "u\"\n"},
		"extra": map[string]any{"a": 1.0, "g": map[string]any{
			"b": "x\n\x00\ufffd\u0085", "c": 1.5, "stack": "not at the top", "nan": map[string]any{"k": 1.0}, "v": "!PANIC: no text",
		}},
	}
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("logged\n%s, want\n%s", g, w)
	}
	buf.Reset()
	l.Logger().Error("x", "error", errors.Join(io.EOF, io.EOF), "stack", []byte("a\nb\n"))
	line := buf.String()
	if !strings.Contains(line, `"traceback":["EOF","EOF","a","b"],"error_summary":"EOF"`) || !strings.Contains(line, `"extra":{"error":"EOF\nEOF"}`) {
		t.Errorf("logged %s, want a traceback", line)
	}
	if !strings.Contains(line, `"funcname":"logging_test.TestJSON"`) {
		t.Errorf("logged %s, want the function", line)
	}
}

func TestLevels(t *testing.T) {
	var buf bytes.Buffer
	o := logging.Options{DefaultLogLevels: []string{"amqp=WARN", "amqp.wire=DEBUG", "oslo.messaging=25", "gone=WARN", "gone=NOTSET"}}
	l := open(t, o, logging.Process{Stderr: &buf})
	enabled := func(name string, level slog.Level) bool {
		return logging.Named(l.Logger(), name).Enabled(context.Background(), level)
	}
	check := func(name string, least slog.Level) {
		t.Helper()
		if !enabled(name, least) || enabled(name, least-1) {
			t.Errorf("logger %q does not begin at %v", name, least)
		}
	}
	check("", slog.LevelInfo)
	check("other", slog.LevelInfo)
	check("amqp", slog.LevelWarn)
	check("amqp.connection.x", slog.LevelWarn)
	check("amqplib", slog.LevelInfo) // no prefix of the dotted name
	check("amqp.wire.frames", slog.LevelDebug)
	check("oslo_messaging", slog.LevelInfo+2)
	check("gone", slog.LevelInfo)
	early := logging.Named(l.Logger(), "other").With("a", 1)
	o.Debug = true
	if err := l.Apply(o); err != nil {
		t.Fatal(err)
	}
	check("", slog.LevelDebug)
	check("amqp", slog.LevelWarn)
	if !early.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("a logger made before Apply has the level of then")
	}
	if !l.Logger().Enabled(context.Background(), slog.LevelDebug) {
		t.Error("Apply did not reach the program's logger")
	}
	o.LogConfigAppend, o.Debug = "/etc/x", false
	if err := l.Apply(o); err == nil || !l.Logger().Enabled(context.Background(), slog.LevelDebug) {
		t.Errorf("Apply of what New refuses: %v, and debug changed", err)
	}
}

func TestNamedElsewhere(t *testing.T) {
	var buf bytes.Buffer
	logging.Named(slog.New(slog.NewTextHandler(&buf, nil)), "amqp").Info("x")
	if !strings.Contains(buf.String(), "logger=amqp") {
		t.Errorf("logged %q, want the name", buf.String())
	}
}

func TestDeprecated(t *testing.T) {
	var buf bytes.Buffer
	l := open(t, logging.Options{}, logging.Process{Stderr: &buf})
	for range 2 {
		if err := l.Deprecated(context.Background(), "option x, use y"); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(buf.String(), "WARNING prog [-] Deprecated: option x, use y"); n != 1 {
		t.Errorf("%d warnings: %s", n, buf.String())
	}
	var fatal *logging.DeprecatedError
	l = open(t, logging.Options{FatalDeprecations: true}, logging.Process{Stderr: &buf})
	if err := l.Deprecated(context.Background(), "z"); !errors.As(err, &fatal) || fatal.What != "z" || !strings.Contains(buf.String(), "CRITICAL prog [-] Deprecated: z") {
		t.Errorf("Deprecated = %v, logged %s", err, buf.String())
	}
}
