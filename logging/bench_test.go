// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/logging"
)

// handlers are ours and slog's, side by side: each writes to w, or to a file if w is nil.
func handlers(b *testing.B, dir string) map[string]slog.Handler {
	b.Helper()
	file := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { f.Close() })
		return f
	}
	ours := func(o logging.Options, p logging.Process) slog.Handler { return open(b, o, p).Handler() }
	source := &slog.HandlerOptions{AddSource: true}
	return map[string]slog.Handler{
		"text/ours/discard":        ours(logging.Options{}, logging.Process{Stderr: io.Discard}),
		"text/slog/discard":        slog.NewTextHandler(io.Discard, nil),
		"text/ours/file":           ours(logging.Options{LogFile: filepath.Join(dir, "a")}, logging.Process{}),
		"text/slog/file":           slog.NewTextHandler(file("b"), nil),
		"json/ours/discard":        ours(logging.Options{UseJSON: true}, logging.Process{Stderr: io.Discard}),
		"json/slog/discard":        slog.NewJSONHandler(io.Discard, nil),
		"json/slog+source/discard": slog.NewJSONHandler(io.Discard, source),
		"json/ours/file":           ours(logging.Options{UseJSON: true, LogFile: filepath.Join(dir, "c")}, logging.Process{}),
		"json/slog/file":           slog.NewJSONHandler(file("d"), nil),
	}
}

func BenchmarkHandlers(b *testing.B) {
	for name, h := range handlers(b, b.TempDir()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := slog.New(h)
			ctx := context.Background()
			for b.Loop() {
				l.LogAttrs(ctx, slog.LevelInfo, "request done", slog.String("method", "GET"), slog.Int("status", 200),
					slog.Duration("took", time.Millisecond), slog.String("client", "127.0.0.1:4711"))
			}
		})
	}
}

// BenchmarkWith has attributes that were given before.
func BenchmarkWith(b *testing.B) {
	for name, h := range map[string]slog.Handler{
		"ours": open(b, logging.Options{}, logging.Process{Stderr: io.Discard}).Handler(),
		"slog": slog.NewTextHandler(io.Discard, nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := slog.New(h).With("service", "api", "addr", "127.0.0.1:8774").WithGroup("request")
			for b.Loop() {
				l.Info("request done", "status", 200)
			}
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	l := open(b, logging.Options{}, logging.Process{Stderr: io.Discard}).Logger()
	ctx := logging.WithRequest(context.Background(), logging.Request{ID: "req-1", User: "u", Project: "p"})
	b.ReportAllocs()
	for b.Loop() {
		l.InfoContext(ctx, "request done", "status", 200)
	}
}

func BenchmarkDisabled(b *testing.B) {
	l := open(b, logging.Options{}, logging.Process{Stderr: io.Discard}).Logger()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Debug("x", "status", 200)
		}
	})
}
