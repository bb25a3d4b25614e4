// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import "slices"

const (
	bootSlow = 5 * second // main should reach Launch within this
	startLag = 1 * second // a worker reports its own start timeout first
)

// begin takes over the first plan.
func (st *step) begin(e Event) {
	if st.Phase != "" || e.Plan == nil {
		return
	}
	st.Phase, st.Plan = Starting, e.Plan.clone()
	st.Generation, st.Planned = 1, 1
	for _, spec := range st.Plan.Sets {
		st.Sets = append(st.Sets, Set{Spec: spec, Phase: Waiting})
	}
}

// startSets starts every set whose predecessors have been ready, and notes which sets have become
// ready. It reports whether anything changed.
func (st *step) startSets() (changed bool) {
	if st.Phase != Starting && st.Phase != Running {
		return false
	}
	for i := range st.Sets {
		set := &st.Sets[i]
		switch {
		case set.Phase == Waiting && st.mayStart(set):
			st.open(set)
			changed = true
		case set.Phase == Starting && set.allReady():
			set.Phase = Running
			changed = true
		}
	}
	if st.Phase == Starting && st.allStarted() {
		st.Phase = Running
		st.Announced = true
		st.notify("ready")
		st.log("info", "all sets are ready", "sets", len(st.Sets))
		st.nextDeferred()
		return true
	}
	return changed
}

// mayStart reports whether all sets that this one comes after have been ready.
func (st *step) mayStart(set *Set) bool {
	for _, name := range set.Spec.After {
		if dep := st.set(name); dep != nil && !dep.begun() {
			return false
		}
	}
	return !set.Removing
}

// begun reports whether the set has been ready, whatever became of it.
func (set *Set) begun() bool {
	return set.Phase != Waiting && set.Phase != Starting
}

// open makes the slots of a set; spawnDue fills them.
func (st *step) open(set *Set) {
	set.Phase = Starting
	st.log("info", "starting workers", "set", set.Spec.Name, "workers", set.Spec.Workers)
	for id := range set.Spec.Workers {
		set.renew(id, st.target())
	}
}

// target is the generation that new slots get.
func (st *step) target() int {
	if st.Change.Verb != "" && st.Change.Prepared {
		return st.Change.Generation
	}
	return st.Generation
}

// allReady reports whether each slot has been ready, or will not be any more.
func (set *Set) allReady() bool {
	return !set.any(func(sl *Slot) bool { return sl.Awaited && !sl.Done && !sl.GivenUp && !sl.Removed })
}

// allStarted reports whether no set is still to become ready.
func (st *step) allStarted() bool {
	return !slices.ContainsFunc(st.Sets, func(set Set) bool { return !set.begun() })
}

// wants reports whether the slot lacks a worker that it should have, be it now or later.
func (s *State) wants(set *Set, sl *Slot) bool {
	if s.Phase != Starting && s.Phase != Running || set.Phase != Starting && set.Phase != Running {
		return false
	}
	if !sl.Current.none() || !sl.Successor.none() || sl.Done || sl.GivenUp || sl.Removed {
		return false
	}
	return set.Spec.Roll != StopFirst || len(sl.Leaving) == 0
}

// spawnDue fills the slots that lack a worker and need not wait.
func (st *step) spawnDue() (changed bool) {
	for i := range st.Sets {
		set := &st.Sets[i]
		for j := range set.Slots {
			sl := &set.Slots[j]
			if st.wants(set, sl) && sl.SpawnAt <= st.now {
				sl.SpawnAt = 0
				st.spawn(set, sl, &sl.Current)
				changed = true
			}
		}
	}
	return changed
}

// spawn puts a new worker into its place in the slot, current or successor.
func (st *step) spawn(set *Set, sl *Slot, w *Worker) {
	st.Spawned++
	set.Shut = false // somebody is to come again
	*w = Worker{Incarnation: st.Spawned, Generation: sl.Want, Phase: Spawning, Since: st.now, SpawnedAt: st.now}
	a := st.act(ActionSpawn, set, sl, w)
	a.Count = set.Spec.Workers
}

// spawned notes the pid of a worker that was told to be spawned.
func (st *step) spawned(set *Set, sl *Slot, w *Worker, e Event) {
	if w.Phase != Spawning {
		return
	}
	w.Pid = e.Pid
	w.enter(Booting, st.now)
	if w.Asked {
		st.killWorker(set, sl, w)
		return
	}
	w.NagAt = st.now + bootSlow
	if timeout := st.spec(set, w).StartTimeout; timeout >= 0 {
		w.Deadline = st.now + timeout + startLag
	}
}

// ready notes that a worker serves, and puts a successor in its predecessor's place.
func (st *step) ready(set *Set, sl *Slot, w *Worker) {
	if w.Phase != Beginning || w.Asked {
		return
	}
	w.enter(Ready, st.now)
	w.ReadyAt, w.Deadline, w.NagAt = st.now, 0, 0
	sl.Awaited = false
	st.logWorker("info", "worker is ready", set, sl, w, "after", millis(st.now-w.SpawnedAt))
	st.act(ActionHook, set, sl, w).Text = "ready"
	tried := st.beginTrial(set, sl, w)
	if w == &sl.Successor {
		if !tried || sl.Current.Phase != Ready {
			st.promote(set, sl)
		}
		return
	}
	st.pair(set, sl)
	if st.Plan.Mutate && w.Generation != sl.Want {
		st.reset(set, sl, w)
	}
}

// promote lets the ready successor take the place of the current worker, which drains.
func (st *step) promote(set *Set, sl *Slot) {
	old := sl.Current
	sl.Current, sl.Successor = sl.Successor, Worker{}
	st.pair(set, sl)
	if !old.none() {
		st.retire(set, sl, old, "replace")
	}
}

// retire drains a worker that was taken from its place.
func (st *step) retire(set *Set, sl *Slot, w Worker, reason string) {
	if w.Phase == Ready {
		switch heir := set.sibling(sl); {
		case reason == "replace":
			st.pairWith(set, sl, &w, &sl.Current)
		case reason == "shrink" && heir != nil:
			st.pairWith(set, sl, &w, heir)
		}
	}
	sl.Leaving = append(sl.Leaving, w)
	st.drain(set, sl, &sl.Leaving[len(sl.Leaving)-1], reason, set.Spec.ShutdownTimeout)
	if st.Change.Verb != "" {
		st.Change.Replaced = append(st.Change.Replaced, w.Incarnation)
	}
}

// millis returns nanoseconds as milliseconds for people.
func millis(ns int64) float64 { return float64(ns/10_000) / 100 }
