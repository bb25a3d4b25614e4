// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/logging"
)

// logLines is how many lines are logged for one figure: some ten milliseconds.
const logLines = 20_000

// loggingRow compares a log line with four attributes, as package logging and slog's handlers write it:
// text and JSON, to nowhere and to a file. Ours have pid, name and, in JSON, the place in the program too.
func loggingRow(ctx context.Context, b *bench) (results []result, err error) {
	dir, err := peer.Dir("log")
	if err != nil {
		return nil, err
	}
	for _, json := range []bool{false, true} {
		for _, toFile := range []bool{false, true} {
			r, err := compareLogs(ctx, b, dir, json, toFile)
			if err != nil {
				return nil, err
			}
			results = append(results, r)
		}
	}
	return results, nil
}

func compareLogs(ctx context.Context, b *bench, dir string, json, toFile bool) (r result, err error) {
	o := logging.Options{UseJSON: json}
	var w io.Writer = io.Discard
	name := map[bool]string{false: "text", true: "JSON"}[json] + map[bool]string{false: ", discarded", true: ", to a file"}[toFile]
	if toFile {
		o.LogFile = filepath.Join(dir, "ours.log")
		f, err := os.OpenFile(filepath.Join(dir, "slog.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, f.Close(), os.Truncate(f.Name(), 0)) }()
		w = f
	}
	l, err := logging.New(o, logging.Process{Program: "bench", Stderr: io.Discard})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	var theirs slog.Handler = slog.NewTextHandler(w, nil)
	if json {
		theirs = slog.NewJSONHandler(w, nil)
	}
	var ratios, xs, bases []float64
	for range b.pairs {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		base, x := logFor(slog.New(theirs)), logFor(l.Logger())
		ratios, xs, bases = append(ratios, x/base), append(xs, x), append(bases, base)
	}
	return result{
		name:     fmt.Sprintf("log line, %s, logging : slog", name),
		measured: fmt.Sprintf("%.3f", median(ratios)),
		detail: fmt.Sprintf("quartiles %.3f to %.3f; %.0f ns : %.0f ns",
			quantile(ratios, 0.25), quantile(ratios, 0.75), median(xs), median(bases)),
	}, nil
}

// logFor returns what a line takes, in nanoseconds.
func logFor(l *slog.Logger) float64 {
	ctx := context.Background()
	begin := time.Now()
	for i := range logLines {
		l.LogAttrs(ctx, slog.LevelInfo, "request done", slog.String("method", "GET"), slog.Int("status", 200),
			slog.Duration("took", time.Duration(i)), slog.String("client", "127.0.0.1:4711"))
	}
	return float64(time.Since(begin).Nanoseconds()) / logLines
}
