// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
)

// A scenario plays the commands of one transcript. Time stands still but for wait.
//
// Commands on workers take incarnations: spawned, hello, ready, leaving, eof #1 #2 ..., and
//
//	up [#1 ...]           spawned, hello and ready; without numbers for all that are on their way, and
//	                      for those that follow from it
//	down #1 ...           drained, bye and exit 0: a worker that ends as it was told to
//	crash api/0 5 [code=N] [signal=NAME] [text="..."]
//	                      five times: a worker of that slot is waited for, started, and exits before its hello
//	exit #1 [code=N] [signal=NAME] [started=1] [text="..."]
//	drained #1 [cut=N]
//	hung, alive #1 ...
//	spawn-failed, start-failed, bye, reset-done, judged #1 [text="..."]
//
// Commands on the launcher are
//
//	begin [stop=60s] [settle=0s] [canary=0s] [mutate]   the first plan, its sets in indented lines below:
//	    name [workers=1] [after=a,b] [together=x] [restart=always] [roll=start-first] [start=60s] [shutdown=60s]
//	prepared 2 [as for begin]             the plan of a generation, sets below as for begin
//	refused 2 text="..."
//	term, stop, kill, reload [req=N]
//	scale [set] 3 [req=N], more -1 [req=N]
//	wait 1m30s                            time passes, with a tick whenever the state wants one
//	left 2                                the queues that are to be closed have so many connections in them
//	quietly                               the actions of this block are not shown
//
// -1s as a duration is without end.
type scenario struct {
	t     *testing.T
	state core.State
	now   int64
	began int64
	out   strings.Builder
	quiet bool
	left  int // connections in the queues that are to be closed
}

func newScenario(t *testing.T) *scenario {
	const boot = 1000 * int64(time.Second) // CLOCK_MONOTONIC does not begin at 0
	return &scenario{t: t, now: boot, began: boot, state: core.State{Seed: 1}}
}

// run runs the commands of a block and returns its output.
func (s *scenario) run(lines []string) string {
	s.out.Reset()
	s.quiet = false
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && strings.HasPrefix(lines[n], " ") {
			n++
		}
		s.command(lines[0], lines[1:n])
		lines = lines[n:]
	}
	s.out.WriteString(render{s.state, s.now, s.began}.summary())
	return s.out.String()
}

// command runs one command; below are the indented lines that follow it.
func (s *scenario) command(line string, below []string) {
	a := s.parse(line)
	switch a.verb {
	case "quietly":
		s.quiet = true
	case "wait":
		s.wait(a.duration(a.words[0]))
	case "left":
		s.left, _ = strconv.Atoi(a.words[0])
	case "up":
		s.up(a.incarnations())
	case "crash":
		s.crash(a)
	case "begin", "prepared":
		e := a.event()
		e.Plan = s.plan(a, below)
		s.step(e)
	case "down":
		for _, inc := range a.incarnations() {
			s.step(core.Event{Kind: core.EventDrained, Incarnation: inc})
			s.step(core.Event{Kind: core.EventBye, Incarnation: inc})
			s.step(core.Event{Kind: core.EventExit, Incarnation: inc})
		}
	case "alive":
		for _, inc := range a.incarnations() {
			s.step(core.Event{Kind: core.EventHung, Incarnation: inc})
		}
	default:
		e := a.event()
		incs := a.incarnations()
		if len(incs) == 0 {
			s.step(e)
		}
		for _, e.Incarnation = range incs {
			e.Pid = pidOf(e)
			s.step(e)
		}
	}
}

// step gives the core one event and shows what it does about it.
func (s *scenario) step(e core.Event) {
	e.At = s.now
	next, actions := core.Step(s.state, e)
	s.state = next
	for _, a := range actions {
		if !s.quiet {
			s.out.WriteString(showAction(a) + "\n")
		}
	}
	for _, a := range actions {
		if a.Kind == core.ActionRetire {
			s.step(core.Event{Kind: core.EventRetired, Set: a.Set, Slot: a.Slot, Count: s.left})
		}
	}
	if wake := s.state.Wake(); wake != 0 && wake <= s.now {
		s.t.Fatalf("after %q: Wake is %v ago, which is a busy loop", e.Kind, time.Duration(s.now-wake))
	}
}

// wait lets time pass.
func (s *scenario) wait(d time.Duration) {
	end := s.now + int64(d)
	for {
		wake := s.state.Wake()
		if wake == 0 || wake > end {
			break
		}
		s.now = wake
		before := s.out.Len()
		s.step(core.Event{Kind: core.EventTick})
		if s.out.Len() > before {
			text := s.out.String()
			s.out.Reset()
			s.out.WriteString(text[:before] + "at " + render{now: s.now}.since(s.began) + "\n" + text[before:])
		}
	}
	s.now = end
}

// up makes workers serve that are on their way.
func (s *scenario) up(incs []uint64) {
	all := len(incs) == 0
	for again := true; again; again = all && len(incs) > 0 {
		if all {
			incs = s.onTheirWay()
		}
		for _, inc := range incs {
			s.step(core.Event{Kind: core.EventSpawned, Incarnation: inc, Pid: pidOf(core.Event{Kind: core.EventSpawned, Incarnation: inc})})
			s.step(core.Event{Kind: core.EventHello, Incarnation: inc})
			s.step(core.Event{Kind: core.EventReady, Incarnation: inc})
		}
	}
}

// crash makes the worker of a slot fail to start, again and again.
func (s *scenario) crash(a args) {
	n, err := strconv.Atoi(a.words[1])
	if err != nil {
		s.t.Fatalf("crash: %v", err)
	}
	a.verb = string(core.EventExit)
	for range n {
		for s.current(a.words[0]).Phase != core.Spawning {
			wake := s.state.Wake()
			if wake == 0 {
				s.t.Fatalf("crash: %s starts no worker", a.words[0])
			}
			s.wait(time.Duration(wake - s.now))
		}
		e := core.Event{Kind: core.EventSpawned, Incarnation: s.current(a.words[0]).Incarnation}
		e.Pid = pidOf(e)
		s.step(e)
		exit := a.event()
		exit.Incarnation = e.Incarnation
		s.step(exit)
	}
}

// current returns the current worker of a slot, as in api/0.
func (s *scenario) current(slot string) core.Worker {
	for i := range s.state.Sets {
		set := &s.state.Sets[i]
		for _, sl := range set.Slots {
			if slot == fmt.Sprintf("%s/%d", set.Spec.Name, sl.ID) {
				return sl.Current
			}
		}
	}
	s.t.Fatalf("there is no %s", slot)
	return core.Worker{}
}

// onTheirWay returns the workers that are to become ready.
func (s *scenario) onTheirWay() (incs []uint64) {
	for _, w := range workersOf(&s.state) {
		if !w.Asked && (w.Phase == core.Spawning || w.Phase == core.Booting || w.Phase == core.Beginning) {
			incs = append(incs, w.Incarnation)
		}
	}
	return incs
}

// pidOf returns the pid that an event carries: only spawned has one.
func pidOf(e core.Event) int {
	if e.Kind != core.EventSpawned {
		return 0
	}
	return 100 + int(e.Incarnation)
}

// args are the parts of a command: words, and values by key.
type args struct {
	t      *testing.T
	verb   string
	words  []string
	values map[string]string
}

// parse splits a command into words; a value may be quoted.
func (s *scenario) parse(line string) args {
	s.t.Helper()
	a := args{t: s.t, values: map[string]string{}}
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " ") {
		word, tail, _ := strings.Cut(rest, " ")
		key, _, pair := strings.Cut(word, "=")
		if pair {
			value := strings.TrimPrefix(word, key+"=")
			if quoted, err := strconv.QuotedPrefix(rest[len(key)+1:]); err == nil {
				value, _ = strconv.Unquote(quoted)
				tail = rest[len(key)+1+len(quoted):]
			}
			a.values[key] = value
		} else {
			a.words = append(a.words, word)
		}
		rest = tail
	}
	a.verb, a.words = a.words[0], a.words[1:]
	return a
}

// event makes the event that a command stands for.
func (a args) event() core.Event {
	e := core.Event{Kind: core.EventKind(a.verb), Text: a.values["text"], Signal: a.values["signal"]}
	e.Code, e.Request = a.number("code"), uint64(a.number("req"))
	if e.Signal != "" {
		e.Code = -1
	}
	switch e.Kind {
	case core.EventDrained:
		e.Count = a.number("cut")
	case core.EventHung:
		e.Count = 1
	case core.EventExit:
		e.Count = a.number("started")
	case core.EventPrepared, core.EventRefused, core.EventScale, core.EventMore, core.EventReset:
		for _, word := range a.words {
			if n, err := strconv.Atoi(word); err == nil {
				e.Count = n
			} else if !strings.HasPrefix(word, "#") {
				e.Set = word
			}
		}
	}
	return e
}

// incarnations returns the workers that a command names.
func (a args) incarnations() (incs []uint64) {
	for _, word := range a.words {
		if n, err := strconv.ParseUint(strings.TrimPrefix(word, "#"), 10, 64); err == nil && word[0] == '#' {
			incs = append(incs, n)
		}
	}
	return incs
}

func (a args) number(key string) int {
	a.t.Helper()
	if a.values[key] == "" {
		return 0
	}
	n, err := strconv.Atoi(a.values[key])
	if err != nil {
		a.t.Fatalf("%s: %s: %v", a.verb, key, err)
	}
	return n
}

func (a args) duration(text string) time.Duration {
	a.t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		a.t.Fatalf("%s: %v", a.verb, err)
	}
	return d
}

func (a args) nanos(key string) int64 {
	if a.values[key] == "" {
		return int64(time.Minute)
	}
	return int64(a.duration(a.values[key]))
}

func (a args) word(key, standard string) string {
	if v := a.values[key]; v != "" {
		return v
	}
	return standard
}

// plan makes the plan of a begin or prepared.
func (s *scenario) plan(a args, below []string) *core.Plan {
	p := &core.Plan{StopTimeout: a.nanos("stop")}
	for key, span := range map[string]*int64{"settle": &p.Settle, "canary": &p.Canary} {
		if a.values[key] != "" {
			*span = a.nanos(key)
		}
	}
	for _, word := range a.words {
		p.Mutate = p.Mutate || word == "mutate"
	}
	for _, line := range below {
		set := s.parse(line)
		spec := core.SetSpec{
			Name: set.verb, Workers: 1, Together: set.values["together"],
			Restart: set.word("restart", core.RestartAlways), Roll: set.word("roll", core.StartFirst),
			StartTimeout: set.nanos("start"), ShutdownTimeout: set.nanos("shutdown"),
		}
		if set.values["workers"] != "" {
			spec.Workers = set.number("workers")
		}
		if after := set.values["after"]; after != "" {
			spec.After = strings.Split(after, ",")
		}
		p.Sets = append(p.Sets, spec)
	}
	return p
}
