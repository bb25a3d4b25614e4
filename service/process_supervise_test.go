// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

var pair = asProgram("pair", func() {
	runSets(baseOptions(), service.Set{Workers: 2, Services: []service.Service{narrate("api")}})
})

func TestSVC02TermOfAWorkerReplacesIt(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	before := f.pids("api", 2)
	sendSignal(t, before[1], syscall.SIGTERM)
	f.seen(1, fmt.Sprintf("api shutdown replace, api/1 of 2 gen 1 pid %d", before[1]))
	f.seen(1, fmt.Sprintf(`gone api/1 gen 1 pid %d asked true code 0 signal "" reason "exit status 0"`, before[1]))
	f.seen(2, "ready api/1")
	after := f.pids("api", 2)
	if after[0] != before[0] || after[1] == before[1] {
		t.Errorf("workers %v became %v, want worker 1 alone replaced", before, after)
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

func TestKilledWorkerIsReplacedAndTheReasonIsKnown(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	before := f.pids("api", 2)
	sendSignal(t, before[0], syscall.SIGKILL)
	f.seen(1, fmt.Sprintf(`gone api/0 gen 1 pid %d asked false code -1 signal "SIGKILL" reason "killed by SIGKILL"`, before[0]))
	f.seen(2, "ready api/0")
	st := f.up()
	if after := pidsOf(st, "api"); after[0] == before[0] || after[1] != before[1] {
		t.Errorf("workers %v became %v, want worker 0 alone replaced", before, after)
	}
	if w := slots(st, "api")[0]; w.Restarts != 1 || w.LastExit != "killed by SIGKILL" {
		t.Errorf("worker 0 has %d restarts, last exit %q, want 1, killed by SIGKILL", w.Restarts, w.LastExit)
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// heavyAndLight is the fixture of upstream's CT scenarios.
var heavyAndLight = asProgram("heavyAndLight", func() {
	heavy := narrate("heavy")
	heavy.shutdown = func(ctx context.Context) error {
		if service.Draining(ctx) == service.Replace {
			os.Exit(42)
		}
		return nil
	}
	opts := baseOptions()
	if len(os.Args) > 1 {
		opts.RestartMethod, _ = service.ParseRestartMethod(os.Args[1])
	}
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{heavy}},
		service.Set{Workers: 1, Services: []service.Service{plainService("light")}})
})

func TestSVC06CT01bHupToAWorkerResetsItAlone(t *testing.T) {
	t.Parallel()
	f := startFleet(t, heavyAndLight)
	before := f.pids("heavy", 2)
	sendSignal(t, before[0], syscall.SIGHUP)
	f.expect(fmt.Sprintf("heavy reset, heavy/0 of 2 gen 1 pid %d", before[0]))
	f.reports(before[0])
	if after := f.pids("heavy", 2); !slices.Equal(after, before) {
		t.Errorf("workers %v became %v, want the same", before, after)
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	f.said(1, "heavy reset")
	f.said(0, "heavy shutdown replace")
}

// Upstream replaces a worker without a reload method. Here it has nothing to do, so nothing happens.
func TestCT01cHupToAWorkerWithoutResetDoesNothing(t *testing.T) {
	t.Parallel()
	f := startFleet(t, heavyAndLight)
	before := f.pids("light", 1)
	sendSignal(t, before[0], syscall.SIGHUP)
	f.reports(before[0])
	if after := f.pids("light", 1); after[0] != before[0] {
		t.Errorf("worker %d became %d, want the same", before[0], after[0])
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// reports has a process write its report: all signals that it got before are answered then.
func (p *process) reports(pid int) {
	p.t.Helper()
	sendSignal(p.t, pid, syscall.SIGUSR2)
	p.seen(1, fmt.Sprintf("==== end of report of pid %d ====", pid))
}

func TestCT01dTermRunsShutdownAndTheExitCodeIsKnown(t *testing.T) {
	t.Parallel()
	f := startFleet(t, heavyAndLight)
	before := f.pids("heavy", 2)
	sendSignal(t, before[1], syscall.SIGTERM)
	f.seen(1, fmt.Sprintf("heavy shutdown replace, heavy/1 of 2 gen 1 pid %d", before[1]))
	f.seen(1, fmt.Sprintf(`gone heavy/1 gen 1 pid %d asked true code 42 signal "" reason "exit status 42"`, before[1]))
	f.seen(2, "ready heavy/1")
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

func TestCT01eTermEndsAPlainServiceCleanly(t *testing.T) {
	t.Parallel()
	f := startFleet(t, heavyAndLight)
	before := f.pids("light", 1)
	sendSignal(t, before[0], syscall.SIGTERM)
	f.seen(1, fmt.Sprintf(`gone light/0 gen 1 pid %d asked true code 0`, before[0]))
	f.seen(2, "ready light/0")
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// A worker that is told to end before it has a handler of its own has caught the signal all the same.
func TestX05TermToAWorkerThatJustStarted(t *testing.T) {
	t.Parallel()
	f := startFleet(t, termedAtBirth)
	f.seen(1, "sent TERM to")
	f.seen(1, "ready api/1")
	f.seen(1, `asked true code 0 signal ""`) // by leaving it, not by the signal's default action
	f.pids("api", 2)
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	f.said(0, `signal "SIGTERM"`)
}

var termedAtBirth = asProgram("termedAtBirth", func() {
	time.Sleep(20 * time.Millisecond) // main is busy while the signal comes
	opts := baseOptions()
	opts.Hooks = append(opts.Hooks, service.Hooks{AfterSpawn: sendOnce(syscall.SIGTERM)})
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{narrate("api")}})
})

// sendOnce sends a signal to the first worker as soon as it is a process.
func sendOnce(sig syscall.Signal) func(service.Worker, int) {
	sent := false
	return func(w service.Worker, pid int) {
		if w.ID == 0 && !sent {
			sent = true
			// Before its runtime is up a process dies of it, whatever the program does: wait for the marker
			// of package initialisation, the name.
			for {
				comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				if err != nil || strings.HasPrefix(string(comm), myName[:min(len(myName), 15)]) {
					break
				}
			}
			fmt.Println("sent TERM to", pid, syscall.Kill(pid, sig))
		}
	}
}

var crasher = asProgram("crasher", func() {
	api := narrate("api")
	api.serve = fails
	runSets(baseOptions(), service.Set{Workers: 3, Services: []service.Service{api}})
})

func TestCT05TermInARespawnStorm(t *testing.T) {
	t.Parallel()
	f := startFleet(t, crasher)
	f.seen(8, "serve api: boom")
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

var lonelyCrasher = asProgram("lonelyCrasher", func() {
	api := narrate("api")
	api.serve = func(context.Context) error {
		fmt.Fprintln(os.Stderr, "the last words")
		os.Exit(7)
		return nil
	}
	runSets(baseOptions(), service.Set{Workers: 1, Services: []service.Service{api}})
})

// Upstream sleeps a second after each of a burst of spawns; here the pause grows, and there is an end.
func TestX08CT11CrashLoopAloneEndsTheProgram(t *testing.T) {
	t.Parallel()
	f := startFleet(t, lonelyCrasher)
	for n := 5; n <= 20; n += 5 {
		f.seen(n, "gone api/0") // each with the patience of a whole test
	}
	f.ends(service.ExitCrashLoop)
	f.said(21, "api serve") // the first and twenty retries
	f.said(21, `code 7 signal "" reason "exit status 7: the last words"`)
	f.said(1, myName+": gave up on set api: exit status 7: the last words")
}

var illAndWell = asProgram("illAndWell", func() {
	ill := narrate("ill")
	ill.serve = func(context.Context) error {
		time.Sleep(100 * time.Millisecond) // ready at last: what never is ends the program
		panic("ill")
	}
	runSets(baseOptions(), service.Set{Workers: 1, Services: []service.Service{ill}},
		service.Set{Workers: 1, Services: []service.Service{narrate("well")}})
})

func TestX08CrashLoopDelaysNoOtherSet(t *testing.T) {
	t.Parallel()
	f := startFleet(t, illAndWell)
	f.seen(7, "gone ill/0") // from now on the pauses are long
	st := f.until("well for a while", func(st control.Status) bool {
		w := slots(st, "well")
		return len(w) == 1 && w[0].State == "running" && time.Since(w[0].Since) > 1500*time.Millisecond
	})
	deaths := f.count("gone ill/0")
	sendSignal(t, pidsOf(st, "well")[0], syscall.SIGKILL)
	f.seen(2, "ready well/0")
	if more := f.count("gone ill/0") - deaths; more > 1 {
		t.Errorf("the ill set was started %d times while the well one waited for its worker", more)
	}
	f.said(0, `worker failed, trying again" set=well`)
	for n := 10; n <= 20; n += 5 {
		f.seen(n, "gone ill/0")
	}
	st = f.until("degraded", func(st control.Status) bool { return st.State == "degraded" })
	i := slices.IndexFunc(st.Sets, func(s control.Set) bool { return s.Name == "ill" })
	if s := st.Sets[i]; s.State != "failed" || !strings.Contains(s.Reason, "panic: ill") {
		t.Errorf("set ill is %s because of %q, want failed, with the panic", s.State, s.Reason)
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}
