// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"fmt"
	"slices"
)

// A scale says how many workers a set is to have; what main said, as of its configuration, is kept
// beside it. It holds through reloads for as long as main says the same: who changes the number in the
// configuration means that number, whatever was said at run time before.

// scaled returns the plan in force with another number of workers.
func (st *step) scaled(e Event) (plan Plan, err string) {
	plan = st.Plan.clone()
	i := slices.IndexFunc(plan.Sets, func(spec SetSpec) bool { return spec.Name == e.Set })
	if e.Set == "" && len(plan.Sets) == 1 {
		i = 0
	}
	if i < 0 && e.Set == "" {
		return plan, fmt.Sprintf("set: %q: there are %d, name one", e.Set, len(plan.Sets))
	}
	if i < 0 {
		return plan, fmt.Sprintf("set: %q: no such set", e.Set)
	}
	spec := &plan.Sets[i]
	if st.set(spec.Name).ended() {
		return plan, fmt.Sprintf("set: %q: it has ended, a reload starts it again", spec.Name)
	}
	n := e.Count
	if e.Kind == EventMore {
		n = max(spec.Workers+e.Count, min(1, spec.Workers))
	}
	if n < 0 {
		return plan, fmt.Sprintf("workers: %d: want 0 or more", n)
	}
	spec.scale(n)
	return plan, ""
}

// scale gives a set another number of workers than main did.
func (spec *SetSpec) scale(n int) {
	if !spec.Scaled {
		spec.Configured = spec.Workers
	}
	spec.Workers, spec.Scaled = n, n != spec.Configured
	if !spec.Scaled {
		spec.Configured = 0
	}
}

// keepScaled returns the plan of a reload with the numbers of workers that hold through it.
func (st *step) keepScaled(plan Plan) Plan {
	plan = plan.clone()
	for i := range plan.Sets {
		spec := &plan.Sets[i]
		for _, old := range st.Plan.Sets {
			if old.Name == spec.Name && old.Scaled && old.Configured == spec.Workers {
				spec.scale(old.Workers)
			}
		}
	}
	return plan
}

// retry gives the slots of a set that were given up a fresh start: whoever scales has mended something.
// The answer waits for them.
func (st *step) retry(name string) {
	set := st.set(name)
	for j := range set.Slots {
		if sl := &set.Slots[j]; sl.GivenUp && sl.ID < set.Spec.Workers {
			sl.GivenUp, sl.Awaited, sl.Failures, sl.Retries, sl.SpawnAt = false, true, 0, nil, 0
		}
	}
}

// stays reports whether the plan in force has the slot.
func (st *step) stays(set *Set, sl *Slot) bool {
	return slices.ContainsFunc(st.Plan.Sets, func(spec SetSpec) bool {
		return spec.Name == set.Spec.Name && sl.ID < spec.Workers
	})
}

// unawaited leaves the slots that were there before a scale, which were given up and tried again, to
// the ordinary supervision: the scale has failed.
func (st *step) unawaited() {
	for i := range st.Sets {
		for j := range st.Sets[i].Slots {
			st.Sets[i].Slots[j].Awaited = false
		}
	}
}
