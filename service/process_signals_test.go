// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

var reopener = asProgram("reopener", func() {
	opts := baseOptions()
	opts.Reopen = func(context.Context) error {
		fmt.Println("reopen in", os.Getpid())
		return errors.New("disk full")
	}
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{narrate("api")}})
})

func TestUsr1ReopensInLauncherAndWorkers(t *testing.T) {
	t.Parallel()
	f := startFleet(t, reopener)
	pids := f.pids("api", 2)
	sendSignal(t, pids[1], syscall.SIGUSR1)
	f.seen(1, fmt.Sprint("reopen in ", pids[1]))
	f.signal(syscall.SIGUSR1)
	f.seen(4, "reopen in")
	f.said(2, fmt.Sprint("reopen in ", pids[1]))
	f.said(1, fmt.Sprint("reopen in ", pids[0]))
	f.said(1, fmt.Sprint("reopen in ", f.pid()))
	f.seen(4, "disk full")
	f.stops()
}

func TestUsr2ReportsOfLauncherAndWorkers(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	pids := f.pids("api", 2)
	f.signal(syscall.SIGUSR2)
	f.seen(3, "==== end of report")
	f.said(1, fmt.Sprintf("==== report of demo, launcher, pid %d", f.pid()))
	for id, pid := range pids {
		f.said(1, fmt.Sprintf("==== report of demo, set api, worker %d, generation 1, pid %d", id, pid))
		f.said(1, fmt.Sprintf("worker %d: pid %d, running, generation 1, 0 restarts", id, pid))
	}
	f.said(2, "service api: running")
	f.said(2, "requests: 0 running, 0 served, 0 lost")
	f.said(2, "service_test.(*narrator).Serve(") // in the stacks
	sendSignal(t, pids[0], syscall.SIGUSR2)      // its own alone
	f.seen(4, "==== end of report")
	f.stops()
	f.said(4, "==== end of report")
}

// A signal after the end of a launcher, in what main does then, ends the program as the launcher did.
func TestTermAfterTheEndKeepsTheExitCode(t *testing.T) {
	t.Parallel()
	f := startFleet(t, afterwards)
	f.pids("api", 1)
	f.signal(syscall.SIGTERM)
	f.seen(1, "main goes on: shutdown timeout")
	f.signal(syscall.SIGHUP)
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitCut)
}

var afterwards = asProgram("afterwards", func() {
	opts := baseOptions()
	opts.ShutdownTimeout = 100 * time.Millisecond
	api := narrate("api")
	api.shutdown = forever
	l := service.NewProcessLauncher(opts)
	if err := l.Add(service.Set{Workers: 1, Services: []service.Service{api}}); err != nil {
		service.Exit(err)
	}
	err := l.Run(context.Background())
	if strings.Contains(err.Error(), "cut api") { // a worker
		service.Exit(err)
	}
	fmt.Println("main goes on:", err)
	select {}
})

var twoOwners = asProgram("twoOwners", func() {
	first, second := baseOptions(), baseOptions()
	first.Name, second.Name, second.Control = "first", "second", ""
	a, b := service.NewProcessLauncher(first), service.NewProcessLauncher(second)
	err := errors.Join(a.Add(service.Set{Workers: 1, Services: []service.Service{narrate("api")}}),
		b.Add(service.Set{Workers: 1, Services: []service.Service{narrate("other")}}))
	if err != nil {
		service.Exit(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(context.Background()) }()
	if a.Await(context.Background(), service.StateRunning) == nil {
		err := b.Run(context.Background())
		owned, ok := errors.AsType[*service.SignalsOwnedError](err)
		fmt.Println("second:", ok && owned.Owner == "first", service.ExitCode(err), err)
		fmt.Println("state of second:", b.State())
	}
	service.Exit(<-ended)
})

func TestSecondOwnerOfTheSignalsIsRefused(t *testing.T) {
	t.Parallel()
	f := startFleet(t, twoOwners)
	f.seen(1, `second: true 1 signals of this process belong to launcher "first" already`)
	f.seen(1, "state of second: failed")
	f.pids("api", 1)
	f.stops()
	f.said(0, "other start")
}

// embedded are two launchers in one process that leave the signals alone.
var embedded = asProgram("embedded", func() {
	ctx := context.Background()
	first, second := baseOptions(), baseOptions()
	first.Name, second.Name, second.Control = "first", "second", ""
	first.Signals, second.Signals = service.SignalsIgnored, service.SignalsIgnored
	a, b := service.NewProcessLauncher(first), service.NewProcessLauncher(second)
	err := errors.Join(a.Add(service.Set{Workers: 2, Services: []service.Service{narrate("api")}}),
		b.Add(service.Set{Workers: 1, Services: []service.Service{narrate("other")}}))
	if err != nil {
		service.Exit(err)
	}
	ended := make(chan error, 2)
	go func() { ended <- a.Run(ctx) }()
	go func() { ended <- b.Run(ctx) }()
	if a.Await(ctx, service.StateRunning) == nil && b.Await(ctx, service.StateRunning) == nil {
		fmt.Println("both run")
		fmt.Println("reload:", a.Reload(ctx), b.Reload(ctx))
		fmt.Println("stop of first:", a.Stop(ctx))
		fmt.Println("state of second:", b.State(), len(b.Status().Sets[0].Slots))
		fmt.Println("stop of second:", b.Stop(ctx))
	}
	service.Exit(errors.Join(<-ended, <-ended))
})

func TestTwoLaunchersInOneProcess(t *testing.T) {
	t.Parallel()
	f := startFleet(t, embedded)
	f.seen(1, "both run")
	f.ends(service.ExitOK)
	f.said(1, "reload: <nil> <nil>")
	f.said(1, "stop of first: <nil>")
	f.said(1, "state of second: running 1")
	f.said(1, "stop of second: <nil>")
	f.said(2+2, "api start") // of two generations
	f.said(1+1, "other start")
}

var namesakes = asProgram("namesakes", func() {
	ctx := context.Background()
	opts := baseOptions()
	opts.Signals = service.SignalsIgnored
	a := service.NewProcessLauncher(opts)
	err := a.Add(service.Set{Workers: 2, Services: []service.Service{narrate("api")}})
	if err != nil {
		service.Exit(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	if a.Await(ctx, service.StateRunning) == nil {
		opts.Control = ""
		b := service.NewProcessLauncher(opts)
		fmt.Println("add:", b.Add(service.Set{Workers: 1, Services: []service.Service{narrate("other")}}))
		fmt.Println("run:", b.Run(ctx))
		fmt.Println("stop:", a.Stop(ctx))
	}
	service.Exit(<-ended)
})

func TestTwoLaunchersOfOneNameAreRefused(t *testing.T) {
	t.Parallel()
	f := startFleet(t, namesakes)
	f.ends(service.ExitOK)
	f.said(1, `run: launcher "demo" runs in this process already`)
	f.said(1, "stop: <nil>")
}

// checked checks instead of launching.
var checked = asProgram("checked", func() {
	opts := baseOptions()
	opts.Check = true
	api := narrate("api")
	if os.Args[1] == "bad" {
		api.check = fails
	}
	bus := plainService("bus")
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{api, bus}}, service.Set{Name: "tick", Workers: 1, Services: []service.Service{plainService("tick")}})
})

func TestCheckPrintsThePlanAndStartsNothing(t *testing.T) {
	t.Parallel()
	f := startFleet(t, checked, withArgs("good"))
	f.ends(service.ExitOK)
	f.said(1, "demo: ok, reload on HUP")
	f.said(1, "set api: 2 worker processes, services api bus")
	f.said(1, "set tick: 1 worker process")
	f.said(0, "api start")
	f.said(0, "starting workers")
}

func TestCheckThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	f := startFleet(t, checked, withArgs("bad"))
	f.ends(service.ExitFailed)
	f.said(1, myName+": check api: boom")
	f.said(0, "ok")
	f.said(0, "api start")
}
