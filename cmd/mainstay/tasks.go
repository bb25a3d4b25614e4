// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/periodic"
)

func newTasks() *cobra.Command {
	var r remote
	var wide bool
	cmd := &cobra.Command{
		Use:   "tasks [NAME...]",
		Short: "Show periodic tasks: last run, result, next run",
		Long: "Tasks shows a row for every periodic task in every worker, or for those of the given names: when it\n" +
			"ran last and how long that took, when it runs next, and how many runs there were, failed, were skipped\n" +
			"because one still ran, or began late. Errors follow. --wide adds columns.",
		RunE: func(cmd *cobra.Command, names []string) error {
			if _, err := r.status(cmd.Context()); err != nil {
				return err
			}
			shown, err := r.client().Inspect(cmd.Context(), "tasks")
			if err != nil {
				return err
			}
			tasks, err := taskRows(shown, names)
			if err != nil {
				return err
			}
			if r.json {
				return writeJSON(cmd.OutOrStdout(), tasks)
			}
			return writeTasks(cmd.OutOrStdout(), tasks, wide, time.Now())
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVarP(&wide, "wide", "w", false, "more than fits into 80 columns")
	return cmd
}

// A taskRow is a task in a worker. Without a name it is the fault of a worker that has not answered.
type taskRow struct {
	Set        string `json:"set,omitempty"`
	Worker     int    `json:"worker"`
	Pid        int    `json:"pid"`
	Generation int    `json:"generation"`
	Service    string `json:"service,omitempty"`
	Error      string `json:"error,omitempty"`
	periodic.State
}

// taskRows returns the tasks in what services show, sorted by name; all if there are no names. A name
// that nobody has is an error, unless a worker that has not answered may have it.
func taskRows(shown []control.Inspection, names []string) ([]taskRow, error) {
	rows := []taskRow{}
	found, faults := map[string]bool{}, 0
	for _, i := range shown {
		row := taskRow{Set: i.Set, Worker: i.Worker, Pid: i.Pid, Generation: i.Generation, Service: i.Service, Error: i.Error}
		var states []periodic.State
		if i.Error == "" {
			if err := json.Unmarshal(i.Value, &states); err != nil {
				row.Error = "shows no periodic tasks: " + err.Error()
			}
		}
		if row.Error != "" {
			faults++
			rows = append(rows, row)
		}
		for _, row.State = range states {
			if found[row.Name] = true; len(names) == 0 || slices.Contains(names, row.Name) {
				rows = append(rows, row)
			}
		}
	}
	for _, name := range names {
		if !found[name] && faults == 0 {
			return nil, fmt.Errorf("no task %q", name)
		}
	}
	slices.SortStableFunc(rows, func(a, b taskRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Set, b.Set), cmp.Compare(a.Worker, b.Worker), cmp.Compare(a.Generation, b.Generation))
	})
	return rows, nil
}

// A taskColumn is a column of the table of tasks.
type taskColumn struct {
	title string
	wide  bool // only where there is room
	cell  func(r taskRow, now time.Time) string
}

var taskColumns = []taskColumn{
	{"TASK", false, func(r taskRow, _ time.Time) string { return firstLine(r.Name) }},
	{"WORKER", false, func(r taskRow, _ time.Time) string { return r.where() }},
	{"SCHEDULE", true, func(r taskRow, _ time.Time) string { return firstLine(r.Schedule) }},
	{"SCOPE", true, func(r taskRow, _ time.Time) string { return r.Scope }},
	{"STATE", false, func(r taskRow, _ time.Time) string { return r.State.State }},
	{"FOR", true, func(r taskRow, _ time.Time) string { return millis(r.RunningMillis) }},
	{"LAST", false, func(r taskRow, now time.Time) string { return age(now, r.LastStart) }},
	{"TOOK", false, func(r taskRow, _ time.Time) string { return r.took() }},
	{"RESULT", false, func(r taskRow, _ time.Time) string { return r.result() }},
	{"NEXT", false, func(r taskRow, now time.Time) string { return dueIn(now, r.Next) }},
	{"RUNS", false, func(r taskRow, _ time.Time) string { return amount(r.Runs) }},
	{"FAIL", false, func(r taskRow, _ time.Time) string { return amount(r.Failures) }},
	{"SKIP", false, func(r taskRow, _ time.Time) string { return amount(r.Skipped) }},
	{"MISS", true, func(r taskRow, _ time.Time) string { return amount(r.Missed) }},
	{"LATE", false, func(r taskRow, _ time.Time) string { return amount(r.Late) }},
	{"QUEUED", true, func(r taskRow, _ time.Time) string { return strconv.Itoa(r.Queued) }},
	{"LEASE", true, func(r taskRow, _ time.Time) string { return cmp.Or(r.Lease, "-") }},
	{"TOKEN", true, func(r taskRow, _ time.Time) string { return r.token() }},
	{"HOLDER", true, func(r taskRow, _ time.Time) string { return orNone(r.Holder) }},
}

// where is the worker, or the pid of a program without workers.
func (r taskRow) where() string {
	if r.Set == "" {
		return "pid " + strconv.Itoa(r.Pid)
	}
	return r.Set + "/" + strconv.Itoa(r.Worker)
}

func (r taskRow) ended() bool { return r.Runs > uint64(r.Running) }

func (r taskRow) took() string {
	if !r.ended() {
		return "-"
	}
	return span(time.Duration(r.LastMillis) * time.Millisecond)
}

func (r taskRow) result() string {
	switch {
	case r.LastError != "":
		return "error"
	case r.ended():
		return "ok"
	}
	return "-"
}

func (r taskRow) token() string {
	if r.Token == 0 {
		return "-"
	}
	return strconv.FormatInt(r.Token, 10)
}

// dueIn prints how long it is to t; "-" for never, "now" for what is due.
func dueIn(now, t time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case !t.After(now):
		return "now"
	}
	return span(t.Sub(now))
}

// writeTasks prints the tasks for people.
func writeTasks(w io.Writer, rows []taskRow, wide bool, now time.Time) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(cell func(c taskColumn) string) {
		var cells []string
		for _, c := range taskColumns {
			if wide || !c.wide {
				cells = append(cells, cell(c))
			}
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	line(func(c taskColumn) string { return c.title })
	for _, r := range rows {
		if r.Error == "" {
			line(func(c taskColumn) string { return c.cell(r, now) })
		}
	}
	tw.Flush()
	for _, r := range rows {
		for _, fault := range []struct{ what, text string }{{"last run", r.LastError}, {"lease", r.LeaseError}} {
			if fault.text != "" {
				fmt.Fprintf(&b, "%s in %s: %s: %s\n", firstLine(r.Name), r.where(), fault.what, firstLine(fault.text))
			}
		}
		if r.Error != "" {
			fmt.Fprintf(&b, "%s: %s\n", r.where(), firstLine(r.Error))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
