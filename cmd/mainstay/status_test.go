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
		want   string
	}{
		"workers": {
			control.Status{
				Program: "mainstay", Pid: 10, State: "reloading", Generation: 2, Started: now.Add(-90 * time.Minute), RestartMethod: "reload",
				Listeners: []control.Listener{{Network: "tcp", Address: "127.0.0.1:8774"}},
				Sets: []control.Set{
					{Name: "api", State: "running", Workers: 2, Slots: []control.Worker{
						{ID: 0, Pid: 11, Generation: 1, State: "running", Since: now.Add(-2 * time.Second), Beat: 300, Running: 3, OldestMillis: 65_000, Served: 1200},
						{ID: 0, Pid: 12, Generation: 2, State: "starting", Since: now.Add(-12 * time.Millisecond), Lost: 1, Restarts: 2, LastExit: "panic: x\ngoroutine 1"},
					}},
					{Name: "bus", State: "failed", Reason: "gave up after 20 starts in a minute", Workers: 1},
				},
				Last: &control.Outcome{Action: "reload", Generation: 2, Millis: 35},
			},
			`
mainstay (pid 10) is reloading, up 1h30m0s, generation 2, HUP: reload
listens on tcp 127.0.0.1:8774
last: reload done in 35ms, generation 2
bus is failed: gave up after 20 starts in a minute

SET  ID  PID  GEN  STATE     FOR   BEAT   RUNNING  OLDEST  SERVED  LOST  RESTARTS  LAST EXIT
api  0   11   1    running   2s    300ms  3        1m5s    1200    0     0         -
api  0   12   2    starting  12ms  -      0        -       0       1     2         panic: x
bus  -   -    -    failed    -     -      -        -       -       -     -         -
`,
		},
		"one process": {
			control.Status{
				Program: "hello", Pid: 10, State: "running", Generation: 1, Started: now.Add(-time.Second),
				Services: []control.Service{{Name: "web", State: "running"}},
				Last:     &control.Outcome{Action: "reload", Generation: 1, Error: "bad file"},
			},
			`
hello (pid 10) is running, up 1s, generation 1
last: reload failed: bad file

SERVICE  STATE
web      running
`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := writeStatus(&b, test.status, now); err != nil {
				t.Fatal(err)
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
