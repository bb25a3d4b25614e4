// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
)

func newStatus() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := r.status(cmd.Context())
			if err != nil {
				return err
			}
			if r.json {
				return writeJSON(cmd.OutOrStdout(), s)
			}
			return writeStatus(cmd.OutOrStdout(), s, time.Now())
		},
	}
	r.flags(cmd)
	return cmd
}

// writeStatus prints a status for people: what the program is, then a row for every worker.
func writeStatus(w io.Writer, s control.Status, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (pid %d) is %s, up %s, generation %d", s.Program, s.Pid, s.State, age(now, s.Started), s.Generation)
	if s.RestartMethod != "" {
		fmt.Fprintf(&b, ", HUP: %s", s.RestartMethod)
	}
	b.WriteByte('\n')
	for _, l := range s.Listeners {
		fmt.Fprintf(&b, "listens on %s %s\n", l.Network, l.Address)
	}
	if s.Last != nil {
		fmt.Fprintf(&b, "last: %s\n", lastLine(*s.Last))
	}
	for _, set := range s.Sets {
		if set.Reason != "" {
			fmt.Fprintf(&b, "%s is %s: %s\n", set.Name, set.State, set.Reason)
		}
	}
	b.WriteByte('\n')
	writeTable(&b, s, now)
	_, err := io.WriteString(w, b.String())
	return err
}

func lastLine(out control.Outcome) string {
	if out.Error != "" {
		return fmt.Sprintf("%s failed: %s", out.Action, out.Error)
	}
	return describe(out)
}

func writeTable(w io.Writer, s control.Status, now time.Time) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	if len(s.Sets) == 0 {
		fmt.Fprintln(tw, "SERVICE\tSTATE")
		for _, svc := range s.Services {
			fmt.Fprintf(tw, "%s\t%s\n", svc.Name, svc.State)
		}
		return
	}
	fmt.Fprintln(tw, "SET\tID\tPID\tGEN\tSTATE\tFOR\tBEAT\tRUNNING\tOLDEST\tSERVED\tLOST\tRESTARTS\tLAST EXIT")
	for _, set := range s.Sets {
		if len(set.Slots) == 0 {
			fmt.Fprintf(tw, "%s\t-\t-\t-\t%s\t-\t-\t-\t-\t-\t-\t-\t-\n", set.Name, set.State)
		}
		for _, k := range set.Slots {
			fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%s\n",
				set.Name, k.ID, k.Pid, k.Generation, k.State, age(now, k.Since), millis(k.Beat),
				k.Running, millis(k.OldestMillis), k.Served, k.Lost, k.Restarts, cmp.Or(firstLine(k.LastExit), "-"))
		}
	}
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

// span prints a duration, from a second on in whole seconds.
func span(d time.Duration) string {
	if d < time.Second {
		return d.Truncate(time.Millisecond).String()
	}
	return d.Truncate(time.Second).String()
}

// firstLine keeps a table a table: a worker's last words may be a stack.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.ReplaceAll(line, "\t", " ")
}
