// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import "slices"

// advance takes the change under way as far as it goes now: slot by slot in the order of the sets,
// each ready before the next begins. Sets that are new start besides, as at the beginning.
func (st *step) advance() (changed bool) {
	c := &st.Change
	if c.Verb == "" || !c.Prepared || st.Phase != Running {
		return false
	}
	if c.Verb == verbMutate {
		return st.advanceReset()
	}
	if c.Verb == verbReturn && st.awaits() {
		return false // slots that lost their worker come first
	}
	for _, name := range order(c.Plan) {
		set := st.set(name)
		if st.revive(set) {
			return true
		}
		for id := range set.Spec.Workers {
			if did, done := st.turn(set, id); !done {
				return did
			}
		}
	}
	st.complete()
	return true
}

// awaits reports whether a slot has still to become ready.
func (st *step) awaits() bool {
	return slices.ContainsFunc(st.Sets, func(set Set) bool { return !set.ended() && !set.allReady() })
}

// revive gives a set that has ended another chance with the plan of a reload: it starts as a new one
// does. A set that ended with that plan has had its chance.
func (st *step) revive(set *Set) bool {
	tried := func(sl *Slot) bool { return sl.Want == st.Change.Generation }
	if st.Change.Verb != verbReload || !set.ended() || set.any(tried) {
		return false
	}
	st.reopen(set)
	return true
}

// reopen makes an ended set one that waits to be started.
func (st *step) reopen(set *Set) {
	for j := range set.Slots {
		st.clear(set, &set.Slots[j], "stop")
	}
	set.Phase, set.Reason = Waiting, ""
}

// turn brings one slot to the generation of the change. It reports whether it did something, and
// whether the slot is there.
func (st *step) turn(set *Set, id int) (did, done bool) {
	if set.Phase == Waiting {
		return false, false
	}
	if set.ended() {
		return false, true
	}
	sl := set.slot(id)
	switch {
	case sl == nil || sl.Removed:
		set.renew(id, st.Change.Generation)
		return true, false
	case sl.Want != st.Change.Generation:
		st.roll(set, sl)
		return true, false
	case sl.GivenUp || sl.Done:
		return false, true
	}
	return false, !sl.Awaited && sl.Successor.none() && sl.Trial.Until == 0
}

// roll begins to replace the worker of a slot.
func (st *step) roll(set *Set, sl *Slot) {
	sl.Want, sl.SpawnAt = st.Change.Generation, 0
	sl.Done, sl.Failed, sl.GivenUp = false, false, false
	sl.Failures, sl.Retries = 0, nil
	sl.Trial = Trial{Canary: st.canary(set, sl)}
	if !sl.Current.none() && set.Spec.Roll != StopFirst {
		st.spawn(set, sl, &sl.Successor)
		return
	}
	sl.Awaited = true // spawnDue fills the slot
	if old := sl.Current; !old.none() {
		sl.Current = Worker{}
		st.retire(set, sl, old, "replace")
	}
}

// breaksChange reports whether the end of a worker that was never ready ends the change under way.
func (st *step) breaksChange(sl *Slot, dead Worker) bool {
	c := &st.Change
	if !c.Prepared || dead.ReadyAt != 0 {
		return false
	}
	return sl.Awaited || c.Verb == verbReload && dead.Generation == c.Generation
}

// changeFailed turns a reload or scale into the return to the plan in force. Slots that were not
// brought to the new generation yet keep, or get back, the worker they had; the others are rolled
// back.
func (st *step) changeFailed(reason string) {
	failed := st.Change
	if failed.Verb == verbReturn {
		st.returnFailed(reason)
		return
	}
	st.log("error", "change abandoned, returning to the plan in force", "change", failed.Verb, "reason", reason, "generation", st.Generation)
	st.Change = Change{Verb: verbReturn, From: failed.Verb, Prepared: true, Plan: st.Plan.clone(), Generation: st.Generation,
		Since: failed.Since, By: failed.By, Requests: failed.Requests, Replaced: failed.Replaced, Error: reason}
	st.adopt(st.Plan)
	st.prune(st.Plan)
	if failed.Verb == verbScale {
		st.unawaited()
	}
	for i := range st.Sets {
		if set := &st.Sets[i]; failed.Verb == verbReload && set.ended() && set.EndedIn == failed.Generation {
			st.reopen(set) // that it ended may be the doing of the plan that failed
		}
	}
	st.withdraw()
}

// returnFailed ends a return that fails as well. Workers that serve are left alone, whatever they are
// of; what is to be started from now on is of the plan in force.
func (st *step) returnFailed(reason string) {
	st.log("error", "return abandoned, what serves goes on", "reason", reason, "generation", st.Generation)
	st.Change.Error += "; on the way back: " + reason
	st.withdraw()
	for i := range st.Sets {
		set := &st.Sets[i]
		for j := range set.Slots {
			set.Slots[j].Want = st.Generation
		}
		if set.Phase == Waiting || set.ended() {
			continue
		}
		for id := range set.Spec.Workers {
			if sl := set.slot(id); sl == nil || sl.Removed {
				set.renew(id, st.Generation)
			}
		}
	}
	st.complete()
}

// withdraw takes back what a failed change had only begun.
func (st *step) withdraw() {
	st.dropTrials()
	for i := range st.Sets {
		set := &st.Sets[i]
		for j := range set.Slots {
			st.withdrawSlot(set, &set.Slots[j])
		}
	}
}

func (st *step) withdrawSlot(set *Set, sl *Slot) {
	if w := sl.Successor; !w.none() {
		sl.Successor = Worker{}
		st.retire(set, sl, w, "replace")
	}
	if sl.Want == st.Generation || sl.Removed {
		return
	}
	if w := sl.Current; !w.none() && w.Generation != st.Generation && w.Phase != Ready {
		sl.Current = Worker{}
		st.retire(set, sl, w, "replace")
	}
	if sl.Current.none() || sl.Current.Generation == st.Generation {
		sl.Want, sl.SpawnAt, sl.Awaited = st.Generation, 0, sl.Current.none()
		sl.Done, sl.Failed, sl.GivenUp = false, false, false
	}
}

// prune removes the sets that a plan does not name and the slots above its numbers of workers.
func (st *step) prune(plan Plan) {
	for i := range st.Sets {
		set := &st.Sets[i]
		if !set.Removing && !slices.ContainsFunc(plan.Sets, func(spec SetSpec) bool { return spec.Name == set.Spec.Name }) {
			st.log("info", "removing set", "set", set.Spec.Name)
			set.Removing, set.Spec.Workers = true, 0
		}
		surplus := func(sl *Slot) bool { return sl.ID >= set.Spec.Workers && !sl.Removed }
		reason := "shrink" // siblings serve on
		if !set.any(func(sl *Slot) bool { return !surplus(sl) && sl.staffed() }) && set.any(surplus) {
			reason = "stop"
			st.shut(set)
		}
		for j := range set.Slots {
			if sl := &set.Slots[j]; surplus(sl) {
				st.clear(set, sl, reason)
			}
		}
	}
}

// clear removes a slot; its workers drain for the reason given.
func (st *step) clear(set *Set, sl *Slot, reason string) {
	sl.Removed, sl.Trial = true, Trial{}
	for _, w := range []Worker{sl.Current, sl.Successor} {
		if !w.none() {
			st.retire(set, sl, w, reason)
		}
	}
	sl.Current, sl.Successor = Worker{}, Worker{}
}

// order returns the names of the sets of a plan, each after those that it comes after. A plan was
// checked for circles before it came here; one would only put its sets into some order.
func order(p Plan) (names []string) {
	var visit func(name string)
	seen := make(map[string]bool)
	visit = func(name string) {
		i := slices.IndexFunc(p.Sets, func(spec SetSpec) bool { return spec.Name == name })
		if i < 0 || seen[name] {
			return
		}
		seen[name] = true
		for _, before := range p.Sets[i].After {
			visit(before)
		}
		names = append(names, name)
	}
	for _, spec := range p.Sets {
		visit(spec.Name)
	}
	return names
}
