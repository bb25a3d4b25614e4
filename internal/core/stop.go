// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"cmp"
	"fmt"
	"slices"
)

const (
	killAfter = 1250 * millisecond // between the order to stop now and SIGKILL: a worker gives up by itself after 1 s
	nagEvery  = 30 * second
	echo      = 50 * millisecond // a second TERM within this is the first
)

// stop begins a graceful stop with the exit code and reason given, or joins the one under way. The event
// is what asked for it, if anything did.
func (st *step) stop(code int, reason string, asked Event) {
	if st.Phase == Stopped {
		out := Outcome{Action: "stop", Generation: st.Generation, Cut: st.Stop.Cut, Lost: st.Stop.Lost}
		st.reply(Operation{out, asked.By, st.now}, asked.Request)
		return
	}
	st.Stop.Requests, st.Stop.By = append(st.Stop.Requests, asked.Request), JoinBy(st.Stop.By, asked.By)
	if st.Phase == Stopping {
		return
	}
	st.Phase = Stopping
	st.Stop.Code, st.Stop.Reason, st.Stop.Since = code, reason, st.now
	if st.Plan.StopTimeout >= 0 {
		st.Stop.Deadline = st.now + max(st.Plan.StopTimeout, 1)
	}
	st.notify("stopping")
	st.out = append(st.out, Action{Kind: ActionHook, Text: "stopping"})
	if reason == "" {
		st.log("info", "stopping")
	} else {
		st.log("info", "stopping", "reason", reason)
	}
	st.dropChange()
}

// term notes a TERM. The second one forces, unless it is an echo of the first: timeout(1), for one,
// signals its child and then the group that the child is in.
func (st *step) term() {
	switch {
	case st.Phase != Stopping:
	case st.Stop.TermedAt == 0:
		st.Stop.TermedAt = max(st.now, 1)
	case st.now-st.Stop.TermedAt >= echo:
		st.force("second request to stop")
	}
}

// dropChange ends the change under way and refuses those that wait.
func (st *step) dropChange() {
	const why = "the program is stopping"
	if c := st.Change; c.Verb != "" {
		if !c.Prepared {
			st.out = append(st.out, Action{Kind: ActionDrop, Generation: c.Generation})
		}
		failure := Outcome{Action: c.asked(), Generation: st.Generation, Error: cmp.Or(c.Error, why)}
		st.reply(Operation{failure, c.By, c.Since}, c.Requests...)
	}
	for _, d := range st.Deferred {
		st.reply(st.refusal(d, why), d.Request)
	}
	st.Change, st.Deferred = Change{}, nil
	st.dropTrials()
}

// advanceStop drains the sets in reverse order of their start, and quits when nobody is left.
func (st *step) advanceStop() (changed bool) {
	if st.Phase != Stopping {
		return false
	}
	left := false
	for i := range st.Sets {
		set := &st.Sets[i]
		if !set.empty() {
			left = true
		}
		if set.Phase != Stopping && !st.needed(set) {
			st.shut(set)
			set.Phase = Stopping
			st.drainSet(set, "stop", set.Spec.ShutdownTimeout)
			changed = true
		}
	}
	if !left {
		st.quit()
	}
	return changed
}

// needed reports whether a set that comes after this one, and is to end too, still has workers.
func (st *step) needed(set *Set) bool {
	return slices.ContainsFunc(st.Sets, func(other Set) bool {
		ends := st.Phase == Stopping || other.ended()
		return ends && slices.Contains(other.Spec.After, set.Spec.Name) && !other.empty()
	})
}

// empty reports whether no process of the set is left.
func (set *Set) empty() bool {
	return !set.any(func(sl *Slot) bool { return !sl.empty() })
}

// quit ends the launcher.
func (st *step) quit() {
	st.Phase = Stopped
	if st.Stop.Code == 0 && st.Stop.Cut > 0 {
		st.Stop.Code, st.Stop.Reason = 3, "work was cut: "+cmp.Or(st.Stop.Reason, "shutdown timeout of a set exceeded")
	}
	out := Outcome{Action: "stop", Generation: st.Generation, Nanos: st.now - st.Stop.Since, Cut: st.Stop.Cut, Lost: st.Stop.Lost}
	st.reply(Operation{out, st.Stop.By, st.Stop.Since}, st.Stop.Requests...)
	st.log("info", "stopped", "code", st.Stop.Code, "cut", st.Stop.Cut, "millis", millis(out.Nanos))
	st.out = append(st.out, Action{Kind: ActionQuit, Code: st.Stop.Code, Text: st.Stop.Reason})
}

// drainSet drains every worker of a set.
func (st *step) drainSet(set *Set, reason string, timeout int64) {
	for j := range set.Slots {
		sl := &set.Slots[j]
		sl.workers(func(w *Worker) { st.drain(set, sl, w, reason, timeout) })
	}
}

// drain tells a worker to drain within the timeout, and within the time left of a stop. A worker that
// cannot hear yet has nothing to drain and is killed. One that drains already may only get less time.
func (st *step) drain(set *Set, sl *Slot, w *Worker, reason string, timeout int64) {
	if st.Phase == Stopping && st.Stop.Deadline != 0 {
		if left := max(st.Stop.Deadline-st.now, 1); timeout < 0 || left < timeout {
			timeout = left
		}
	}
	deadline := int64(0)
	if timeout >= 0 {
		deadline = st.now + max(timeout, 1)
	}
	w.Asked = true
	switch {
	case w.Phase == Booting:
		st.killWorker(set, sl, w)
	case w.Phase == Draining && (deadline == 0 || w.Deadline != 0 && w.Deadline <= deadline):
	case w.hears():
		if w.Phase != Draining {
			w.enter(Draining, st.now)
			w.NagAt = st.now + nagEvery
		}
		w.Deadline, w.Resetting, w.Yields = deadline, false, reason == "replace"
		a := st.act(ActionDrain, set, sl, w)
		a.Reason, a.Nanos = reason, timeout
	}
}

// leaving notes that a worker drains by itself, as somebody sent it TERM. Another takes its place if
// the policy of the set allows; a successor that goes ends its change.
func (st *step) leaving(set *Set, sl *Slot, w *Worker) {
	if w.Phase != Beginning && w.Phase != Ready {
		return
	}
	st.logWorker("info", "worker was told to end by a signal", set, sl, w)
	w.enter(Draining, st.now)
	w.Asked, w.Resetting, w.Yields, w.NagAt, w.Deadline = true, false, true, st.now+nagEvery, 0
	spec := st.spec(set, w)
	if spec.ShutdownTimeout >= 0 {
		w.Deadline = st.now + max(spec.ShutdownTimeout, 1)
	}
	left, tried := *w, sl.onTrial(w.Incarnation)
	sl.remove(left.Incarnation)
	sl.Leaving = append(sl.Leaving, left)
	const why = "told to end by a signal before it was ready"
	switch {
	case w == &sl.Successor && st.Phase == Running && !set.ended():
		reason := why
		if tried {
			reason = "told to end by a signal before it had settled"
		}
		st.changeFailed(fmt.Sprintf("set %s, worker %d: %s", set.Spec.Name, sl.ID, reason))
	case w == &sl.Current && !sl.Successor.none():
		st.inherit(set, sl)
	case w == &sl.Current && sl.Successor.none() && spec.Restart == RestartNever:
		sl.Done, sl.Failed = true, sl.Awaited
		if sl.Failed {
			set.Reason = why
		}
		sl.Trial = Trial{}
	case tried:
		sl.Trial, sl.Awaited = Trial{}, true // the one that follows is tried instead
	}
}

// escalate takes the next step with a worker whose deadline has come.
func (st *step) escalate(set *Set, sl *Slot, w *Worker) {
	switch w.Phase {
	case Ready:
		w.Deadline = 0
		if w.Resetting {
			w.Resetting = false
			st.resetFailed(set, sl, w, "no answer in time")
		}
	case Draining:
		st.logWorker("warn", "worker did not drain in time, cancelling", set, sl, w, "waited", millis(st.now-w.Since))
		w.Cut = max(w.Cut, 1)
		st.cancel(set, sl, w)
	case Killed:
		w.Deadline = st.now + nagEvery
		st.logWorker("error", "killed worker is not gone", set, sl, w)
	default:
		if w.Said == "" {
			w.Said = overdue[w.Phase]
		}
		if w.Phase == Cancelled {
			w.Cut = max(w.Cut, 1)
		}
		st.logWorker("warn", "killing worker", set, sl, w, "reason", w.Said)
		st.killWorker(set, sl, w)
	}
}

// overdue says what a worker failed to do in time, by phase.
var overdue = map[WorkerPhase]string{
	Booting:   "main did not reach Launch in time",
	Beginning: "not ready in time",
	Ending:    "the process did not end in time",
	Cancelled: "did not stop when told to stop now",
}

// nag names who is waited for.
func (st *step) nag(set *Set, sl *Slot, w *Worker) {
	if w.Phase == Booting {
		w.NagAt = 0
		st.logWorker("warn", "main of the worker has not reached Launch yet", set, sl, w, "waited", millis(st.now-w.SpawnedAt))
		return
	}
	w.NagAt = st.now + nagEvery
	st.logWorker("info", "waiting for worker to drain", set, sl, w, "waited", millis(st.now-w.Since))
}

// cancel tells a worker to stop now, and gives it a moment.
func (st *step) cancel(set *Set, sl *Slot, w *Worker) {
	st.act(ActionCancel, set, sl, w)
	w.enter(Cancelled, st.now)
	w.Deadline, w.NagAt, w.Asked = st.now+killAfter, 0, true
}

// killWorker sends SIGKILL; a process that is only being started gets it once it has a pid.
func (st *step) killWorker(set *Set, sl *Slot, w *Worker) {
	if w.Phase == Spawning {
		w.Asked = true
		return
	}
	st.act(ActionKill, set, sl, w)
	w.enter(Killed, st.now)
	w.Deadline, w.NagAt = st.now+nagEvery, 0
}

// force ends the waiting of a graceful stop: everybody stops now.
func (st *step) force(reason string) {
	if st.Stop.Forced {
		return
	}
	st.Stop.Forced, st.Stop.Reason = true, cmp.Or(st.Stop.Reason, reason)
	st.log("warn", "stopping now", "reason", reason)
	st.shutAll()
	st.each(func(set *Set, sl *Slot, w *Worker) {
		switch {
		case w.hears():
			w.Cut = max(w.Cut, 1)
			st.cancel(set, sl, w)
		case w.Phase != Cancelled && w.Phase != Killed:
			w.Asked = true
			st.killWorker(set, sl, w)
		}
	})
}

// kill ends everything at once, with exit code 1.
func (st *step) kill(asked Event) {
	st.stop(1, "interrupted", asked)
	if st.Phase == Stopped {
		return
	}
	st.Stop.Code, st.Stop.Reason, st.Stop.Forced = 1, "interrupted", true
	st.shutAll()
	st.each(func(set *Set, sl *Slot, w *Worker) {
		w.Asked = true
		if w.Phase != Killed {
			st.killWorker(set, sl, w)
		}
	})
}

// shutAll ends the wait of sets for each other.
func (st *step) shutAll() {
	for i := range st.Sets {
		st.shut(&st.Sets[i])
		st.Sets[i].Phase = Stopping
	}
}
