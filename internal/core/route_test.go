// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"slices"

	"github.com/mainstay-go/mainstay/internal/core"
)

// A traffic is where connections to a set go, as the actions have it.
type traffic struct {
	open    map[int]bool // nil is every slot
	servers map[int]uint64
	shut    bool
}

// route notes what an action does to the traffic of its set, and holds it against the world.
func (x *witness) route(a core.Action) {
	tr := x.traffic[a.Set]
	if tr == nil || a.Kind == core.ActionSpawn && tr.shut {
		tr = &traffic{servers: map[int]uint64{}}
		x.traffic[a.Set] = tr
	}
	switch a.Kind {
	case core.ActionSpawn, core.ActionCancel, core.ActionKill, core.ActionReset:
		return
	case core.ActionDrain:
		if a.Reason == "stop" && !tr.shut {
			x.failf("%s: connections still come to it", showAction(a))
		}
		return
	}
	if tr.shut && a.Kind != core.ActionShut { // again, where a slot was to come back and did not
		x.failf("%s: the set is shut", showAction(a))
	}
	switch a.Kind {
	case core.ActionShut:
		tr.shut = true
	case core.ActionSteer:
		tr.open = map[int]bool{}
		for _, id := range a.Slots {
			tr.open[id] = true
		}
		if len(tr.open) == 0 {
			x.failf("%s, which is nobody", showAction(a))
		}
	case core.ActionOffer:
		p := x.w.procs[a.Incarnation]
		if p.set != a.Set || p.slot == a.Slot || !p.heard.ready || p.heard.gone || p.told || p.heard.leaving {
			x.failf("%s: it cannot serve that", showAction(a))
		}
		tr.servers[a.Slot] = a.Incarnation
	case core.ActionRevoke:
		if tr.servers[a.Slot] != a.Incarnation {
			x.failf("%s: it does not serve that", showAction(a))
		}
		delete(tr.servers, a.Slot)
	case core.ActionRetire:
		if tr.open == nil || tr.open[a.Slot] {
			x.failf("%s: connections still come to it", showAction(a))
		}
	}
}

// settledRoutes holds the traffic of a set against who can serve: nobody is sent to a slot that cannot
// while another can, and every queue has somebody.
func (x *witness) settledRoutes(set *core.Set) {
	tr := x.traffic[set.Spec.Name]
	if tr == nil || tr.shut || set.Shut || set.Phase == core.Waiting {
		return
	}
	ready := map[int]uint64{}
	for _, sl := range set.Slots {
		for _, w := range []core.Worker{sl.Successor, sl.Current} {
			if w.Phase == core.Ready && !w.Hung {
				ready[sl.ID] = w.Incarnation
			}
		}
	}
	if len(ready) == 0 {
		return // they wait for the first one to come
	}
	for _, sl := range set.Slots {
		if sl.Removed && tr.open == nil {
			continue // its sockets went when the set was shut, and it has come back since
		}
		if open := tr.open == nil || tr.open[sl.ID]; open != (ready[sl.ID] != 0) {
			x.failf("%s/%d is open to new connections: %v, want %v", set.Spec.Name, sl.ID, open, !open)
		}
	}
	for _, r := range set.Routes {
		server := tr.servers[r.Slot]
		others := len(ready)
		if ready[r.Slot] != 0 {
			others--
		}
		switch serves := slices.Contains(valuesOf(ready), server); {
		case ready[r.Slot] != 0 && serves && server != 0:
			x.failf("%s/%d serves its queue, and so does #%d", set.Spec.Name, r.Slot, server)
		case ready[r.Slot] == 0 && others > 0 && !serves:
			x.failf("nobody serves the queue of %s/%d", set.Spec.Name, r.Slot)
		}
	}
}

func valuesOf(m map[int]uint64) (all []uint64) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// retire answers whether the queue of a slot was empty.
func (w *world) retire(a core.Action) {
	left := 0
	if w.chance(3) {
		left = 1 + w.rng.IntN(5)
	}
	w.in(w.between(0, 3*1e6), func() {
		w.deliver(core.Event{Kind: core.EventRetired, Set: a.Set, Slot: a.Slot, Count: left})
	})
}
