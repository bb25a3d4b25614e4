// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
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
		"values": {
			text: "x", attrs: []any{"i", int64(-1), "u", uint64(2), "b", true, "f", 0.25, "bytes", []byte("a b"), "ip", netip.MustParseAddr("::1"),
				"bad", badText{}, "struct", struct{ A int }{1}, "valuer", valuer{}, "stack", 7, "instance", slog.GroupValue(slog.String("name", "n"))},
			want: head("INFO", "prog") + `[instance: -] x i=-1 u=2 b=true f=0.25 bytes="a b" ip=::1 bad="!ERROR: EOF" struct={A:1} valuer=resolved stack=7` + "\n",
		},
		"a very long message": {
			o: logging.Options{DefaultFormat: "> %(message)s%(name).0s"}, text: strings.Repeat("x\n", 1001) + "y\nz",
			want: strings.Repeat("> x\n", 1000) + `> x\ny\nz` + "\n",
		},
		"a panic in a value": {text: "x", attrs: []any{"v", panics{}}, want: head("INFO", "prog") + `x v="!PANIC: no text"` + "\n"},
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

type badText struct{}

func (badText) MarshalText() ([]byte, error) { return nil, io.EOF }

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue("resolved") }

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

func TestRequestOf(t *testing.T) {
	ctx := context.Background()
	if r, ok := logging.RequestOf(ctx); ok {
		t.Errorf("RequestOf of nothing = %v", r)
	}
	ctx = logging.WithRequestID(logging.WithRequest(ctx, logging.Request{ID: "a", User: "u"}), "b")
	if r, ok := logging.RequestOf(ctx); !ok || r.ID != "b" || r.User != "u" {
		t.Errorf("RequestOf = %+v, %v", r, ok)
	}
}

// A writer that fails loses lines, and gets their number when it works.
func TestFailingWriter(t *testing.T) {
	w := &failing{err: io.ErrShortWrite}
	l, err := logging.New(logging.Options{DefaultFormat: "%(message)s%(name).0s"}, logging.Process{Stderr: w, Program: "prog"})
	if err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("a")
	l.Logger().Info("b")
	w.err = nil
	l.Logger().Info("c")
	if got := w.String(); got != "c\nlog lines were lost count=2 option=use_stderr reason=\"short write\"\n" {
		t.Errorf("wrote %q", got)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	l.Logger().Info("d")
	if n := l.Lost(); n != 3 {
		t.Errorf("Lost() = %d, want 3: one after Close", n)
	}
}

type failing struct {
	bytes.Buffer
	err error
}

func (w *failing) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	return w.Buffer.Write(b)
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
