// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
)

func newStatus() *cobra.Command {
	var r remote
	var wide bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs",
		Long: "Status shows the program, its listeners and a row for every worker, what was asked of it last and by\n" +
			"whom, signals too, and what was lost. --wide adds columns, and all operations that it remembers.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := r.status(cmd.Context())
			if err != nil {
				return err
			}
			if r.json {
				return writeJSON(cmd.OutOrStdout(), s)
			}
			return writeStatus(cmd.OutOrStdout(), s, wide, time.Now())
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVarP(&wide, "wide", "w", false, "more than fits into 80 columns")
	return cmd
}

// writeStatus prints a status for people: what the program is, then a row for every worker.
func writeStatus(w io.Writer, s control.Status, wide bool, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (pid %d) is %s, up %s, generation %d", s.Program, s.Pid, s.State, age(now, s.Started), s.Generation)
	if s.RestartMethod != "" {
		fmt.Fprintf(&b, ", HUP: %s", s.RestartMethod)
	}
	b.WriteByte('\n')
	if s.Snapshot != "" {
		fmt.Fprintf(&b, "configuration %s\n", s.Snapshot)
	}
	for _, l := range s.Listeners {
		b.WriteString(listenerLine(l) + "\n")
	}
	if p := s.Process; p.Goroutines > 0 {
		fmt.Fprintf(&b, "takes %s, %d goroutines", memory(p.RSS), p.Goroutines)
		if len(s.Sets) == 0 {
			fmt.Fprintf(&b, ", %d requests running", p.Running)
		}
		b.WriteByte('\n')
	}
	if s.Served > 0 || s.Losses.Total() > 0 {
		fmt.Fprintf(&b, "served %d, %s\n", s.Served, lossesLine(s.Losses))
	}
	writeOperations(&b, s, wide, now)
	for _, set := range s.Sets {
		if set.Reason != "" {
			fmt.Fprintf(&b, "%s is %s: %s\n", set.Name, set.State, firstLine(set.Reason))
		}
	}
	b.WriteByte('\n')
	writeTable(&b, s, wide, now)
	_, err := io.WriteString(w, b.String())
	return err
}

func listenerLine(l control.Listener) string {
	line := fmt.Sprintf("listens on %s %s", l.Network, l.Address)
	if l.Queue > 0 {
		line += fmt.Sprintf(", %d in the queue", l.Queue)
	}
	if l.Drops > 0 {
		line += fmt.Sprintf(", %d dropped by a full queue", l.Drops)
	}
	return line
}

// lossesLine names what was lost, by cause.
func lossesLine(l control.Losses) string {
	if l.Total() == 0 {
		return "lost none"
	}
	var causes []string
	for _, c := range []struct {
		n    uint64
		name string
	}{
		{l.QueueLeft, "left in the queue"}, {l.StreamCut, "streams cut"}, {l.DeadlineKill, "cut at a deadline"},
		{l.Panic, "panicked"}, {l.Crash, "in a crash"}, {l.Other, "otherwise"},
	} {
		if c.n > 0 {
			causes = append(causes, fmt.Sprintf("%d %s", c.n, c.name))
		}
	}
	return fmt.Sprintf("lost %d: %s", l.Total(), strings.Join(causes, ", "))
}

// shownOperations is how many operations are shown of those that the program remembers.
const shownOperations = 3

func writeOperations(w io.Writer, s control.Status, wide bool, now time.Time) {
	for i, op := range s.Operations {
		if i == shownOperations && !wide {
			break
		}
		fmt.Fprintf(w, "%s ago: %s", age(now, op.At), operationLine(op.Outcome))
		if op.By != "" {
			fmt.Fprintf(w, " (%s)", op.By)
		}
		fmt.Fprintln(w)
	}
}

func operationLine(out control.Outcome) string {
	if out.Error != "" {
		return fmt.Sprintf("%s failed: %s", out.Action, firstLine(out.Error))
	}
	return describe(out)
}

// age prints how long ago t was; "-" for never.
func age(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return span(now.Sub(t))
}

// millis prints milliseconds; "-" for none.
func millis(ms int64) string {
	if ms <= 0 {
		return "-"
	}
	return span(time.Duration(ms) * time.Millisecond)
}

// span prints a duration in its two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return d.Truncate(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// amount prints a count in at most five characters.
func amount(n uint64) string {
	for _, unit := range []string{"", "k", "M", "G", "T"} {
		if n < 100_000 {
			return fmt.Sprint(n, unit)
		}
		n /= 1000
	}
	return "many"
}

// memory prints bytes; "-" where they are not known.
func memory(n int64) string {
	switch {
	case n <= 0:
		return "-"
	case n < 10<<20:
		return fmt.Sprintf("%dk", n>>10)
	case n < 10<<30:
		return fmt.Sprintf("%dM", n>>20)
	}
	return fmt.Sprintf("%dG", n>>30)
}

// firstLine keeps a table a table: a worker's last words may be a stack.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.ReplaceAll(line, "\t", " ")
}

// orNone returns text, "-" if there is none.
func orNone(text string) string { return cmp.Or(firstLine(text), "-") }
