// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// A result is one line of the table.
type result struct {
	name     string
	measured string // with its unit
	detail   string // spread and absolute figures
	target   string // empty if there is none
	reached  bool   // of target
}

// A table collects results.
type table struct {
	setting string // machine and measure, one line
	results []result
	errs    []error
}

func newTable(b *bench) *table {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return &table{setting: fmt.Sprintf("%s, %d CPUs (%s), Linux %s, %s; %d pairs of %v, %d clients",
		runtime.Version(), runtime.NumCPU(), cpuModel(), bytes.TrimSpace(release), runtime.GOARCH, b.pairs, b.window, clients)}
}

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// add takes over what a row found. That a peer is not installed is a line of the table, not an error.
func (t *table) add(row string, results []result, err error) {
	t.results = append(t.results, results...)
	switch {
	case errors.Is(err, errNotInstalled):
		t.results = append(t.results, result{name: row, measured: "not installed", detail: "make interop installs it"})
	case err != nil:
		t.results = append(t.results, result{name: row, measured: "failed", detail: firstLine(err.Error())})
		t.errs = append(t.errs, fmt.Errorf("%s: %w", row, err))
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// verdict returns the errors of the rows and, if targets count, that one was not reached.
func (t *table) verdict(strict bool) error {
	errs := t.errs
	for _, r := range t.results {
		if strict && r.target != "" && !r.reached {
			errs = append(errs, fmt.Errorf("%s: %s, target %s", r.name, r.measured, r.target))
		}
	}
	return errors.Join(errs...)
}

var heads = []string{"measure", "target", "measured", "reached", "detail"}

// cells returns the columns of a line, in the order of heads.
func (r result) cells() []string {
	reached := map[bool]string{true: "yes", false: "NO"}[r.reached]
	if r.target == "" {
		reached = ""
	}
	return []string{r.name, r.target, r.measured, reached, r.detail}
}

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", t.setting)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(heads, "\t"))
	for _, r := range t.results {
		fmt.Fprintln(tw, strings.Join(r.cells(), "\t"))
	}
	tw.Flush()
}

const recordIntro = `# Benchmarks

Written by ` + "`make bench-record`" + `. Every figure is from one run on one machine and is meant to be compared with
its neighbours only; the package comment of internal/bench says how it is measured. x : y is the ratio
of x to y: above 1 is more.

`

// record writes the table into a Markdown file.
func (t *table) record(path string) error {
	var buf bytes.Buffer
	buf.WriteString(recordIntro)
	fmt.Fprintf(&buf, "%s.\n\n", t.setting)
	line := func(cells []string) { fmt.Fprintf(&buf, "| %s |\n", strings.Join(cells, " | ")) }
	line(heads)
	line([]string{"---", "---", "---", "---", "---"})
	for _, r := range t.results {
		line(r.cells())
	}
	return os.WriteFile(path, buf.Bytes(), 0o644)
}
