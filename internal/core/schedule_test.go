// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
)

var (
	schedules = flag.Int("schedules", 5000, "how many random schedules to play")
	firstSeed = flag.Uint64("seed", 1, "seed of the first random schedule")
)

// worldBegins is when a world begins.
const worldBegins = 1000 * int64(time.Second)

// TestSchedules plays random schedules of starts, failures, deaths, hangs, signals, reloads and
// scales, and holds every step and every end against what must be true. More of them, or one again:
//
//	go test ./internal/core -run TestSchedules -schedules 100000
//	go test ./internal/core -run TestSchedules -schedules 1 -seed 4711
func TestSchedules(t *testing.T) {
	const shards = 2
	for shard := range uint64(shards) {
		t.Run(fmt.Sprintf("shard %d", shard), func(t *testing.T) {
			t.Parallel()
			for n := shard; n < uint64(*schedules); n += shards {
				playSchedule(t, *firstSeed+n)
			}
		})
	}
}

// playSchedule plays the schedule of one seed to its end.
func playSchedule(t *testing.T, seed uint64) {
	x := &witness{
		t: t, seed: seed, careful: 24,
		traffic: map[string]*traffic{}, editions: map[int]bool{}, answers: map[uint64]core.Outcome{}, paired: map[[2]uint64]int{},
	}
	if seed%50 == 0 {
		x.careful = 1
	}
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0)), now: worldBegins,
		procs: map[uint64]*process{}, plans: map[int]*core.Plan{}, fates: map[int]map[string]fate{},
		watch: x,
	}
	x.w = w
	w.state.Seed = seed
	w.signals = w.rng.IntN(5) == 0
	w.horizon = w.now + int64(w.between(100*time.Millisecond, 40*time.Second))
	if w.rng.IntN(20) == 0 {
		w.horizon = w.now // all is well from the start
	}
	w.plans[1] = w.firstPlan()
	w.fates[1] = map[string]fate{}
	for name, f := range w.anyFates(w.plans[1]) {
		if f == restless {
			w.fates[1][name] = f
		}
	}
	w.at(w.now, func() { w.deliver(core.Event{Kind: core.EventBegin, Plan: w.plans[1]}) })
	w.people()
	w.run()
	if w.state.Phase != core.Stopped {
		x.atRest()
		w.bringToEnd()
	}
	x.atEnd()
}

// people schedules what comes from outside: signals, requests, and events that nobody should send.
func (w *world) people() {
	for range w.rng.IntN(14) {
		w.at(w.now+w.rng.Int64N(w.horizon-w.now+1), w.someone(w.rng.IntN(100)))
	}
	if w.rng.IntN(3) == 0 { // it is stopped while it is busy
		kinds := []core.EventKind{core.EventTerm, core.EventStop, core.EventTerm, core.EventKill}
		for range 1 + w.rng.IntN(3) {
			e := core.Event{Kind: kinds[w.rng.IntN(len(kinds))]}
			w.at(w.now+w.rng.Int64N(w.horizon-w.now+int64(5*time.Second)), func() { w.ask(e) })
		}
	}
}

// someone returns what one of the people does.
func (w *world) someone(dice int) func() {
	switch {
	case dice < 30:
		return func() { w.ask(core.Event{Kind: core.EventReload}) }
	case dice < 45:
		return func() {
			w.ask(core.Event{Kind: core.EventScale, Set: w.anySet(), Count: w.rng.IntN(5) - w.rng.IntN(2)})
		}
	case dice < 55:
		return func() { w.ask(core.Event{Kind: core.EventMore, Count: 1 - 2*w.rng.IntN(2)}) }
	case dice < 70:
		return func() { w.anyProcess().term() }
	case dice < 85:
		return func() { w.anyProcess().end(core.Event{Code: -1, Signal: "SIGKILL"}) }
	case dice < 92:
		return func() { w.stale() }
	case dice < 96:
		return func() {
			p := w.anyProcess()
			p.post(core.Event{Kind: core.EventHung, Count: 1})
			w.in(w.between(0, 5*time.Second), func() { p.post(core.Event{Kind: core.EventHung}) })
		}
	}
	return func() { w.anyProcess().post(core.Event{Kind: core.EventEOF}) }
}

// ask delivers a request. It is to be answered, unless it comes by signal in a world where some do.
func (w *world) ask(e core.Event) {
	if !w.signals || w.rng.IntN(2) == 0 {
		e.Request = uint64(len(w.watch.asked) + 1)
	}
	w.deliver(e)
}

// stale delivers an event of a worker that may be gone, or out of turn.
func (w *world) stale() {
	kinds := []core.EventKind{core.EventSpawned, core.EventHello, core.EventReady, core.EventBye, core.EventReset, core.EventExit}
	e := core.Event{Kind: kinds[w.rng.IntN(len(kinds))], Incarnation: 1 + w.rng.Uint64N(w.state.Spawned+1)}
	if p := w.procs[e.Incarnation]; p == nil || p.heard.gone {
		w.deliver(e)
	}
}

// anyProcess returns a process, maybe one that is gone.
func (w *world) anyProcess() *process {
	if w.state.Spawned == 0 {
		return &process{w: w}
	}
	return w.procs[1+w.rng.Uint64N(w.state.Spawned)]
}

// anySet returns the name of a set, or one that there is not.
func (w *world) anySet() string {
	names := []string{"", "none"}
	for _, spec := range w.state.Plan.Sets {
		names = append(names, spec.Name, spec.Name, spec.Name)
	}
	return names[w.rng.IntN(len(names))]
}

// firstPlan makes the plan that the launcher begins with.
func (w *world) firstPlan() *core.Plan {
	p := &core.Plan{Mutate: w.rng.IntN(4) == 0, StopTimeout: w.timeout()}
	for _, name := range []string{"a", "b", "c", "d"}[:1+w.rng.IntN(4)] {
		p.Sets = append(p.Sets, w.anySpec(name, p.Sets))
	}
	return p
}

// nextPlan changes a plan here and there.
func (w *world) nextPlan(from core.Plan) *core.Plan {
	p := &core.Plan{Mutate: from.Mutate != (w.rng.IntN(8) == 0), StopTimeout: from.StopTimeout, Settle: w.trial(), Canary: w.trial()}
	for _, name := range []string{"a", "b", "c", "d"} {
		i := slices.IndexFunc(from.Sets, func(spec core.SetSpec) bool { return spec.Name == name })
		switch {
		case i >= 0 && w.rng.IntN(8) != 0:
			spec := asConfigured(from.Sets[i])
			if w.rng.IntN(3) == 0 {
				spec = w.anySpec(name, p.Sets)
			}
			spec.After = slices.DeleteFunc(slices.Clone(spec.After), func(name string) bool {
				return !slices.ContainsFunc(p.Sets, func(spec core.SetSpec) bool { return spec.Name == name })
			})
			p.Sets = append(p.Sets, spec)
		case i < 0 && w.rng.IntN(4) == 0:
			p.Sets = append(p.Sets, w.anySpec(name, p.Sets))
		}
	}
	return p
}

// asConfigured returns a spec as main says it, without what was said at run time.
func asConfigured(spec core.SetSpec) core.SetSpec {
	if spec.Scaled {
		spec.Workers = spec.Configured
	}
	spec.Scaled, spec.Configured = false, 0
	return spec
}

// anySpec makes a set up; it may come after those before it.
func (w *world) anySpec(name string, before []core.SetSpec) core.SetSpec {
	spec := core.SetSpec{
		Name: name, Workers: w.rng.IntN(4), Restart: core.RestartAlways, Roll: core.StartFirst,
		StartTimeout: w.timeout(), ShutdownTimeout: w.timeout(),
	}
	for _, other := range before {
		if w.rng.IntN(3) == 0 {
			spec.After = append(spec.After, other.Name)
		}
	}
	switch w.rng.IntN(6) {
	case 0:
		spec.Restart = core.RestartOnFailure
	case 1:
		spec.Restart = core.RestartNever
	}
	if w.rng.IntN(4) == 0 {
		spec.Roll = core.StopFirst
	}
	if w.rng.IntN(4) == 0 {
		spec.Together = "core"
	}
	return spec
}

// trial returns the length of a trial, mostly none.
func (w *world) trial() int64 {
	if w.rng.IntN(4) != 0 {
		return 0
	}
	return int64(w.between(time.Millisecond, 3*time.Second))
}

// timeout returns a timeout, now and then one without end.
func (w *world) timeout() int64 {
	if w.rng.IntN(10) == 0 {
		return -1
	}
	return int64(w.between(time.Second, 20*time.Second))
}
