// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mainstay-go/mainstay/logging"
)

// FuzzFormat reads any text as the format strings of lines and dates. What was accepted must write a line.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{
		"%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(global_request_id)s %(request_id)s %(user_identity)s] %(instance)s%(message)s",
		"%%(%(message)-10.3s)%(lineno)+08.3d %(created)012.2f% (", "%(message", "%(msecs)e%(process) d%(process)-5i|", "%(name)ld", "%Y-%m-%d %H:%M:%S %j %U %W %V",
	} {
		f.Add(seed, "x", "v")
	}
	f.Fuzz(func(t *testing.T, format, message, value string) {
		if len(format) > 1000 {
			return
		}
		o := logging.Options{DefaultFormat: format, LogDateFormat: "%Y", ExceptionPrefix: "| "}
		if logging.ParseDate(format) == nil {
			o.LogDateFormat = format
		}
		if logging.ParseFormat(format) != nil {
			if o.Validate() == nil && format != "" {
				t.Errorf("%q: refused, and Validate accepts it", format)
			}
			o.DefaultFormat = ""
		}
		if err := o.Validate(); err != nil {
			t.Fatalf("Validate(%+v) = %v", o, err)
		}
		var buf bytes.Buffer
		l, err := logging.New(o, logging.Process{Stderr: &buf, Program: "prog"})
		if err != nil {
			t.Fatal(err)
		}
		l.Logger().Info(message, value, value)
		if !strings.HasSuffix(buf.String(), "\n") {
			t.Errorf("wrote %q", buf.String())
		}
	})
}

// FuzzLine logs any text. Nothing in it may begin a line, in text or JSON, or reach into a terminal.
func FuzzLine(f *testing.F) {
	f.Add("x\n2026 INFO", "k", "v\r\n\x1b[2J\xff\u2028", "req-1\n")
	f.Fuzz(func(t *testing.T, message, key, value, id string) {
		for _, o := range []logging.Options{{DefaultFormat: "> %(message)s", ContextFormat: "> %(request_id)s %(message)s", ExceptionPrefix: "> "}, {UseJSON: true}} {
			var buf bytes.Buffer
			l, err := logging.New(o, logging.Process{Stderr: &buf, Program: "prog", Worker: func() string { return value }})
			if err != nil {
				t.Fatal(err)
			}
			logging.Named(l.Logger(), value).With(key, value).InfoContext(logging.WithRequestID(t.Context(), id), message,
				key, value, "error", errors.New(value), "instance", value, "stack", value)
			text := buf.String()
			if !strings.HasSuffix(text, "\n") || !utf8.ValidString(text) {
				t.Fatalf("wrote %q", text)
			}
			for _, r := range text {
				if r != '\n' && (r != '\t' || o.UseJSON) && unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
					t.Errorf("wrote %q in %q", r, text)
				}
			}
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if o.UseJSON && (len(lines) != 1 || !json.Valid([]byte(text))) {
				t.Errorf("wrote %q", text)
			}
			for _, line := range lines {
				if !o.UseJSON && !strings.HasPrefix(line, "> ") {
					t.Errorf("a line %q in %q", line, text)
				}
			}
		}
	})
}
