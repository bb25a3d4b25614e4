// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import "fmt"

// A Trial is the time for which a worker of a reload must serve before its slot counts as brought to
// the new plan. Its predecessor, where there is one, serves beside it all that time.
type Trial struct {
	Until  int64 `json:"until,omitempty"`  // 0 is none
	Canary bool  `json:"canary,omitempty"` // its end is a verdict, not the time alone
}

// verdictLag is how long after the end of a canary's time its verdict must be there.
const verdictLag = 5 * second

// beginTrial puts a worker of a reload that has become ready on trial, if the plan asks for that.
func (st *step) beginTrial(set *Set, sl *Slot, w *Worker) (begun bool) {
	c := &st.Change
	if c.Verb != verbReload || !c.Prepared || w.Generation != c.Generation {
		return false
	}
	span := c.Plan.Settle
	sl.Trial.Canary = sl.Trial.Canary && w == &sl.Successor
	if sl.Trial.Canary {
		span = max(span, c.Plan.Canary)
		st.act(ActionJudge, set, sl, w).Nanos = span
		st.logWorker("info", "canary serves beside the old workers", set, sl, w, "for", millis(span))
		sl.Trial.Until = st.now + span + verdictLag
		return true
	}
	if span > 0 {
		sl.Trial.Until = st.now + span
	}
	return span > 0
}

// canary reports whether a slot that is to be rolled is the first of its set, and so is judged: it has
// an old worker to be compared with.
func (st *step) canary(set *Set, sl *Slot) bool {
	c := &st.Change
	if c.Verb != verbReload || c.Plan.Canary <= 0 || set.Spec.Roll == StopFirst || sl.Current.none() {
		return false
	}
	return !set.any(func(other *Slot) bool { return other.ID != sl.ID && other.Want == c.Generation && !other.Removed })
}

// judged ends the trial of a canary with a verdict: empty, or what is wrong with it.
func (st *step) judged(set *Set, sl *Slot, w *Worker, e Event) {
	if !sl.Trial.Canary || sl.Trial.Until == 0 || w.Phase != Ready || w != &sl.Successor && w != &sl.Current {
		return
	}
	if e.Text != "" {
		st.logWorker("error", "canary is worse than the old workers", set, sl, w, "how", e.Text)
		st.changeFailed(fmt.Sprintf("set %s, worker %d, canary: %s", set.Spec.Name, sl.ID, e.Text))
		return
	}
	st.logWorker("info", "canary is well", set, sl, w)
	st.endTrial(set, sl)
}

// endTrials ends every trial whose time has come.
func (st *step) endTrials() {
	for i := range st.Sets {
		set := &st.Sets[i]
		for j := range set.Slots {
			sl := &set.Slots[j]
			if sl.Trial.Until == 0 || sl.Trial.Until > st.now {
				continue
			}
			if set.ended() {
				sl.Trial = Trial{} // and its workers drain
				continue
			}
			if sl.Trial.Canary {
				st.changeFailed(fmt.Sprintf("set %s, worker %d, canary: there was no verdict in time", set.Spec.Name, sl.ID))
				return
			}
			st.endTrial(set, sl)
		}
	}
}

// endTrial lets a worker that has stood its trial take the place of its predecessor.
func (st *step) endTrial(set *Set, sl *Slot) {
	sl.Trial = Trial{}
	if sl.Successor.Phase == Ready {
		st.promote(set, sl)
	}
}

// inherit puts a successor that serves in the place of a worker that went before the trial was over.
// The trial goes on.
func (st *step) inherit(set *Set, sl *Slot) {
	if sl.Successor.Phase == Ready {
		st.promote(set, sl)
	}
}

// dropTrials forgets the trials of a change that is over.
func (st *step) dropTrials() {
	for i := range st.Sets {
		for j := range st.Sets[i].Slots {
			st.Sets[i].Slots[j].Trial = Trial{}
		}
	}
}

// onTrial reports whether the worker of that incarnation is the one that the slot tries.
func (sl *Slot) onTrial(incarnation uint64) bool {
	tried := &sl.Current
	if !sl.Successor.none() {
		tried = &sl.Successor
	}
	return sl.Trial.Until != 0 && tried.Incarnation == incarnation
}
