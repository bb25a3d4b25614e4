// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// roundsVar is how often every pair of events is tried in every moment. By default it is so often that
// there are more than a thousand runs; the race detector makes each ten times as slow, and gets fewer.
const roundsVar = "SERVICE_TEST_ROUNDS"

const (
	defaultRounds     = 14
	defaultRaceRounds = 2
)

// An event is what a test does to a program with workers.
type event struct {
	name   string
	signal syscall.Signal
	worker bool // one of its workers gets it, chosen at random
}

var events = []event{
	{"TERM", syscall.SIGTERM, false},
	{"INT", syscall.SIGINT, false},
	{"HUP", syscall.SIGHUP, false},
	{"KILL of a worker", syscall.SIGKILL, true},
	{"TERM of a worker", syscall.SIGTERM, true},
}

// harried is the program of this test: it says which workers there are.
var harried = asProgram("harried", func() {
	opts := service.Options{Hooks: []service.Hooks{{
		AfterSpawn: func(w service.Worker, pid int) { fmt.Println("spawned", pid) },
		Ready:      func(w service.Worker, pid int) { fmt.Println("ready", pid) },
	}}}
	service.Exit(service.Launch(context.Background(), service.Options{Workers: 2, Hooks: opts.Hooks}, plainService("api")))
})

// moments bring a program to where the events shall meet it, and return the events so far.
var moments = map[string]func(p *process) []event{
	"starting": func(p *process) []event {
		p.seen(1, "spawned") // signals have been the launcher's for a while
		return nil
	},
	"reloading": func(p *process) []event {
		p.seen(2, "ready")
		p.signal(syscall.SIGHUP)
		return events[2:3]
	},
	"stopping": func(p *process) []event {
		p.seen(2, "ready")
		p.signal(syscall.SIGTERM)
		return events[:1]
	},
}

func TestX04AnyTwoEventsAtRandomTimes(t *testing.T) {
	t.Parallel()
	rounds := defaultRounds
	if raceDetector() {
		rounds = defaultRaceRounds
	}
	if s := os.Getenv(roundsVar); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", roundsVar, err)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d, %d runs", seed, rounds*len(moments)*len(events)*len(events))
	stream := uint64(0)
	for moment, reach := range moments {
		for _, first := range events {
			for _, second := range events {
				stream++
				random := rand.New(rand.NewPCG(seed, stream))
				t.Run(fmt.Sprintf("%s, %s and %s", moment, first.name, second.name), func(t *testing.T) {
					t.Parallel()
					for range rounds {
						harry(t, random, reach, first, second)
					}
				})
			}
		}
	}
}

// raceDetector reports whether this test was built with it.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// harry starts a program and does two things to it, each after a time of its own.
func harry(t *testing.T, random *rand.Rand, reach func(p *process) []event, first, second event) {
	t.Helper()
	p := program(t, harried, withEnv("GORACE=atexit_sleep_ms=0"), withoutTerminal)
	happened := slices.Concat(reach(p), []event{first, second})
	begun := time.Now()
	delays := []time.Duration{delay(random), delay(random)}
	slices.Sort(delays)
	for i, e := range []event{first, second} {
		await := delays[i] - time.Since(begun)
		if await > time.Millisecond {
			time.Sleep(await - time.Millisecond)
		}
		for time.Since(begun) < delays[i] { // the rest to the microsecond
		}
		e.befall(p, random)
	}
	if !slices.ContainsFunc(happened, func(e event) bool { return e == events[0] || e == events[1] }) {
		p.signal(syscall.SIGTERM)
		happened = append(happened, events[0])
	}
	code := p.code()
	if !slices.Contains(codes(happened), code) {
		t.Errorf("exit code %d after %v, want one of %v; the two came after %v:\n%s", code, happened, codes(happened), delays, p.output())
	}
	p.exits(code)
	p.silent()
	p.close()
}

// delay returns a time from a microsecond to a tenth of a second, each power of ten as likely.
func delay(random *rand.Rand) time.Duration {
	return time.Duration(math.Pow(10, 5*random.Float64()) * float64(time.Microsecond))
}

// befall lets the event happen, to a program that may be gone by now.
func (e event) befall(p *process, random *rand.Rand) {
	if !e.worker {
		p.cmd.Process.Signal(e.signal)
		return
	}
	var pids []int
	for line := range strings.Lines(p.output()) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "spawned "); ok {
			pids = append(pids, numberAfter(p.t, "spawned "+pid, "spawned"))
		}
	}
	if len(pids) > 0 {
		if pid := pids[random.IntN(len(pids))]; parentOf(pid) == p.pid() { // and not somebody else by now
			syscall.Kill(pid, e.signal)
		}
	}
}

// parentOf returns the parent of a process, 0 without one.
func parentOf(pid int) int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// codes returns the exit codes that the table of signals allows after some events.
func codes(happened []event) []int {
	count := func(i int) (n int) {
		for _, e := range happened {
			if e == events[i] {
				n++
			}
		}
		return n
	}
	terms, ints := count(0), count(1)
	switch {
	case terms == 0:
		return []int{service.ExitFailed}
	case ints == 0 && terms == 1:
		return []int{service.ExitOK}
	case ints == 0:
		return []int{service.ExitOK, service.ExitCut} // the second may have come while something was left
	}
	return []int{service.ExitFailed, service.ExitOK, service.ExitCut} // the INT may have come too late
}
