// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/service"
)

// job is one worker whose service ends at once, in a way that its arguments say, under a restart policy.
var job = asProgram("job", func() {
	api := narrate("job")
	switch os.Args[1] {
	case "done":
		api.serve = func(context.Context) error { return nil }
	case "failed":
		api.serve = fails
	}
	policy := map[string]service.Restart{
		"always": service.RestartAlways, "on failure": service.RestartOnFailure, "never": service.RestartNever,
	}
	runSets(baseOptions(), service.Set{Workers: 1, Services: []service.Service{api}, Restart: policy[os.Args[2]]})
})

func TestRestartPolicySaysWhatFollowsAnEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end, policy string
		starts      int // at least
		code        int // -1 if it goes on until TERM
	}{
		"done, never":            {"done", "never", 1, service.ExitOK},
		"done, on failure":       {"done", "on failure", 1, service.ExitOK},
		"done, always":           {"done", "always", 3, -1},
		"failed, never":          {"failed", "never", 1, service.ExitFailed},
		"failed, on failure":     {"failed", "on failure", 3, -1},
		"failed, always":         {"failed", "always", 3, -1},
		"killed, on failure":     {"", "on failure", 2, -1},
		"termed, on failure":     {"", "on failure", 2, -1},
		"killed, never":          {"", "never", 1, service.ExitFailed},
		"termed, never":          {"", "never", 1, service.ExitOK},
		"killed by QUIT, always": {"", "always", 2, -1},
	}
	sent := map[string]syscall.Signal{
		"killed, on failure": syscall.SIGKILL, "termed, on failure": syscall.SIGTERM,
		"killed, never": syscall.SIGKILL, "termed, never": syscall.SIGTERM, "killed by QUIT, always": syscall.SIGQUIT,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, job, withArgs(test.end, test.policy))
			if sig := sent[name]; sig != 0 {
				sendSignal(t, f.pids("job", 1)[0], sig)
			}
			f.seen(test.starts, "job serve")
			if test.code < 0 {
				f.signal(syscall.SIGTERM)
				f.ends(service.ExitOK)
				return
			}
			f.ends(test.code)
			f.said(test.starts, "job serve")
		})
	}
}

// A service that is done as soon as it is ready was ready: such a program has not failed to start.
func TestDoneAtOnceIsReadyFirst(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, job, withArgs("failed", "always"))
			f.seen(3, "job serve")
			f.signal(syscall.SIGTERM)
			f.ends(service.ExitOK)
			f.seen(1, "ready job/0")
		})
	}
}

var together = asProgram("together", func() {
	done, other, third := narrate("done"), narrate("other"), narrate("third")
	done.serve = func(context.Context) error { return nil }
	runSets(baseOptions(),
		service.Set{Workers: 1, Services: []service.Service{other}, Together: "a"},
		service.Set{Workers: 1, Services: []service.Service{third}},
		service.Set{Workers: 1, Services: []service.Service{done}, Together: "a", Restart: service.RestartNever, After: []string{"other", "third"}})
})

func TestSetsThatAreTogetherEndTogether(t *testing.T) {
	t.Parallel()
	f := startFleet(t, together)
	f.seen(1, "gone done/0")
	f.seen(1, "other shutdown stop")
	f.seen(1, "gone other/0")
	f.said(0, "third shutdown")
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	f.said(1, "other start")
	f.said(1, "third shutdown stop")
}

var bothTogether = asProgram("bothTogether", func() {
	failing, other := narrate("failing"), narrate("other")
	failing.serve = fails
	runSets(baseOptions(),
		service.Set{Workers: 2, Services: []service.Service{other}, Together: "all"},
		service.Set{Workers: 1, Services: []service.Service{failing}, Together: "all", Restart: service.RestartNever, After: []string{"other"}})
})

func TestProgramEndsWithTheLastOfItsSets(t *testing.T) {
	t.Parallel()
	f := startFleet(t, bothTogether)
	f.ends(service.ExitFailed)
	f.said(2, "other shutdown stop")
	f.said(1, myName+": set other failed: ended together with set failing")
}

var ordered = asProgram("ordered", func() {
	runSets(baseOptions(), service.Set{Name: "all", Workers: 2, Services: []service.Service{
		service.After(narrate("api"), "db"), service.After(narrate("web"), "api"), narrate("db"),
	}})
})

func TestServicesOfAWorkerKeepTheirOrder(t *testing.T) {
	t.Parallel()
	f := startFleet(t, ordered)
	f.pids("all", 2)
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	for id := range 2 {
		who := fmt.Sprintf(", all/%d", id)
		assertOrder(t, f.process, "db start"+who, "api start"+who)
		assertOrder(t, f.process, "api start"+who, "web start"+who)
		assertOrder(t, f.process, "web done"+who, "api shutdown stop"+who)
		assertOrder(t, f.process, "api done"+who, "db shutdown stop"+who)
	}
}

var definer = asProgram("definer", func() {
	svc := service.Define("late", func(ctx context.Context) (service.Service, error) {
		fmt.Printf("constructed in %d for %d\n", os.Getpid(), service.WorkerOf(ctx).ID)
		return narrate("inner"), nil
	})
	runSets(baseOptions(), service.Set{Workers: 2, Services: []service.Service{svc}})
})

func TestDefinedServiceIsMadeWhereItServes(t *testing.T) {
	t.Parallel()
	f := startFleet(t, definer)
	before := f.pids("late", 2)
	f.said(2, "constructed in")
	for id, pid := range before {
		f.said(1, fmt.Sprintf("constructed in %d for %d", pid, id))
	}
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	for id, pid := range f.pids("late", 2) {
		f.said(1, fmt.Sprintf("constructed in %d for %d", pid, id))
	}
	f.said(4, "constructed in") // and neither in the launcher nor in the probe
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}
