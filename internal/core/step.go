// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import "slices"

const (
	second      = int64(1e9)
	millisecond = int64(1e6)
)

// step is one call of Step: the state being made, the time, and the actions so far.
type step struct {
	State
	now int64
	out []Action
}

// Step returns the state after e and the actions to perform, in order. It leaves s as it was.
func Step(s State, e Event) (State, []Action) {
	st := &step{State: s.clone(), now: e.At}
	if e.Incarnation != 0 {
		st.worker(e)
	} else {
		st.command(e)
	}
	st.timers()
	for st.endSets() || st.startSets() || st.spawnDue() || st.advance() || st.advanceStop() {
	}
	st.steer()
	return st.State, st.out
}

// command handles an event that concerns the launcher as a whole.
func (st *step) command(e Event) {
	switch e.Kind {
	case EventBegin:
		st.begin(e)
	case EventTerm:
		st.stop(0, "", e)
		st.term()
	case EventStop:
		st.stop(0, "", e)
	case EventKill:
		st.kill(e)
	case EventReload, EventScale, EventMore:
		st.request(e)
	case EventPrepared:
		st.prepared(e)
	case EventRefused:
		st.refused(e)
	case EventRetired:
		st.retired(e)
	}
}

// worker handles an event of one worker. This is the one place where events of an incarnation that
// is gone are dropped.
func (st *step) worker(e Event) {
	set, sl, w := st.find(e.Incarnation)
	if w == nil {
		return
	}
	switch e.Kind {
	case EventSpawned:
		st.spawned(set, sl, w, e)
	case EventHello:
		if w.Phase == Booting {
			w.enter(Beginning, st.now)
			w.BootedAt, w.NagAt = st.now, 0
		}
	case EventReady:
		st.ready(set, sl, w)
	case EventStartFailed, EventBye:
		st.goodbye(w, e)
	case EventLeaving:
		st.leaving(set, sl, w)
	case EventDrained:
		w.Cut = max(w.Cut, e.Count)
	case EventReset:
		st.resetDone(set, sl, w, e)
	case EventJudged:
		st.judged(set, sl, w, e)
	case EventHung:
		st.hung(set, sl, w, e.Count != 0)
	case EventEOF:
		st.expectExit(w, 2*second)
	case EventExit, EventSpawnFailed:
		st.ended(set, sl, *w, e)
	}
}

// find returns where the worker of that incarnation is, nil if it is gone.
func (s *State) find(incarnation uint64) (set *Set, sl *Slot, w *Worker) {
	s.each(func(aSet *Set, aSlot *Slot, aWorker *Worker) {
		if aWorker.Incarnation == incarnation {
			set, sl, w = aSet, aSlot, aWorker
		}
	})
	return set, sl, w
}

// enter puts the worker into a phase.
func (w *Worker) enter(p WorkerPhase, now int64) { w.Phase, w.Since = p, now }

// goodbye notes the last words of a worker, whose process should end now.
func (st *step) goodbye(w *Worker, e Event) {
	if e.Text != "" {
		w.Said = e.Text
	}
	if w.Phase == Cancelled || w.Phase == Killed {
		return
	}
	w.enter(Ending, st.now)
	st.expectExit(w, 5*second)
}

// expectExit gives a process that has no more to do a time to be gone.
func (st *step) expectExit(w *Worker, within int64) {
	if w.Phase == Cancelled || w.Phase == Killed {
		return
	}
	if w.Phase != Ending {
		w.enter(Ending, st.now)
	}
	if end := st.now + within; w.Deadline == 0 || end < w.Deadline {
		w.Deadline = end
	}
	w.NagAt = 0
}

// act adds an action on a worker.
func (st *step) act(kind ActionKind, set *Set, sl *Slot, w *Worker) *Action {
	st.out = append(st.out, Action{Kind: kind, Set: set.Spec.Name, Slot: sl.ID, Incarnation: w.Incarnation, Pid: w.Pid, Generation: w.Generation})
	return &st.out[len(st.out)-1]
}

// log adds a log line; attrs are keys and values in turn.
func (st *step) log(level, text string, attrs ...any) {
	st.out = append(st.out, Action{Kind: ActionLog, Level: level, Text: text, Attrs: attrs})
}

// logWorker adds a log line about a worker.
func (st *step) logWorker(level, text string, set *Set, sl *Slot, w *Worker, attrs ...any) {
	who := []any{"set", set.Spec.Name, "worker", sl.ID, "pid", w.Pid, "generation", w.Generation}
	st.log(level, text, append(who, attrs...)...)
}

// notify tells the supervisor above.
func (st *step) notify(text string) {
	st.out = append(st.out, Action{Kind: ActionNotify, Text: text})
}

// remove takes the worker of that incarnation out of its slot.
func (sl *Slot) remove(incarnation uint64) {
	switch incarnation {
	case sl.Current.Incarnation:
		sl.Current = Worker{}
	case sl.Successor.Incarnation:
		sl.Successor = Worker{}
	default:
		sl.Leaving = slices.DeleteFunc(sl.Leaving, func(w Worker) bool { return w.Incarnation == incarnation })
	}
}

// timers acts on every deadline that has come.
func (st *step) timers() {
	st.each(func(set *Set, sl *Slot, w *Worker) {
		if w.NagAt != 0 && w.NagAt <= st.now {
			st.nag(set, sl, w)
		}
		if w.Deadline != 0 && w.Deadline <= st.now {
			st.escalate(set, sl, w)
		}
	})
	st.endTrials()
	if st.Phase == Stopping && !st.Stop.Forced && st.Stop.Deadline != 0 && st.Stop.Deadline <= st.now {
		st.force("graceful shutdown timeout exceeded")
	}
}

// random returns the next number of the seeded sequence, at least 0 and below 1 (splitmix64).
func (st *step) random() float64 {
	st.Seed += 0x9e3779b97f4a7c15
	z := st.Seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}
