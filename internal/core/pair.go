// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

// pair joins every worker that is replaced in the slot with the one that serves there from now on, so
// that they can hand over what they hold open. A worker may be joined again: the successor that it had
// so far has ended, or is being replaced itself. In a stop nobody gets anything: it ends too.
func (st *step) pair(set *Set, sl *Slot) {
	for i := range sl.Leaving {
		if w := &sl.Leaving[i]; w.Phase == Draining && w.Yields {
			st.pairWith(set, sl, w)
		}
	}
}

// pairWith joins one worker with the current one of its slot, if that serves.
func (st *step) pairWith(set *Set, sl *Slot, w *Worker) {
	if st.Phase != Stopping && sl.Current.Phase == Ready {
		st.act(ActionPair, set, sl, w).Heir = sl.Current.Incarnation
	}
}
