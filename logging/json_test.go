// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/mainstay-go/mainstay/logging"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

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
	logAt(logger, ctx, slog.LevelError, "one\ntwo", "c", 1.5, "stack", "not at the top", "map", map[string]int{"k": 1}, "v", panics{},
		"nan", math.NaN(), "i", -1, "u", uint64(2), "t", at.UTC(), "d", time.Second, "bad", badText{}, "chan", make(chan int), "html", struct{ A string }{"<&>"})
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
			"b": "x\n\x00\ufffd\u0085", "c": 1.5, "stack": "not at the top", "map": map[string]any{"k": 1.0}, "v": "!PANIC: no text",
			"nan": "NaN", "i": -1.0, "u": 2.0, "t": at.UTC().Format(time.RFC3339Nano), "d": 1e9,
			"bad": "!ERROR: error calling MarshalText for type logging_test.badText: EOF", "chan": "!ERROR: unsupported type: chan int",
			"html": map[string]any{"A": "<&>"},
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
