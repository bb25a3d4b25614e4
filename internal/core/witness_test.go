// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/core"
)

// A witness holds a world to what must be true of every step, and remembers what the verdict at the
// end needs. It knows workers from actions and events rather than from the state, so that the state
// can be held against it.
type witness struct {
	t       *testing.T
	w       *world
	seed    uint64
	careful int     // one step in so many is looked at in full
	journal []entry // of the last steps

	steps int
	kept  core.State // of an earlier step, which nothing may have written to since
	text  []byte     // of kept

	latest   uint64              // incarnation
	traffic  map[string]*traffic // by set
	editions map[int]bool        // generations that workers may be started of
	begun    *core.Plan
	asked    []core.Event // requests, in the order in which they were made
	answers  map[uint64]core.Outcome
	paired   map[[2]uint64]int // how often two incarnations were joined

	ready    bool  // told to the supervisor above
	stopping int64 // since when
	graceful bool  // a stop was asked for
	killed   bool  // by INT
	strayed  bool  // a return was abandoned: workers may be of other generations
	cut      int
	quit     *core.Action
}

// An entry is one step in the journal.
type entry struct {
	event   core.Event
	actions []core.Action
}

// failf ends the test with the journal of the schedule.
func (x *witness) failf(format string, args ...any) {
	x.t.Helper()
	var b strings.Builder
	for _, step := range x.journal {
		at := span(step.event.At - worldBegins)
		fmt.Fprintf(&b, "%14s %s\n", at, showEvent(step.event))
		for _, a := range step.actions {
			fmt.Fprintf(&b, "%14s     %s\n", at, showAction(a))
		}
	}
	b.WriteString(render{x.w.state, x.w.now, worldBegins}.summary())
	x.t.Fatalf("seed %d, at %s: %s\n%s", x.seed, span(x.w.now-worldBegins), fmt.Sprintf(format, args...), &b)
}

// write adds a step to the journal.
func (x *witness) write(e core.Event, actions []core.Action) {
	if len(x.journal) == 1000 {
		x.journal = slices.Delete(x.journal, 0, 500)
	}
	x.journal = append(x.journal, entry{e, actions})
}

// step performs one step. Now and then it makes sure that the step is a function of its input alone:
// it leaves it as it was, comes to the same when the state has been through JSON, and takes no
// notice of a worker that is gone.
func (x *witness) step(s core.State, e core.Event) (core.State, []core.Action) {
	x.steps++
	if x.steps%x.careful != 0 {
		return core.Step(s, e)
	}
	if x.text != nil && !bytes.Equal(x.encode(x.kept), x.text) {
		x.failf("a step wrote to a state before it:\n%s\n%s", x.text, x.encode(x.kept))
	}
	x.kept, x.text = s, x.encode(s)
	next, actions := core.Step(s, e)
	if !bytes.Equal(x.encode(s), x.text) {
		x.failf("%s: Step wrote to its input", e.Kind)
	}
	var read core.State
	if err := json.Unmarshal(x.text, &read); err != nil {
		x.failf("%v", err)
	}
	x.same(e, next, actions, read)
	if e.Incarnation != 0 && !x.knows(s, e.Incarnation) {
		e = core.Event{At: e.At, Kind: core.EventTick}
		x.same(e, next, actions, read)
	}
	return next, actions
}

// same fails unless a step from another state comes to the same.
func (x *witness) same(e core.Event, next core.State, actions []core.Action, other core.State) {
	otherNext, otherActions := core.Step(other, e)
	if got, want := x.encode(otherNext), x.encode(next); !bytes.Equal(got, want) {
		x.failf("%s: the state differs:\n%s\n%s", e.Kind, got, want)
	}
	if got, want := x.encode(otherActions), x.encode(actions); !bytes.Equal(got, want) {
		x.failf("%s: the actions differ:\n%s\n%s", e.Kind, got, want)
	}
}

func (x *witness) knows(s core.State, incarnation uint64) bool {
	for _, w := range workersOf(&s) {
		if w.Incarnation == incarnation {
			return true
		}
	}
	return false
}

func (x *witness) encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		x.failf("%v", err)
	}
	return data
}

// event notes what was delivered to the core.
func (x *witness) event(e core.Event) {
	if e.Request != 0 {
		x.asked = append(x.asked, e)
	}
	switch e.Kind {
	case core.EventBegin:
		x.begun, x.editions[1] = e.Plan, true
	case core.EventPrepared:
		x.editions[e.Count] = true
	case core.EventTerm, core.EventStop:
		x.graceful = true
	case core.EventKill:
		x.killed = x.killed || x.quit == nil
	}
	p := x.w.procs[e.Incarnation]
	if p == nil || p.heard.gone {
		return
	}
	switch e.Kind {
	case core.EventSpawned:
		p.heard.spawned = true
	case core.EventHello:
		p.heard.hello = true
	case core.EventReady:
		p.heard.ready, p.heard.readyAt = true, x.w.now
	case core.EventLeaving:
		p.heard.leaving = true
	case core.EventDrained:
		p.heard.cut = max(p.heard.cut, e.Count)
	case core.EventExit, core.EventSpawnFailed:
		p.heard.gone = true
		if x.stopping != 0 {
			x.cut += p.heard.cut
		}
	}
}

// action holds an action against what the world is like.
func (x *witness) action(a core.Action) {
	if x.quit != nil && a.Kind != core.ActionReply && a.Kind != core.ActionDrop {
		x.failf("%s after quit", showAction(a))
	}
	if a.Set != "" && a.Kind != core.ActionHook {
		x.route(a)
	}
	switch a.Kind {
	case core.ActionSpawn:
		x.spawn(a)
	case core.ActionDrain, core.ActionCancel, core.ActionReset, core.ActionKill:
		x.order(a)
	case core.ActionPair:
		x.pair(a)
	case core.ActionCommit:
		if !x.editions[a.Generation] {
			x.failf("commit of generation %d, which is not there", a.Generation)
		}
		x.editions = map[int]bool{a.Generation: true}
	case core.ActionDrop:
		delete(x.editions, a.Generation)
	case core.ActionReply:
		if _, twice := x.answers[a.Request]; twice {
			x.failf("request %d is answered twice", a.Request)
		}
		if a.Outcome.Nanos < 0 || a.Outcome.Cut < 0 || a.Outcome.Action == "" {
			x.failf("%s", showAction(a))
		}
		x.answers[a.Request] = a.Outcome
	case core.ActionNotify:
		x.notified(a.Text)
	case core.ActionLog:
		if len(a.Attrs)%2 != 0 || !slices.Contains([]string{"debug", "info", "warn", "error"}, a.Level) {
			x.failf("%s: %v", showAction(a), a.Attrs)
		}
		x.strayed = x.strayed || strings.HasPrefix(a.Text, "return abandoned") || strings.HasPrefix(a.Text, "worker did not reset")
	case core.ActionQuit:
		x.quit = &a
	}
}

// spawn holds the start of a worker against what is in its slot.
func (x *witness) spawn(a core.Action) {
	if a.Incarnation <= x.latest {
		x.failf("incarnation %d after %d", a.Incarnation, x.latest)
	}
	x.latest = a.Incarnation
	if x.stopping != 0 {
		x.failf("%s while stopping", showAction(a))
	}
	if !x.editions[a.Generation] {
		x.failf("%s: that generation is not there", showAction(a))
	}
	asked := map[uint64]bool{} // also those that could not be told
	for _, w := range workersOf(&x.w.state) {
		asked[w.Incarnation] = w.Asked
	}
	others, serving := 0, 0
	for _, p := range x.w.procs {
		if p.set == a.Set && p.slot == a.Slot && !p.heard.gone {
			others++
			if !p.told && !p.heard.leaving && !asked[p.inc] {
				serving++
			}
		}
	}
	verb := x.w.state.Change.Verb
	switch {
	case others > 0 && x.spec(a.Set).Roll == core.StopFirst:
		x.failf("%s beside another, the set is stop-first", showAction(a))
	case serving > 1, serving == 1 && verb != "reload" && verb != "return":
		x.failf("%s beside %d", showAction(a), serving)
	}
}

// order holds what is asked of a worker against how far it has come.
func (x *witness) order(a core.Action) {
	p := x.w.procs[a.Incarnation]
	switch {
	case p == nil || p.heard.gone:
		x.failf("%s: it is not there", showAction(a))
	case a.Kind == core.ActionKill && !p.heard.spawned:
		x.failf("%s before it has a pid", showAction(a))
	case a.Kind != core.ActionKill && !p.heard.hello:
		x.failf("%s before its hello", showAction(a))
	}
	if a.Kind == core.ActionReset {
		return
	}
	p.told = true
	if a.Kind == core.ActionCancel {
		p.heard.cut = max(p.heard.cut, 1)
	}
	if a.Kind != core.ActionDrain || a.Reason != "replace" || !p.heard.ready || x.spec(a.Set).Roll == core.StopFirst {
		return
	}
	for _, other := range x.w.procs {
		if other.set == p.set && other.slot == p.slot && other.heard.ready && !other.told && !other.heard.gone {
			x.settledFor(other, p, a)
			return
		}
	}
	x.failf("%s: no other serves in its slot", showAction(a))
}

// settledFor fails if a worker is replaced by one of a reload that has not served for as long as its
// plan wants.
func (x *witness) settledFor(successor, p *process, a core.Action) {
	plan := x.w.plans[successor.generation]
	if p.generation >= successor.generation || successor.heard.leaving || x.stopping != 0 || plan == nil || x.w.state.Change.Verb == "return" {
		return
	}
	if served := x.w.now - successor.heard.readyAt; served < plan.Settle {
		x.failf("%s: #%d has served for %s, want %s", showAction(a), successor.inc, span(served), span(plan.Settle))
	}
}

// pair holds that two workers are joined only where one serves on and the other does not: in the same
// slot, or in one that stays where that of the other goes.
func (x *witness) pair(a core.Action) {
	p, heir := x.w.procs[a.Incarnation], x.w.procs[a.Heir]
	switch {
	case p == nil || p.heard.gone || !p.heard.ready && !p.told && !p.heard.leaving:
		x.failf("%s: it has nothing to hand over", showAction(a))
	case heir == nil || heir.heard.gone || !heir.heard.ready || heir.told || heir.heard.leaving:
		x.failf("%s, which does not serve", showAction(a))
	case p.set != heir.set || p == heir:
		x.failf("%s, which does not take its place", showAction(a))
	case x.stopping != 0:
		x.failf("%s while stopping", showAction(a))
	}
	x.paired[[2]uint64{a.Incarnation, a.Heir}]++
	if x.paired[[2]uint64{a.Incarnation, a.Heir}] > 1 {
		x.failf("%s twice", showAction(a))
	}
}

// notified holds what is told to the supervisor above against what has happened.
func (x *witness) notified(what string) {
	switch what {
	case "ready":
		if x.stopping != 0 {
			x.failf("ready while stopping")
		}
		if x.ready {
			return
		}
		x.ready = true
		for _, spec := range x.begun.Sets {
			for id := range spec.Workers {
				if !x.everReady(spec.Name, id) && !x.endedTogether(spec.Name) {
					x.failf("ready, but %s/%d never was", spec.Name, id)
				}
			}
		}
	case "stopping":
		if x.stopping != 0 {
			x.failf("stopping twice")
		}
		x.stopping = x.w.now
	}
}

func (x *witness) everReady(set string, slot int) bool {
	for _, p := range x.w.procs {
		if p.set == set && p.slot == slot && p.heard.ready {
			return true
		}
	}
	return false
}

// endedTogether reports whether a set has ended, well, because another has.
func (x *witness) endedTogether(set string) bool {
	for i := range x.w.state.Sets {
		if s := &x.w.state.Sets[i]; s.Spec.Name == set {
			return s.Phase == core.Stopped && s.Reason != ""
		}
	}
	return false
}

// spec returns the set of that name as the state has it.
func (x *witness) spec(name string) core.SetSpec {
	for i := range x.w.state.Sets {
		if x.w.state.Sets[i].Spec.Name == name {
			return x.w.state.Sets[i].Spec
		}
	}
	x.failf("no set %q", name)
	return core.SetSpec{}
}
