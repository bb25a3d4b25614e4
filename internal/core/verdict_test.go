// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"reflect"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
)

// atRest holds a world in which nothing is to happen any more, and that was not stopped, against a
// model of what was asked for.
func (x *witness) atRest() {
	s := &x.w.state
	if s.Phase != core.Running || s.Change.Verb != "" || len(s.Deferred) != 0 {
		if !x.endless() {
			x.failf("nothing happens any more, but something is under way")
		}
		return
	}
	if !x.ready {
		x.failf("running, but nobody was told")
	}
	plan, generation := x.model()
	if !reflect.DeepEqual(x.encode(s.Plan), x.encode(plan)) || s.Generation != generation {
		x.failf("in force is generation %d, %s\nwant generation %d, %s", s.Generation, x.encode(s.Plan), generation, x.encode(plan))
	}
	sets := 0
	for i := range s.Sets {
		if set := &s.Sets[i]; set.Removing {
			x.gone(set)
		} else {
			x.setAtRest(set)
			sets++
		}
	}
	if sets != len(plan.Sets) {
		x.failf("there are %d sets, want %d", sets, len(plan.Sets))
	}
}

// endless reports whether a worker is waited for that may take for ever to drain: by a stop, or by the
// worker that is to follow it in a stop-first set.
func (x *witness) endless() bool {
	for _, w := range workersOf(&x.w.state) {
		stopFirst := x.spec(x.w.procs[w.Incarnation].set).Roll == core.StopFirst
		if w.Phase == core.Draining && w.Deadline == 0 && (stopFirst || x.w.state.Phase == core.Stopping) {
			return true
		}
	}
	return false
}

// model returns what ought to be in force: what was asked for, in that order, as far as the answers
// say that it was done. An answer that is still to come waits for workers that may take for ever.
func (x *witness) model() (plan core.Plan, generation int) {
	if x.w.signals {
		return x.w.state.Plan, x.w.state.Generation // nobody knows what became of signals
	}
	plan, generation = *x.begun, 1
	for _, e := range x.asked {
		out, answered := x.answers[e.Request]
		for _, debt := range x.w.state.Settling {
			for _, r := range debt.Requests {
				if r == e.Request {
					out, answered = debt.Outcome, true
				}
			}
		}
		if !answered {
			x.failf("request %d, %s, is not answered", e.Request, e.Kind)
		}
		switch e.Kind {
		case core.EventReload:
			generation = out.Generation
			if out.Error == "" && !plan.Mutate {
				plan = reloadedPlan(plan, *x.w.plans[out.Generation])
			}
		case core.EventScale, core.EventMore:
			if out.Error == "" {
				plan = scaledPlan(plan, e)
			}
		}
	}
	return plan, generation
}

// scaledPlan returns a plan with the number of workers that a request asks for.
func scaledPlan(p core.Plan, e core.Event) core.Plan {
	p.Sets = append([]core.SetSpec(nil), p.Sets...)
	for i := range p.Sets {
		spec := &p.Sets[i]
		switch {
		case spec.Name != e.Set && (e.Set != "" || len(p.Sets) != 1):
		case e.Kind == core.EventScale:
			*spec = scaledTo(*spec, e.Count)
		case spec.Workers+e.Count >= 1:
			*spec = scaledTo(*spec, spec.Workers+e.Count)
		}
	}
	return p
}

// scaledTo returns a spec with a number of workers that was said at run time.
func scaledTo(spec core.SetSpec, n int) core.SetSpec {
	configured := asConfigured(spec)
	if n == configured.Workers {
		return configured
	}
	spec.Workers, spec.Scaled, spec.Configured = n, true, configured.Workers
	return spec
}

// reloadedPlan returns the plan of a reload with the numbers said at run time that hold: where main says
// the same as it did when they were said.
func reloadedPlan(was, now core.Plan) core.Plan {
	now.Sets = append([]core.SetSpec(nil), now.Sets...)
	for i, spec := range now.Sets {
		for _, old := range was.Sets {
			if old.Name == spec.Name && asConfigured(old).Workers == spec.Workers {
				now.Sets[i] = scaledTo(spec, old.Workers)
			}
		}
	}
	return now
}

// gone fails unless all that is left of a set or slot are workers that are waited for without end.
func (x *witness) gone(set *core.Set) {
	for _, sl := range set.Slots {
		if len(sl.Leaving) == 0 {
			x.failf("%s/%d is to be removed, and empty", set.Spec.Name, sl.ID)
		}
	}
}

// setAtRest holds the workers of a set against what its spec asks for.
func (x *witness) setAtRest(set *core.Set) {
	spec := set.Spec
	ended := set.Phase == core.Stopped || set.Phase == core.Failed
	if !ended && set.Phase != core.Running {
		x.failf("set %s is %s", spec.Name, set.Phase)
	}
	wanted := 0
	for _, sl := range set.Slots {
		if sl.Removed {
			continue
		}
		wanted++
		if sl.ID >= spec.Workers {
			x.failf("%s/%d: there should be %d", spec.Name, sl.ID, spec.Workers)
		}
		switch w := sl.Current; {
		case sl.Done:
			if spec.Restart == core.RestartAlways {
				x.failf("%s/%d is done, but is always to be restarted", spec.Name, sl.ID)
			}
		case sl.GivenUp || ended:
		case w.Incarnation == 0 && spec.Roll == core.StopFirst && len(sl.Leaving) > 0:
		case w.Phase != core.Ready || !x.w.procs[w.Incarnation].alive:
			x.failf("%s/%d does not serve", spec.Name, sl.ID)
		case w.Generation != x.w.state.Generation && !x.strayed:
			x.failf("%s/%d is of generation %d, want %d", spec.Name, sl.ID, w.Generation, x.w.state.Generation)
		}
	}
	if wanted != spec.Workers && !ended {
		x.failf("set %s has %d workers, want %d", spec.Name, wanted, spec.Workers)
	}
}

// bringToEnd stops a launcher that is at rest, by TERM, and by another one where it may wait without
// end.
func (w *world) bringToEnd() {
	for range 3 {
		w.ask(core.Event{Kind: core.EventTerm})
		w.run()
		w.now += int64(time.Second) // one more TERM at once would be an echo
		if w.state.Phase == core.Stopped {
			return
		}
		if w.state.Plan.StopTimeout >= 0 {
			break
		}
	}
	w.watch.failf("does not stop")
}

// atEnd holds the end of a launcher against how it came to it.
func (x *witness) atEnd() {
	for _, e := range x.asked {
		if _, ok := x.answers[e.Request]; !ok {
			x.failf("request %d, %s, was never answered", e.Request, e.Kind)
		}
	}
	for r := range x.answers {
		if r == 0 || r > uint64(len(x.asked)) {
			x.failf("there was no request %d", r)
		}
	}
	const tolerance = 2*time.Second + 3*8*time.Second // cancelled, killed, and what the world takes for it
	if limit := x.w.state.Plan.StopTimeout; limit >= 0 && x.w.now > x.stopping+limit+int64(tolerance) {
		x.failf("the stop took %s, the limit is %s", span(x.w.now-x.stopping), span(limit))
	}
	x.code()
}

// code holds the exit code against what happened.
func (x *witness) code() {
	got := x.quit.Code
	givenUp, failed := false, false
	for i := range x.w.state.Sets {
		failed = failed || strings.HasPrefix(x.w.state.Sets[i].Reason, "ended together")
		for _, sl := range x.w.state.Sets[i].Slots {
			givenUp, failed = givenUp || sl.GivenUp, failed || sl.Failed
		}
	}
	switch {
	case x.killed:
		x.want(got == 1)
	case got == 4:
		x.want(givenUp)
	case got == 1:
		x.want(failed || !x.ready)
	case got == 3:
		x.want(x.cut > 0)
	default:
		x.want(got == 0 && x.cut == 0 && (x.ready || x.graceful))
	}
}

func (x *witness) want(ok bool) {
	x.t.Helper()
	if !ok {
		x.failf("exit code %d: %s; cut %d", x.quit.Code, x.quit.Text, x.cut)
	}
}
