// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

// pair joins every worker that is replaced in the slot with the one that serves there from now on, so
// that they can hand over what they hold open. A worker may be joined again: the successor that it had
// so far has ended, or is being replaced itself. In a stop nobody gets anything: it ends too.
func (st *step) pair(set *Set, sl *Slot) {
	for i := range sl.Leaving {
		if w := &sl.Leaving[i]; w.Phase == Draining && w.Yields {
			st.pairWith(set, sl, w, &sl.Current)
		}
	}
}

// pairWith joins one worker with the current one of a slot, if that serves.
func (st *step) pairWith(set *Set, sl *Slot, w *Worker, heir *Worker) {
	if st.Phase != Stopping && heir.Phase == Ready {
		st.act(ActionPair, set, sl, w).Heir = heir.Incarnation
	}
}

// sibling returns the worker that takes over what one holds whose slot goes: each slot has another one,
// so that no sibling gets all. It is nil if none serves.
func (set *Set) sibling(sl *Slot) *Worker {
	var serve []*Worker
	for i := range set.Slots {
		other := &set.Slots[i]
		if other.ID < set.Spec.Workers && !other.Removed && other.Current.Phase == Ready {
			serve = append(serve, &other.Current)
		}
	}
	if len(serve) == 0 {
		return nil
	}
	return serve[sl.ID%len(serve)]
}
