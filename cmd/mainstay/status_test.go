// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

func TestWriteStatus(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		status control.Status
		wide   bool
		want   string
	}{
		"workers": {
			busy(now), false,
			`
mainstay (pid 10) is reloading, up 1h30m, generation 2, HUP: reload
configuration ab12
listens on tcp 127.0.0.1:8774, 3 in the queue, 4 dropped by a full queue
served 123456789, lost 5: 2 cut at a deadline, 3 in a crash
12s ago: reload done in 35ms, generation 2, 1 cut at the deadline, 2 requests lost (signal HUP)
1m0s ago: scale failed: set api: no such set (control uid 0 pid 17)
2m5s ago: scale done in 1s, generation 1 (signal TTIN)
bus is failed: gave up after 20 starts in a minute

SET ID PID     GEN STATE    UP   RUN OLDEST SERVED LOST MEM   GOR RST
api 0  4194303 12  running  2h3m 123 1m5s   12345k 12   1024M 123 12
api 0  12      2   starting 12ms 0   -      0      1    -     0   2
bus -  -       -   failed   -    -   -      -      -    -     -   -
api/0 ended before: panic: x
`,
		},
		"workers, wide": {
			busy(now), true,
			`
mainstay (pid 10) is reloading, up 1h30m, generation 2, HUP: reload
configuration ab12
listens on tcp 127.0.0.1:8774, 3 in the queue, 4 dropped by a full queue
served 123456789, lost 5: 2 cut at a deadline, 3 in a crash
12s ago: reload done in 35ms, generation 2, 1 cut at the deadline, 2 requests lost (signal HUP)
1m0s ago: scale failed: set api: no such set (control uid 0 pid 17)
2m5s ago: scale done in 1s, generation 1 (signal TTIN)
1d2h ago: stop done in 0s, generation 1
bus is failed: gave up after 20 starts in a minute

SET  ID  PID      GEN  STATE     UP    FOR   BEAT   RUN  OLDEST  SERVED  LOST  MEM    ANON   GOR  RST  LAST EXIT
api  0   4194303  12   running   2h3m  2s    300ms  123  1m5s    12345k  12    1024M  9216k  123  12   -
api  0   12       2    starting  12ms  12ms  -      0    -       0       1     -      -      0    2    panic: x
bus  -   -        -    failed    -     -     -      -    -       -       -     -      -      -    -    -
`,
		},
		"one process": {
			control.Status{
				Program: "hello", Pid: 10, State: "running", Generation: 1, Started: now.Add(-time.Second),
				Services: []control.Service{{Name: "web", State: "running"}}, Served: 2,
				Process:    control.Process{RSS: 12 << 20, Goroutines: 9, Running: 3},
				Operations: []control.Operation{{Outcome: control.Outcome{Action: "reload", Generation: 1, Error: "bad file"}, At: now}},
			}, false,
			`
hello (pid 10) is running, up 1s, generation 1
takes 12M, 9 goroutines, 3 requests running
served 2, lost none
0s ago: reload failed: bad file

SERVICE STATE
web     running
`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := writeStatus(&b, test.status, test.wide, now); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if !test.wide && strings.HasPrefix(line, "api ") && len(line) > 80 {
					t.Errorf("row of %d characters: %s", len(line)-1, line)
				}
			}
			if got := "\n" + b.String(); got != test.want {
				t.Errorf("status is printed as\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	got := describe(control.Outcome{Action: "stop", Generation: 3, Millis: 1500, Cut: 2})
	if want := "stop done in 1.5s, generation 3, 2 cut at the deadline"; got != want {
		t.Errorf("describe = %q, want %q", got, want)
	}
}

// busy is a status with large numbers in it.
func busy(now time.Time) control.Status {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	return control.Status{
		Program: "mainstay", Pid: 10, State: "reloading", Generation: 2, Started: ago(90 * time.Minute), RestartMethod: "reload",
		Snapshot: "ab12", Served: 123456789, Losses: control.Losses{DeadlineKill: 2, Crash: 3},
		Listeners: []control.Listener{{Network: "tcp", Address: "127.0.0.1:8774", Queue: 3, Drops: 4}},
		Sets: []control.Set{
			{Name: "api", State: "running", Workers: 2, Slots: []control.Worker{
				{ID: 0, Pid: 4194303, Generation: 12, State: "running", Since: ago(2 * time.Second), Started: ago(123 * time.Minute), Beat: 300,
					Running: 123, OldestMillis: 65_000, Served: 12345678, Lost: 12, RSS: 1 << 30, Anon: 9 << 20, Goroutines: 123, Restarts: 12},
				{ID: 0, Pid: 12, Generation: 2, State: "starting", Since: ago(12 * time.Millisecond), Started: ago(12 * time.Millisecond),
					Lost: 1, Restarts: 2, LastExit: "panic: x\ngoroutine 1"},
			}},
			{Name: "bus", State: "failed", Reason: "gave up after 20 starts in a minute", Workers: 1},
		},
		Operations: []control.Operation{
			{Outcome: control.Outcome{Action: "reload", Generation: 2, Millis: 35, Cut: 1, Lost: 2}, By: "signal HUP", At: ago(12 * time.Second)},
			{Outcome: control.Outcome{Action: "scale", Generation: 1, Error: "set api: no such set"}, By: "control uid 0 pid 17", At: ago(time.Minute)},
			{Outcome: control.Outcome{Action: "scale", Generation: 1, Millis: 1000}, By: "signal TTIN", At: ago(125 * time.Second)},
			{Outcome: control.Outcome{Action: "stop", Generation: 1}, At: ago(26 * time.Hour)},
		},
	}
}
