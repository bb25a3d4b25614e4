// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"github.com/mainstay-go/mainstay/logging"
	"io"
	"log/slog"
	"testing"
)

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

// root=LEVEL wins over debug.
func TestRootLevel(t *testing.T) {
	o := logging.Options{Debug: true, DefaultLogLevels: []string{"root=ERROR", "trace=TRACE"}}
	l := open(t, o, logging.Process{Stderr: io.Discard})
	if l.Logger().Enabled(context.Background(), slog.LevelWarn) || !logging.Named(l.Logger(), "trace").Enabled(context.Background(), logging.LevelTrace) {
		t.Error("root=ERROR lets WARNING through, or trace=TRACE does not let TRACE")
	}
	if got := logging.Named(logging.Named(l.Logger(), "trace"), "root").Handler(); got.Enabled(context.Background(), slog.LevelWarn) {
		t.Error("the logger root is not the program's")
	}
}
