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
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// A sum is what the reports of a part say together.
type sum struct {
	part, user string
	times      uint64 // disturbances done
	answered   uint64
	faults     map[prove.Class]uint64
	excused    uint64
	closes     prove.Closes
	reconnects uint64
	worst, gap time.Duration
	errs       []error // what is wrong, a line each
}

// sumUp adds reports up and judges each.
func (p part) sumUp(reports []prove.Report) sum {
	s := sum{faults: map[prove.Class]uint64{}}
	for _, r := range reports {
		for _, d := range r.Disturbed {
			s.times += d.Times
		}
		s.answered += r.Answered
		for _, c := range classes {
			s.faults[c] += r.Count(c)
		}
		s.excused += r.Excused()
		s.closes.Idle += r.Closes.Idle
		s.closes.Reset += r.Closes.Reset
		s.closes.Announced += r.Closes.Announced
		s.closes.Busy += r.Closes.Busy
		s.reconnects += r.Reconnects
		s.worst, s.gap = max(s.worst, r.Latency.Worst), max(s.gap, r.WorstGap)
		for _, line := range r.Judge(prove.Limits{Closes: p.closes, Excused: -1}) {
			s.errs = append(s.errs, fmt.Errorf("%s (seed %d)", line, r.Seed))
		}
	}
	return s
}

var classes = []prove.Class{prove.Lost, prove.Truncated, prove.Wrong, prove.Doubled}

// A table collects what the parts found.
type table struct {
	sums []sum
	took time.Duration
}

func (t *table) add(p part, u user, reports []prove.Report, err error) {
	s := p.sumUp(reports)
	s.part, s.user = p.name, u.name
	if err != nil {
		s.errs = append(s.errs, err)
	}
	t.sums = append(t.sums, s)
}

// verdict returns what is wrong, a line each.
func (t *table) verdict() error {
	var errs []error
	for _, s := range t.sums {
		for _, err := range s.errs {
			errs = append(errs, fmt.Errorf("%s as %s: %w", s.part, s.user, err))
		}
	}
	return errors.Join(errs...)
}

var heads = []string{
	"part", "as", "times", "answered", "lost", "truncated", "wrong", "doubled", "killed with their worker",
	"closes announced", "unannounced", "reconnects", "worst answer", "longest without", "good",
}

func (s sum) cells() []string {
	cells := []string{s.part, s.user, fmt.Sprint(s.times), fmt.Sprint(s.answered)}
	for _, c := range classes {
		cells = append(cells, fmt.Sprint(s.faults[c]))
	}
	good := "yes"
	if len(s.errs) > 0 {
		good = "NO"
	}
	return append(cells, fmt.Sprint(s.excused), fmt.Sprintf("%d, %d busy", s.closes.Announced, s.closes.Busy), fmt.Sprint(s.closes.Idle+s.closes.Reset),
		fmt.Sprint(s.reconnects), s.worst.Round(100*time.Microsecond).String(), s.gap.Round(100*time.Microsecond).String(), good)
}

func (t *table) setting() string {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, %d CPUs, Linux %s, %s; %v", runtime.Version(), runtime.NumCPU(), bytes.TrimSpace(release), runtime.GOARCH, t.took.Round(time.Second))
}

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", t.setting())
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(heads, "\t"))
	for _, s := range t.sums {
		fmt.Fprintln(tw, strings.Join(s.cells(), "\t"))
	}
	tw.Flush()
}

const recordIntro = `# Soak

Written by ` + "`make soak-record`" + `: examples/hello under the load of package prove, whose manual says what is
counted. The package comment of internal/soak says what the parts are.

`

// record writes the table, and what is wrong, into a Markdown file.
func (t *table) record(path string) error {
	var b bytes.Buffer
	b.WriteString(recordIntro)
	fmt.Fprintf(&b, "%s.\n\n", t.setting())
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(heads)
	line(strings.Split(strings.Repeat("---,", len(heads)-1)+"---", ","))
	for _, s := range t.sums {
		line(s.cells())
	}
	if err := t.verdict(); err != nil {
		b.WriteString("\n")
		for text := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(&b, "- %s\n", text)
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
