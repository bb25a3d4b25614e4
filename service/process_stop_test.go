// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

func TestSVC04CT01fTermEndsAllInOrder(t *testing.T) {
	t.Parallel()
	f := startFleet(t, threeSets)
	f.up()
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	f.said(4, "shutdown stop")
	f.said(4, " done, ")
	f.said(4, `asked true code 0 signal "" reason "exit status 0"`)
	f.seen(1, "INFO stopping")
	assertOrder(t, f.process, "bus done", "INFO stopped code=0")
}

var wordy = asProgram("wordy", func() {
	api := narrate("api")
	api.shutdown = func(ctx context.Context) error {
		fmt.Fprint(os.Stderr, strings.Repeat("last word\n", 500))
		return nil
	}
	runSets(baseOptions(), service.Set{Workers: 2, Services: []service.Service{api}})
})

func TestLastWordsOfWorkersArriveBeforeTheEnd(t *testing.T) {
	t.Parallel()
	f := startFleet(t, wordy)
	f.up()
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	f.said(1000, "last word")
}

func TestSVC03CT04KilledLauncherTakesItsWorkersAlong(t *testing.T) {
	t.Parallel()
	f := startFleet(t, threeSets)
	f.up()
	f.signal(syscall.SIGKILL)
	f.ends(128 + int(syscall.SIGKILL))
	f.said(4, "WARN the launcher is gone, draining")
	f.said(4, "shutdown stop")
	f.said(4, " done, ")
}

func TestCT02IntEndsAllAtOnce(t *testing.T) {
	t.Parallel()
	f := startFleet(t, threeSets)
	pids := f.pids("heavy", 2)
	f.signal(syscall.SIGINT)
	f.ends(service.ExitFailed)
	for _, pid := range pids {
		f.goes(pid)
	}
	f.said(0, "shutdown")
	f.said(1, myName+": interrupted")
}

// A terminal sends INT to all of its foreground processes: the workers leave it to the launcher.
func TestIntToAWorkerIsIgnored(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	before := f.pids("api", 2)
	sendSignal(t, before[0], syscall.SIGINT)
	f.reports(before[0])
	if after := f.pids("api", 2); after[0] != before[0] {
		t.Errorf("worker %d became %d, want the same", before[0], after[0])
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

var hanging = asProgram("hanging", func() {
	api := narrate("api")
	api.shutdown = forever
	api.serve = forever
	opts := baseOptions()
	opts.ShutdownTimeout, _ = time.ParseDuration(os.Args[1])
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{api}})
})

// Upstream ends with 0 here; what was cut shows in the exit code.
func TestCT06HangingShutdownEndsAtItsTimeout(t *testing.T) {
	t.Parallel()
	f := startFleet(t, hanging, withArgs("500ms"))
	f.pids("api", 2)
	begun := time.Now()
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitCut)
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("ended after %v, want the whole timeout", took)
	}
	f.said(2, "api shutdown stop")
	f.said(2, "asked true")
	f.said(3, myName+": shutdown timeout: ") // of both workers and the launcher
}

func TestCT07HangingShutdownEndsWithoutTheLauncherToo(t *testing.T) {
	t.Parallel()
	f := startFleet(t, hanging, withArgs("500ms"))
	f.pids("api", 2)
	f.signal(syscall.SIGKILL)
	f.ends(128 + int(syscall.SIGKILL))
	f.said(2, "api shutdown stop")
}

func TestSecondTermDoesNotWait(t *testing.T) {
	t.Parallel()
	for _, timeout := range []string{"1h", "-1s"} {
		t.Run(timeout, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, hanging, withArgs(timeout))
			f.pids("api", 2)
			f.signal(syscall.SIGTERM)
			f.seen(2, "api shutdown stop")
			f.alive()
			for ended := false; !ended; { // one right behind the first may be its echo
				f.cmd.Process.Signal(syscall.SIGTERM)
				select {
				case <-f.exit:
					ended = true
				case <-time.After(10 * time.Millisecond):
				}
			}
			f.ends(service.ExitCut)
		})
	}
}

var many = asProgram("many", func() {
	opts := baseOptions()
	opts.Hooks = append(opts.Hooks, service.Hooks{AfterSpawn: func(w service.Worker, pid int) { fmt.Println("spawned", w.ID) }})
	runSets(opts, service.Set{Workers: 10, Services: []service.Service{narrate("api")}})
})

func TestCT09TermWhileTenWorkersStart(t *testing.T) {
	t.Parallel()
	for _, after := range []int{1, 3, 10} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			f := startFleet(t, many)
			f.seen(after, "spawned")
			f.signal(syscall.SIGTERM)
			f.ends(service.ExitOK)
		})
	}
}

var stopsItself = asProgram("stopsItself", func() {
	l := service.NewProcessLauncher(baseOptions())
	api := narrate("api")
	if err := l.Add(service.Set{Workers: 2, Services: []service.Service{api}}); err != nil {
		service.Exit(err)
	}
	ctx := context.Background()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	if err := l.Await(ctx, service.StateRunning); err != nil {
		service.Exit(<-ended) // also in a worker, which has no such state
	}
	fmt.Println("state", l.State())
	second := make(chan error, 1)
	go func() { second <- l.Stop(ctx) }()
	fmt.Println("stopped", l.Stop(ctx), <-second)
	fmt.Println("run", <-ended)
	fmt.Println("state", l.State(), len(l.Status().Sets), "sets", l.Stop(ctx))
})

func TestSVC21StopDrainsEachWorkerOnce(t *testing.T) {
	t.Parallel()
	f := startFleet(t, stopsItself)
	f.ends(service.ExitOK)
	f.said(1, "state running")
	f.said(1, "stopped <nil> <nil>")
	f.said(1, "run <nil>")
	f.said(1, "state stopped 0 sets <nil>")
	f.said(2, "api shutdown stop")
}

var spinning = asProgram("spinning", func() {
	api := narrate("api")
	api.serve = func(ctx context.Context) error {
		api.say(ctx, "spin")
		for range 64 { // more than there can be threads of Go code: nothing else runs any more
			go func() {
				for n := 0; n >= 0; n++ { // as good as for ever
				}
			}()
		}
		for n := 0; n >= 0; n++ { // as good as for ever
		}
		return nil
	}
	opts := baseOptions()
	opts.ShutdownTimeout = 300 * time.Millisecond
	runSets(opts, service.Set{Workers: 1, Procs: 1, Services: []service.Service{api}},
		service.Set{Workers: 1, Services: []service.Service{narrate("other")}})
})

func TestX02WorkerThatNeverYieldsIsKilled(t *testing.T) {
	t.Parallel()
	f := startFleet(t, spinning, withEnv("GODEBUG=asyncpreemptoff=1"))
	f.seen(1, "api spin")
	f.seen(1, "ready other/0")
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitCut)
	f.said(1, `asked true code -1 signal "SIGKILL"`)
	f.said(1, "other done")
}

func TestX02StoppedWorkerIsKilled(t *testing.T) {
	t.Parallel()
	f := startFleet(t, hanging, withArgs("300ms"))
	for _, pid := range f.pids("api", 2) {
		sendSignal(t, pid, syscall.SIGSTOP)
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitCut)
	f.said(2, `asked true code -1 signal "SIGKILL" reason "killed by SIGKILL: did not stop when told to stop now"`)
}
