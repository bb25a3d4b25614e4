// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"cmp"
	"slices"
)

// The verbs of a change.
const (
	verbReload = "reload" // another plan, workers replaced
	verbMutate = "mutate" // another configuration, workers reset
	verbScale  = "scale"  // another number of workers
	verbReturn = "return" // back to the plan in force after a reload or scale that failed
)

// verb returns the name of what an event asks for.
func (e Event) verb() string {
	if e.Kind == EventReload {
		return verbReload
	}
	return verbScale
}

// asked returns the verb that those who asked for the change know.
func (c *Change) asked() string { return cmp.Or(c.From, c.Verb) }

// request begins a change, or keeps it for later while another is under way.
func (st *step) request(e Event) {
	switch {
	case st.Phase == Stopping || st.Phase == Stopped:
		st.reply(st.refusal(e, "the program is stopping"), e.Request)
	case st.Phase == Running && st.Change.Verb == "":
		st.beginChange(e)
	case e.Kind == EventReload && e.Request == 0 && st.reloadWaits():
		// one more reload after the one under way sees what both callers changed
		waits := &st.Deferred[len(st.Deferred)-1]
		waits.By = JoinBy(waits.By, e.By)
	default:
		st.Deferred = append(st.Deferred, e)
	}
}

// reloadWaits reports whether what was asked for last, and waits, is a reload.
func (st *step) reloadWaits() bool {
	return len(st.Deferred) > 0 && st.Deferred[len(st.Deferred)-1].Kind == EventReload
}

// nextDeferred begins the request that has waited longest; reloads that follow each other are one.
func (st *step) nextDeferred() {
	for st.Phase == Running && st.Change.Verb == "" && len(st.Deferred) > 0 {
		st.beginChange(st.nextRequest())
		for st.Change.Verb != "" && !st.Change.Prepared && len(st.Deferred) > 0 && st.Deferred[0].Kind == EventReload {
			e := st.nextRequest()
			st.Change.Requests, st.Change.By = append(st.Change.Requests, e.Request), JoinBy(st.Change.By, e.By)
		}
	}
}

// nextRequest takes the request that has waited longest.
func (st *step) nextRequest() Event {
	e := st.Deferred[0]
	st.Deferred = slices.Delete(st.Deferred, 0, 1)
	return e
}

// beginChange starts the change that e asks for.
func (st *step) beginChange(e Event) {
	if e.Kind == EventReload {
		st.Planned++
		verb := verbReload
		if st.Plan.Mutate {
			verb = verbMutate
		}
		st.Change = Change{Verb: verb, Generation: st.Planned, Since: st.now, By: e.By, Requests: []uint64{e.Request}}
		st.out = append(st.out, Action{Kind: ActionPrepare, Generation: st.Planned})
		st.notify("reloading")
		st.log("info", "reloading", "method", verb, "generation", st.Planned)
		return
	}
	plan, err := st.scaled(e)
	if err != "" {
		st.log("warn", "not scaled", "reason", err)
		st.reply(st.refusal(e, err), e.Request)
		return
	}
	st.Change = Change{Verb: verbScale, Prepared: true, Plan: plan, Generation: st.Generation, Since: st.now, By: e.By, Requests: []uint64{e.Request}}
	st.adopt(plan)
	st.retry(cmp.Or(e.Set, plan.Sets[0].Name)) // without a name there is one set
}

// prepared goes on with a change whose plan was made and accepted.
func (st *step) prepared(e Event) {
	c := &st.Change
	if c.Verb == "" || c.Prepared || c.Generation != e.Count || e.Plan == nil {
		st.out = append(st.out, Action{Kind: ActionDrop, Generation: e.Count})
		return
	}
	c.Prepared = true
	if c.Verb == verbMutate {
		c.Plan = st.Plan.clone()
		st.resetAll()
		return
	}
	c.Plan = st.keepScaled(*e.Plan)
	st.adopt(c.Plan)
}

// refused ends a change whose plan could not be made: nothing has been touched.
func (st *step) refused(e Event) {
	if c := &st.Change; c.Verb == "" || c.Prepared || c.Generation != e.Count {
		return
	}
	st.log("error", "reload refused, nothing changed", "reason", e.Text)
	st.Change.Error = e.Text
	st.finish()
}

// adopt gives the sets the specs of a plan and adds the sets that are new.
func (st *step) adopt(plan Plan) {
	for _, spec := range plan.Sets {
		set := st.set(spec.Name)
		if set == nil {
			st.Sets = append(st.Sets, Set{Spec: spec, Phase: Waiting})
			continue
		}
		set.Spec, set.Removing = spec, false
	}
}

// complete takes out what is too much and puts the plan of the change in force.
func (st *step) complete() {
	c := &st.Change
	st.prune(c.Plan)
	st.Plan, st.Generation = c.Plan, c.Generation
	st.out = append(st.out, Action{Kind: ActionCommit, Generation: st.Generation})
	st.finish()
}

// finish ends the change under way and begins what waited for it.
func (st *step) finish() {
	c := st.Change
	st.Change = Change{}
	st.dropTrials()
	for i := range st.Sets {
		for j := range st.Sets[i].Slots {
			st.Sets[i].Slots[j].Awaited = false
		}
	}
	out := Outcome{Action: c.asked(), Generation: st.Generation, Nanos: st.now - c.Since, Error: c.Error}
	if c.Error == "" {
		st.log("info", "change complete", "change", c.Verb, "generation", st.Generation, "millis", millis(out.Nanos))
	}
	if c.Error == "" && (c.Verb == verbReload || c.Verb == verbMutate) {
		st.out = append(st.out, Action{Kind: ActionHook, Text: "reloaded", Generation: st.Generation})
	}
	if c.asked() != verbScale {
		st.notify("ready")
	}
	st.owe(out, c)
	st.nextDeferred()
}

// owe answers the requests of a change, once the workers that it replaced are gone.
func (st *step) owe(out Outcome, c Change) {
	debt := Debt{Outcome: out, Since: c.Since, By: c.By, Requests: c.Requests}
	for _, inc := range c.Replaced {
		if _, _, w := st.find(inc); w != nil {
			debt.Left = append(debt.Left, inc)
		}
	}
	if len(debt.Left) == 0 {
		st.reply(Operation{out, c.By, c.Since}, c.Requests...)
		return
	}
	st.Settling = append(st.Settling, debt)
}

// settleDebts notes that a worker is gone, and gives the answers that waited for the last one.
func (st *step) settleDebts(dead Worker, lost int) {
	kept := st.Settling[:0]
	for _, d := range st.Settling {
		if i := slices.Index(d.Left, dead.Incarnation); i >= 0 {
			d.Left = slices.Delete(d.Left, i, i+1)
			d.Outcome.Cut += dead.Cut
			d.Outcome.Lost += lost
		}
		if len(d.Left) > 0 {
			kept = append(kept, d)
			continue
		}
		d.Outcome.Nanos = st.now - d.Since
		st.reply(Operation{d.Outcome, d.By, d.Since}, d.Requests...)
	}
	st.Settling = kept
}
