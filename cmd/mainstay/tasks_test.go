// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/service"
)

// ticking is a program for the scripts: two workers with periodic tasks.
func ticking() {
	tasks := periodic.Tasks{
		{Name: "poll", Every: 50 * time.Millisecond, Run: func(context.Context) error { return nil }},
		{Name: "sync", Every: time.Hour, Immediately: true, Run: func(context.Context) error { return errors.New("no peer") }},
	}
	err := service.Launch(context.Background(), service.Options{Name: "ticking", Workers: 2, Control: os.Getenv("TICKING_SOCKET")},
		service.Named("timer", tasks))
	if err != nil {
		fmt.Fprintln(os.Stderr, "ticking:", err)
	}
	os.Exit(service.ExitCode(err))
}

func shownTasks(t *testing.T, now time.Time) []control.Inspection {
	t.Helper()
	value := func(states ...periodic.State) json.RawMessage {
		text, err := json.Marshal(states)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	return []control.Inspection{
		{Set: "api", Worker: 0, Pid: 11, Generation: 1, Service: "tasks", Value: value(
			periodic.State{Name: "sweep", Schedule: "30 2 * * * UTC", Scope: "cluster", State: "running", Running: 1, RunningMillis: 65_000,
				LastStart: now.Add(-65 * time.Second), LastMillis: 1500, Next: now.Add(3 * time.Hour), Runs: 3, Skipped: 1, Late: 2,
				Lease: "tasks/sweep", Token: 4},
			periodic.State{Name: "poll", Schedule: "every 1s", Scope: "worker", State: "waiting", LastStart: now.Add(-time.Second), LastMillis: 12,
				LastError: "no peer\nat all", Next: now, Runs: 123456, Failures: 123456},
		)},
		{Set: "api", Worker: 1, Pid: 12, Generation: 1, Service: "tasks", Value: value(
			periodic.State{Name: "sweep", Schedule: "30 2 * * * UTC", Scope: "cluster", State: "standby", Missed: 5, Queued: 6,
				Lease: "tasks/sweep", Holder: "one:11", LeaseError: "no database"},
			periodic.State{Name: "poll", Schedule: "every 1s", Scope: "worker", State: "disabled"},
		)},
		{Set: "api", Worker: 2, Pid: 13, Generation: 1, Error: "no answer within 2s"},
	}
}

func TestWriteTasks(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		shown []control.Inspection
		names []string
		wide  bool
		want  string
	}{
		"all": {shownTasks(t, now), nil, false, `
TASK   WORKER  STATE     LAST  TOOK  RESULT  NEXT  RUNS  FAIL  SKIP  LATE
poll   api/0   waiting   1s    12ms  error   now   123k  123k  0     0
poll   api/1   disabled  -     -     -       -     0     0     0     0
sweep  api/0   running   1m5s  1s    ok      3h0m  3     0     1     2
sweep  api/1   standby   -     -     -       -     0     0     0     0
api/2: no answer within 2s
poll in api/0: last run: no peer
sweep in api/1: lease: no database
`},
		"one, wide": {shownTasks(t, now), []string{"sweep"}, true, `
TASK   WORKER  SCHEDULE        SCOPE    STATE    FOR   LAST  TOOK  RESULT  NEXT  RUNS  FAIL  SKIP  MISS  LATE  QUEUED  LEASE        TOKEN  HOLDER
sweep  api/0   30 2 * * * UTC  cluster  running  1m5s  1m5s  1s    ok      3h0m  3     0     1     0     2     0       tasks/sweep  4      -
sweep  api/1   30 2 * * * UTC  cluster  standby  -     -     -     -       -     0     0     0     5     0     6       tasks/sweep  -      one:11
api/2: no answer within 2s
sweep in api/1: lease: no database
`},
		"one process, no such kind of value": {[]control.Inspection{
			{Pid: 10, Value: json.RawMessage(`[{"name":"a","state":"waiting"}]`)},
			{Pid: 10, Service: "other", Value: json.RawMessage(`"what"`)},
		}, nil, false, `
TASK  WORKER  STATE    LAST  TOOK  RESULT  NEXT  RUNS  FAIL  SKIP  LATE
a     pid 10  waiting  -     -     -       -     0     0     0     0
pid 10: shows no periodic tasks: json: cannot unmarshal string into Go value of type []periodic.State
`},
		"none": {[]control.Inspection{{Pid: 10, Value: json.RawMessage(`[]`)}}, nil, false, `
TASK  WORKER  STATE  LAST  TOOK  RESULT  NEXT  RUNS  FAIL  SKIP  LATE
`},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := taskRows(c.shown, c.names)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := writeTasks(&b, rows, c.wide, now); err != nil {
				t.Fatal(err)
			}
			if got := "\n" + b.String(); got != c.want {
				t.Errorf("got:%s\nwant:%s", got, c.want)
			}
		})
	}
}

func TestTasksThatAreNotThere(t *testing.T) {
	shown := shownTasks(t, time.Now())
	if _, err := taskRows(shown, []string{"swep"}); err != nil {
		t.Errorf("taskRows = %v, want no error: a worker has not answered", err)
	}
	if _, err := taskRows(shown[:2], []string{"poll", "swep"}); err == nil || err.Error() != `no task "swep"` {
		t.Errorf("taskRows = %v, want an error that names it", err)
	}
}
