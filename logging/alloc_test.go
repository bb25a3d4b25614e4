// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package logging_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/mainstay-go/mainstay/logging"
)

// TestAllocations holds that a line that is written needs no memory of its own. The race detector
// makes pools forget.
func TestAllocations(t *testing.T) {
	ctx := logging.WithRequestID(context.Background(), "req-1")
	for name, o := range map[string]logging.Options{
		"text": {}, "JSON": {UseJSON: true}, "text, to a file": {LogFile: filepath.Join(t.TempDir(), "a")},
	} {
		l := open(t, o, logging.Process{Stderr: io.Discard}).Logger()
		got := testing.AllocsPerRun(1000, func() {
			l.LogAttrs(ctx, slog.LevelInfo, "request done", slog.String("method", "GET"), slog.Int("status", 200))
		})
		if got >= 1 {
			t.Errorf("%s: %v allocations for a line, want none", name, got)
		}
	}
}
