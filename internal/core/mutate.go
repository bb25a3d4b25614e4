// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import "fmt"

// resetAll tells every worker that serves to take over the configuration of the new generation.
// Those that still start get it when they are ready.
func (st *step) resetAll() {
	for i := range st.Sets {
		set := &st.Sets[i]
		for j := range set.Slots {
			sl := &set.Slots[j]
			sl.Want = st.Change.Generation
			if sl.Current.Phase == Ready {
				st.reset(set, sl, &sl.Current)
			}
		}
	}
}

// reset tells one worker to take over the configuration that its slot wants.
func (st *step) reset(set *Set, sl *Slot, w *Worker) {
	w.Resetting = true
	if set.Spec.StartTimeout >= 0 {
		w.Deadline = st.now + max(set.Spec.StartTimeout, 1)
	}
	st.act(ActionReset, set, sl, w).Generation = sl.Want
}

// resetDone notes the answer of a worker that was told to reset. An answer that comes too late, to a
// reset before the last one, says nothing about the last one.
func (st *step) resetDone(set *Set, sl *Slot, w *Worker, e Event) {
	if !w.Resetting || e.Count != 0 && e.Count != sl.Want {
		return
	}
	w.Resetting = false
	if w.Phase == Ready {
		w.Deadline = 0
	}
	if e.Text == "" {
		w.Generation = sl.Want
		return
	}
	st.resetFailed(set, sl, w, e.Text)
}

// resetFailed notes that a worker did not take over the new configuration; it goes on with the old.
func (st *step) resetFailed(set *Set, sl *Slot, w *Worker, how string) {
	st.logWorker("error", "worker did not reset", set, sl, w, "how", how)
	if st.Change.Verb == verbMutate && st.Change.Error == "" {
		st.Change.Error = fmt.Sprintf("set %s, worker %d did not reset: %s", set.Spec.Name, sl.ID, how)
	}
}

// advanceReset ends a mutate when every worker has answered or is gone.
func (st *step) advanceReset() (changed bool) {
	waiting := false
	st.each(func(_ *Set, _ *Slot, w *Worker) { waiting = waiting || w.Resetting && w.Phase == Ready })
	if waiting {
		return false
	}
	st.Generation = st.Change.Generation
	st.out = append(st.out, Action{Kind: ActionCommit, Generation: st.Generation})
	st.finish()
	return true
}
