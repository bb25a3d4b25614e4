// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// A column of the table of workers.
type column struct {
	title string
	wide  bool // only where there is room
	cell  func(k control.Worker, now time.Time) string
}

// columns follow that of the set's name. Those that are not wide take 80 characters together.
var columns = []column{
	{"ID", false, func(k control.Worker, _ time.Time) string { return strconv.Itoa(k.ID) }},
	{"PID", false, func(k control.Worker, _ time.Time) string { return strconv.Itoa(k.Pid) }},
	{"GEN", false, func(k control.Worker, _ time.Time) string { return strconv.Itoa(k.Generation) }},
	{"STATE", false, func(k control.Worker, _ time.Time) string { return k.State }},
	{"UP", false, func(k control.Worker, now time.Time) string { return age(now, k.Started) }},
	{"FOR", true, func(k control.Worker, now time.Time) string { return age(now, k.Since) }},
	{"BEAT", true, func(k control.Worker, _ time.Time) string { return millis(k.Beat) }},
	{"RUN", false, func(k control.Worker, _ time.Time) string { return strconv.Itoa(k.Running) }},
	{"OLDEST", false, func(k control.Worker, _ time.Time) string { return millis(k.OldestMillis) }},
	{"SERVED", false, func(k control.Worker, _ time.Time) string { return amount(k.Served) }},
	{"LOST", false, func(k control.Worker, _ time.Time) string { return amount(k.Lost) }},
	{"MEM", false, func(k control.Worker, _ time.Time) string { return memory(k.RSS) }},
	{"ANON", true, func(k control.Worker, _ time.Time) string { return memory(k.Anon) }},
	{"GOR", false, func(k control.Worker, _ time.Time) string { return amount(uint64(max(k.Goroutines, 0))) }},
	{"RST", false, func(k control.Worker, _ time.Time) string { return strconv.Itoa(k.Restarts) }},
	{"LAST EXIT", true, func(k control.Worker, _ time.Time) string { return orNone(k.LastExit) }},
}

// writeTable prints a row for every worker, or for every service of a program without them.
func writeTable(w io.Writer, s control.Status, wide bool, now time.Time) {
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	if wide {
		tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	}
	if len(s.Sets) == 0 {
		fmt.Fprintln(tw, "SERVICE\tSTATE")
		for _, svc := range s.Services {
			fmt.Fprintf(tw, "%s\t%s\n", svc.Name, svc.State)
		}
		tw.Flush()
		return
	}
	row := func(name string, cell func(c column) string) {
		cells := []string{name}
		for _, c := range columns {
			if wide || !c.wide {
				cells = append(cells, cell(c))
			}
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	row("SET", func(c column) string { return c.title })
	for _, set := range s.Sets {
		if len(set.Slots) == 0 {
			row(set.Name, func(c column) string {
				if c.title == "STATE" {
					return set.State
				}
				return "-"
			})
		}
		for _, k := range set.Slots {
			row(set.Name, func(c column) string { return c.cell(k, now) })
		}
	}
	tw.Flush()
	if !wide {
		writeExits(w, s)
	}
}

// writeExits says how workers ended before those that are there, where there is no column for it.
func writeExits(w io.Writer, s control.Status) {
	for _, set := range s.Sets {
		last := -1
		for _, k := range set.Slots {
			if k.LastExit != "" && k.Restarts > 0 && k.ID != last {
				fmt.Fprintf(w, "%s/%d ended before: %s\n", set.Name, k.ID, firstLine(k.LastExit))
				last = k.ID
			}
		}
	}
}
