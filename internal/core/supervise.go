// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"fmt"
	"math"
	"slices"
)

const (
	lively      = 1 * second  // an end earlier than this after ready is a failure
	backoffUnit = second / 10 // pause before the third start
	backoffMax  = 2 * second
	halfLife    = 30 * second // of the count of failures
	retryWindow = 60 * second
	maxRetries  = 20 // starts after failures in retryWindow, then the slot is given up
)

// ended takes a worker that is gone out of its slot and decides what follows.
func (st *step) ended(set *Set, sl *Slot, dead Worker, e Event) {
	wasSuccessor := sl.Successor.Incarnation == dead.Incarnation
	wasCurrent := sl.Current.Incarnation == dead.Incarnation
	tried := sl.onTrial(dead.Incarnation)
	sl.remove(dead.Incarnation)
	set.offerAgain(sl.ID)
	how := lastWords(e, dead)
	sl.LastExit = how
	st.told(set, sl, &dead, e, how)
	st.settleDebts(dead, e.Lost)
	if st.Phase == Stopping {
		st.Stop.Cut += dead.Cut
		st.Stop.Lost += e.Lost
		return
	}
	switch {
	case dead.Asked || set.ended():
		st.logWorker("info", "worker has ended", set, sl, &dead, "how", how)
	case st.fatalStart(sl, dead, e):
		st.logWorker("error", "worker failed to start", set, sl, &dead, "how", how)
		st.stop(1, fmt.Sprintf("set %s, worker %d failed to start: %s", set.Spec.Name, sl.ID, how), Event{})
	case tried:
		st.logWorker("error", "new worker ended before it had settled", set, sl, &dead, "how", how)
		st.changeFailed(fmt.Sprintf("set %s, worker %d ended before it had settled: %s", set.Spec.Name, sl.ID, how))
	case wasSuccessor || st.breaksChange(sl, dead):
		st.logWorker("error", "new worker did not become ready", set, sl, &dead, "how", how)
		if st.Change.Verb == verbScale && st.stays(set, sl) {
			st.failed(set, sl, dead, how) // a slot that was given up before goes on as any other
		}
		st.changeFailed(fmt.Sprintf("set %s, worker %d did not become ready: %s", set.Spec.Name, sl.ID, how))
	case wasCurrent && !sl.Successor.none():
		st.logWorker("warn", "worker ended before its successor took its place", set, sl, &dead, "how", how)
		st.inherit(set, sl)
	case wasCurrent:
		st.supervise(set, sl, dead, e, how)
	}
}

// told adds the hook about a worker that is gone.
func (st *step) told(set *Set, sl *Slot, dead *Worker, e Event, how string) {
	a := st.act(ActionHook, set, sl, dead)
	a.Text, a.Reason, a.Code, a.Signal, a.Asked = "gone", how, e.Code, e.Signal, dead.Asked || st.Phase == Stopping
}

// fatalStart reports whether the end of a worker is a failed start of the program. A worker that
// somebody else killed has not failed to start.
func (st *step) fatalStart(sl *Slot, dead Worker, e Event) bool {
	return st.Phase == Starting && sl.Awaited && e.Count == 0 && (e.Signal == "" || dead.Phase == Killed)
}

// supervise answers the end of a worker that nobody asked for.
func (st *step) supervise(set *Set, sl *Slot, dead Worker, e Event, how string) {
	clean := e.Kind == EventExit && e.Code == 0 && e.Signal == "" && dead.Said == "" && dead.ReadyAt != 0
	sl.Restarts++
	sl.Started = sl.Started || e.Count == 1
	if policy := st.spec(set, &dead).Restart; policy == RestartNever || policy == RestartOnFailure && clean {
		sl.Done, sl.Failed = true, !clean
		if !clean {
			set.Reason = how
		}
		st.logWorker(level(clean), "worker has ended and is not replaced", set, sl, &dead, "how", how, "restart", policy)
		return
	}
	if dead.ReadyAt != 0 && st.now-dead.ReadyAt >= lively {
		st.logWorker("warn", "worker ended unasked, starting another", set, sl, &dead, "how", how)
		return
	}
	st.failed(set, sl, dead, how)
}

// spec returns the spec that goes for a worker: that of the plan in force, unless the worker is one of
// a reload under way. The set has the spec of the plan to come already.
func (st *step) spec(set *Set, w *Worker) SetSpec {
	i := slices.IndexFunc(st.Plan.Sets, func(spec SetSpec) bool { return spec.Name == set.Spec.Name })
	if i < 0 || st.Change.Verb == verbReload && w.Generation == st.Change.Generation {
		return set.Spec
	}
	return st.Plan.Sets[i]
}

// failed counts a failure and sets the time of the next try, or gives the slot up.
func (st *step) failed(set *Set, sl *Slot, dead Worker, how string) {
	set.Reason = how
	sl.Failures = sl.Failures*math.Exp2(-float64(st.now-sl.FailedAt)/float64(halfLife)) + 1
	sl.FailedAt = st.now
	sl.Retries = slices.DeleteFunc(sl.Retries, func(at int64) bool { return at <= st.now-retryWindow })
	if len(sl.Retries) >= maxRetries {
		sl.GivenUp = true
		st.logWorker("error", "giving up: the worker fails again and again", set, sl, &dead, "how", how, "starts", maxRetries)
		return
	}
	lvl := "debug"
	if len(sl.Retries) == 0 {
		lvl = "error"
	}
	sl.Retries = append(sl.Retries, st.now)
	pause := st.backoff(sl.Failures)
	sl.SpawnAt = st.now + pause
	st.logWorker(lvl, "worker failed, trying again", set, sl, &dead, "how", how, "pause", millis(pause))
}

// backoff returns the pause after that many failures: none after the first, then doubling with
// jitter between one half and the whole.
func (st *step) backoff(failures float64) int64 {
	n := int(math.Round(failures)) - 2
	if n < 0 {
		return 0
	}
	pause := min(backoffUnit<<min(n, 20), backoffMax)
	return pause/2 + int64(st.random()*float64(pause)/2)
}

// endSets ends the sets whose workers all ended for good, those that share their fate, and at last
// the program; while the program starts, a set that cannot be ready ends it too. It also forgets
// slots and sets that were removed.
func (st *step) endSets() (changed bool) {
	if st.Phase != Starting && st.Phase != Running {
		return false
	}
	for i := range st.Sets {
		set := &st.Sets[i]
		before := len(set.Slots)
		set.Slots = slices.DeleteFunc(set.Slots, func(sl Slot) bool { return sl.Removed && sl.empty() })
		changed = changed || len(set.Slots) != before
		if set.over() {
			st.endSet(set)
			changed = true
		}
		changed = st.drainEnded(set) || changed
		if st.Phase == Starting && set.unready() {
			st.stop(st.verdict())
			return true
		}
	}
	before := len(st.Sets)
	st.Sets = slices.DeleteFunc(st.Sets, func(set Set) bool { return set.Removing && len(set.Slots) == 0 })
	if st.allOver() {
		st.stop(st.verdict())
		return true
	}
	return changed || len(st.Sets) != before
}

// over reports whether no worker of the set is left or to come, for reasons of its own.
func (set *Set) over() bool {
	if set.Phase != Starting && set.Phase != Running || len(set.Slots) == 0 || set.Removing {
		return false
	}
	return !set.any(func(sl *Slot) bool { return !sl.empty() || !sl.Done && !sl.GivenUp })
}

// unready reports whether the set, or a worker of it, will not be ready any more.
func (set *Set) unready() bool {
	failed := set.Phase == Failed
	if failed && len(set.Slots) == 0 {
		return true // it ended with another before it began
	}
	return set.any(func(sl *Slot) bool { return sl.Awaited && !sl.Started && (failed || sl.GivenUp || sl.Failed) })
}

// endSet notes that a set is over and ends the sets that share its fate.
func (st *step) endSet(set *Set) {
	if set.any(func(sl *Slot) bool { return sl.GivenUp || sl.Failed }) {
		set.Phase = Failed
	} else {
		set.Phase, set.Reason = Stopped, "" // its troubles were made good
	}
	set.EndedIn = st.target()
	st.log(level(set.Phase == Stopped), "set has ended", "set", set.Spec.Name, "state", string(set.Phase), "reason", set.Reason)
	if set.Spec.Together == "" {
		return
	}
	for i := range st.Sets {
		other := &st.Sets[i]
		if other.Spec.Together == set.Spec.Together && (other.Phase == Starting || other.Phase == Running || other.Phase == Waiting) {
			st.log("warn", "set ends with the one it belongs to", "set", other.Spec.Name, "with", set.Spec.Name)
			other.Phase, other.Reason, other.EndedIn = set.Phase, "ended together with set "+set.Spec.Name, set.EndedIn
		}
	}
}

// drainEnded drains the workers of a set that ended with another one, after those of the sets that
// come after it and ended too.
func (st *step) drainEnded(set *Set) (changed bool) {
	if !set.ended() || st.needed(set) {
		return false
	}
	st.shut(set)
	for j := range set.Slots {
		sl := &set.Slots[j]
		sl.workers(func(w *Worker) {
			if !w.Asked {
				st.drain(set, sl, w, "stop", set.Spec.ShutdownTimeout)
				changed = true
			}
		})
	}
	return changed
}

// allOver reports whether something has ended for good and nothing is left that serves or will.
func (st *step) allOver() bool {
	ended := false
	for i := range st.Sets {
		set := &st.Sets[i]
		switch set.Phase {
		case Stopped, Failed:
			ended = true
			if !set.empty() {
				return false
			}
		case Waiting:
			return false
		default:
			if len(set.Slots) != 0 {
				return false
			}
		}
	}
	return ended
}

// verdict returns the exit code of a program that ends by itself, and why.
func (st *step) verdict() (code int, reason string, asked Event) {
	for i := range st.Sets {
		set := &st.Sets[i]
		if set.any(func(sl *Slot) bool { return sl.GivenUp }) {
			return 4, fmt.Sprintf("gave up on set %s: %s", set.Spec.Name, set.Reason), asked
		}
		if code == 0 && (set.Phase == Failed || set.any(func(sl *Slot) bool { return sl.Failed })) {
			code, reason = 1, fmt.Sprintf("set %s failed: %s", set.Spec.Name, set.Reason)
		}
	}
	return code, reason, asked
}

// lastWords says how a worker ended and what it said, for logs and status.
func lastWords(e Event, dead Worker) string {
	how := fmt.Sprintf("exit status %d", e.Code)
	switch {
	case e.Kind == EventSpawnFailed:
		return "not started: " + e.Text
	case e.Signal != "":
		how = "killed by " + e.Signal
	}
	if dead.Said != "" {
		return how + ": " + dead.Said
	}
	if asAsked := dead.Asked && e.Code == 0 && e.Signal == ""; e.Text != "" && !asAsked {
		return how + ": " + e.Text
	}
	return how
}

func level(good bool) string {
	if good {
		return "info"
	}
	return "error"
}
