// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/service"
)

// hooked prints all hooks, of which there are two of each, between two that panic.
var hooked = asProgram("hooked", func() {
	hooks := func(name string) service.Hooks {
		line := func(what string, args ...any) { fmt.Printf("hook %s: %s %v\n", name, what, args) }
		return service.Hooks{
			BeforeSpawn: func(w service.Worker) { line("before", w) },
			AfterSpawn:  func(w service.Worker, pid int) { line("after", w, pid) },
			Ready:       func(w service.Worker, pid int) { line("ready", w, pid) },
			Gone:        func(w service.Worker, g service.Gone) { line("gone", w, g.Pid, g.Asked, g.Code, g.Signal, g.Reason) },
			Reloaded:    func(generation int) { line("reloaded", generation) },
			Stopping:    func() { line("stopping") },
			AfterInit: func(ctx context.Context) error {
				line("init", service.WorkerOf(ctx), os.Getpid())
				return nil
			},
		}
	}
	panics := service.Hooks{
		BeforeSpawn: func(service.Worker) { panic("before") },
		Ready:       func(service.Worker, int) { panic("ready") },
		Gone:        func(service.Worker, service.Gone) { panic("gone") },
		Stopping:    func() { panic("stopping") },
	}
	opts := baseOptions()
	opts.Hooks = []service.Hooks{panics, hooks("a"), {}, hooks("b"), panics}
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{narrate("api")}})
})

func TestHooksComeInOrderWithWhatHappened(t *testing.T) {
	t.Parallel()
	f := startFleet(t, hooked)
	first := f.pids("api", 1)[0]
	f.signal(syscall.SIGHUP)
	f.seen(2, fmt.Sprintf("gone [{api 0 1 1} %d", first))
	f.seen(2, "reloaded [2]")
	second := f.pids("api", 1)[0]
	sendSignal(t, second, syscall.SIGKILL)
	f.seen(2, fmt.Sprintf("gone [{api 0 1 2} %d", second))
	f.seen(6, ": ready [{api 0 1")
	third := f.pids("api", 1)[0]
	f.stops()

	var got, inits []string
	for line := range strings.Lines(f.output()) {
		line = strings.TrimSpace(line)
		if what, ok := strings.CutPrefix(line, "hook a: "); ok && strings.HasPrefix(what, "init") {
			inits = append(inits, what)
		} else if ok {
			got = append(got, what)
		}
	}
	want := []string{
		"before [{api 0 1 1}]", fmt.Sprintf("after [{api 0 1 1} %d]", first), fmt.Sprintf("ready [{api 0 1 1} %d]", first),
		"before [{api 0 1 2}]", fmt.Sprintf("after [{api 0 1 2} %d]", second), fmt.Sprintf("ready [{api 0 1 2} %d]", second),
		"reloaded [2]", fmt.Sprintf("gone [{api 0 1 1} %d true 0  exit status 0]", first),
		fmt.Sprintf("gone [{api 0 1 2} %d false -1 SIGKILL killed by SIGKILL]", second),
		"before [{api 0 1 2}]", fmt.Sprintf("after [{api 0 1 2} %d]", third), fmt.Sprintf("ready [{api 0 1 2} %d]", third),
		"stopping []", fmt.Sprintf("gone [{api 0 1 2} %d true 0  exit status 0]", third),
	}
	if !slices.Equal(got, want) {
		t.Errorf("hooks\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	want = []string{
		fmt.Sprintf("init [{api 0 1 1} %d]", first), fmt.Sprintf("init [{api 0 1 2} %d]", second), fmt.Sprintf("init [{api 0 1 2} %d]", third),
	}
	if !slices.Equal(inits, want) {
		t.Errorf("AfterInit in the workers\n%s\nwant\n%s", strings.Join(inits, "\n"), strings.Join(want, "\n"))
	}
	f.said(len(got)+len(inits), "hook b: ")
	for _, moment := range []string{"before", "ready", "gone", "stopping"} {
		if f.count("panic="+moment) == 0 {
			t.Errorf("the panic of %s was not logged", moment)
		}
	}
	assertOrder(t, f.process, "hook a: before", "hook b: before")
}

var initFails = asProgram("initFails", func() {
	opts := baseOptions()
	opts.Hooks = append(opts.Hooks, service.Hooks{AfterInit: func(context.Context) error { return errors.New("no room") }})
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{narrate("api")}})
})

func TestAfterInitThatFailsIsAFailedStart(t *testing.T) {
	t.Parallel()
	f := startFleet(t, initFails)
	f.ends(service.ExitFailed)
	f.said(0, "api start")
	if !strings.Contains(f.output(), myName+": set api, worker 0 failed to start: ") || !strings.Contains(f.output(), "after init: no room") {
		t.Errorf("the output does not say why:\n%s", f.output())
	}
}

var stuckHook = asProgram("stuckHook", func() {
	opts := baseOptions()
	stuck := map[string]service.Hooks{
		"before": {BeforeSpawn: func(service.Worker) { fmt.Println("stuck"); select {} }},
		"ready":  {Ready: func(service.Worker, int) { fmt.Println("stuck"); select {} }},
	}[os.Args[1]]
	opts.Hooks = append(opts.Hooks, stuck)
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{narrate("api")}})
})

// A hook that never returns delays what it must, and not the end.
func TestStuckHookIsNoObstacleToAStop(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"before", "ready"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, stuckHook, withArgs(moment))
			f.seen(1, "stuck")
			f.stops()
		})
	}
}
