// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"cmp"
	"slices"
)

const (
	settleQueue = 250 * millisecond // from steering away from a removed slot to closing its queue: a few round trips
	retryQueue  = 20 * millisecond  // between two looks whether a queue is empty
	maxTries    = 250               // looks, then the queue is closed as it is
)

// A Route is where new connections to a slot go. Each slot has a queue of its own where its address
// allows that; who takes the slot over takes over the queue. What is steered away from a slot is only
// what is to come: the queue itself is always served, by the worker of the slot, else by that of
// another, else by the first one to come.
type Route struct {
	Slot    int    `json:"slot"`
	Open    bool   `json:"open"`               // new connections come to it
	Server  uint64 `json:"server,omitempty"`   // worker of another slot that serves its queue too
	CloseAt int64  `json:"close_at,omitempty"` // when to look whether its queue can be closed: it was removed
	Tries   int    `json:"tries,omitempty"`    // looks so far
	Stale   bool   `json:"stale,omitempty"`    // the server may not know all of the queue
}

// steer brings the routes of all sets in line with what the workers can do.
func (st *step) steer() {
	for i := range st.Sets {
		set := &st.Sets[i]
		if set.Shut || set.Phase == Waiting {
			continue
		}
		if set.deserted() {
			st.shut(set)
			continue
		}
		set.addRoutes()
		st.closeRoutes(set)
		st.steerSet(set)
		for j := range set.Routes {
			st.serve(set, &set.Routes[j])
		}
	}
}

// deserted reports whether the set has had workers, and has none any more and none to come.
func (set *Set) deserted() bool {
	return len(set.Routes) > 0 && !set.any((*Slot).staffed) && set.empty()
}

// addRoutes makes the routes of slots that are new, or came back.
func (set *Set) addRoutes() {
	for j := range set.Slots {
		sl := &set.Slots[j]
		if sl.Removed {
			continue
		}
		i, ok := slices.BinarySearchFunc(set.Routes, sl.ID, func(r Route, id int) int { return cmp.Compare(r.Slot, id) })
		if !ok {
			set.Routes = slices.Insert(set.Routes, i, Route{Slot: sl.ID, Open: !set.Steered})
		}
		set.Routes[i].CloseAt, set.Routes[i].Tries = 0, 0
	}
}

// closeRoutes looks after the queues of slots that were removed: after a while in which handshakes under
// way complete, each is closed as soon as it is empty.
func (st *step) closeRoutes(set *Set) {
	for j := range set.Routes {
		r := &set.Routes[j]
		switch sl := set.slot(r.Slot); {
		case sl != nil && !sl.Removed:
		case !set.any((*Slot).staffed):
			r.CloseAt = 0 // there is nobody to send connections to instead: the set is to be shut
		case r.CloseAt == 0:
			r.CloseAt = st.now + settleQueue
		case r.CloseAt <= st.now:
			r.Tries++
			r.CloseAt = st.now + second // unless the answer comes
			force := 0
			if r.Tries >= maxTries {
				force = 1
			}
			st.out = append(st.out, Action{Kind: ActionRetire, Set: set.Spec.Name, Slot: r.Slot, Count: force})
		}
	}
}

// retired notes what became of closing a queue.
func (st *step) retired(e Event) {
	set := st.set(e.Set)
	if set == nil {
		return
	}
	i := slices.IndexFunc(set.Routes, func(r Route) bool { return r.Slot == e.Slot && r.CloseAt != 0 })
	switch {
	case i < 0: // the slot is back
	case e.Count > 0 && set.Routes[i].Tries < maxTries:
		set.Routes[i].CloseAt = st.now + retryQueue
	default:
		if e.Count > 0 {
			st.log("warn", "queue closed with connections in it", "set", e.Set, "worker", e.Slot, "lost", e.Count)
		}
		st.unserve(set, &set.Routes[i])
		set.Routes = slices.Delete(set.Routes, i, i+1)
	}
}

// steerSet has new connections come to the slots that are ready; while none is, to those that will be.
func (st *step) steerSet(set *Set) {
	ready := set.any((*Slot).ready)
	var open []int
	changed := false
	for _, r := range set.Routes {
		sl := set.slot(r.Slot)
		want := sl != nil && (sl.ready() || !ready && sl.staffed())
		changed = changed || want != r.Open
		if want {
			open = append(open, r.Slot)
		}
	}
	if !changed || len(open) == 0 { // with nobody to come it is all one
		return
	}
	set.Steered = true
	for j := range set.Routes {
		set.Routes[j].Open = slices.Contains(open, set.Routes[j].Slot)
	}
	st.out = append(st.out, Action{Kind: ActionSteer, Set: set.Spec.Name, Slots: open})
}

// staffed reports whether the slot has a worker for connections, or is to get one.
func (sl *Slot) staffed() bool { return !sl.Removed && !sl.Done && !sl.GivenUp }

// acceptor returns a worker of the slot that accepts, nil without one. A successor that is being tried
// does so beside the one that it is to follow.
func (sl *Slot) acceptor() *Worker {
	for _, w := range []*Worker{&sl.Current, &sl.Successor} {
		if w.Phase == Ready && !w.Hung {
			return w
		}
	}
	return nil
}

// ready reports whether a worker of the slot accepts.
func (sl *Slot) ready() bool { return sl.acceptor() != nil }

// serve sees to it that a queue has a server as long as its slot cannot serve it itself.
func (st *step) serve(set *Set, r *Route) {
	if sl := set.slot(r.Slot); sl != nil && !sl.Removed && sl.ready() {
		st.unserve(set, r)
		return
	}
	if r.Server == 0 || !set.any(func(sl *Slot) bool { return sl.ID != r.Slot && sl.ready() && sl.acceptor().Incarnation == r.Server }) {
		st.unserve(set, r)
		if r.Server = set.lightest(r.Slot); r.Server == 0 {
			return
		}
		r.Stale = true
	}
	if r.Stale {
		_, sl, w := st.find(r.Server)
		st.act(ActionOffer, set, sl, w).Slot = r.Slot
		r.Stale = false
	}
}

// lightest returns the worker that serves the fewest queues besides its own, of the slots but one; 0 is
// none.
func (set *Set) lightest(but int) (best uint64) {
	for j := range set.Slots {
		w := set.Slots[j].acceptor()
		if w == nil || set.Slots[j].ID == but {
			continue
		}
		if best == 0 || set.serves(w.Incarnation) < set.serves(best) {
			best = w.Incarnation
		}
	}
	return best
}

// serves returns how many queues of others a worker serves.
func (set *Set) serves(incarnation uint64) (n int) {
	for _, r := range set.Routes {
		if r.Server == incarnation {
			n++
		}
	}
	return n
}

// unserve takes a queue back from the worker of another slot. One that drains has given it up already.
func (st *step) unserve(set *Set, r *Route) {
	if _, sl, w := st.find(r.Server); w != nil && w.Phase == Ready {
		st.act(ActionRevoke, set, sl, w).Slot = r.Slot
	}
	r.Server = 0
}

// hung notes that a worker shows no sign of life, or does again. Others serve meanwhile; what becomes of
// it is decided elsewhere.
func (st *step) hung(set *Set, sl *Slot, w *Worker, hung bool) {
	if w.Hung == hung {
		return
	}
	w.Hung = hung
	if hung {
		next := "its connections wait, nobody else serves"
		if set.any(func(other *Slot) bool { return other.Current.Phase == Ready && !other.Current.Hung }) {
			next = "others serve its connections"
		}
		st.logWorker("warn", "worker shows no sign of life", set, sl, w, "next", next)
	} else {
		st.logWorker("info", "worker is alive again", set, sl, w)
	}
}

// offerAgain has the queue of a slot given out anew: the worker that is gone may have got sockets that
// nobody else was told of.
func (set *Set) offerAgain(slot int) {
	for j := range set.Routes {
		if r := &set.Routes[j]; r.Slot == slot {
			r.Stale = r.Server != 0
		}
	}
}

// shut has nobody come to a set any more. Its workers, told next, empty their queues and those that they
// serve for others.
func (st *step) shut(set *Set) {
	if set.Shut || set.Phase == Waiting {
		return
	}
	set.Shut, set.Steered, set.Routes = true, false, nil
	st.out = append(st.out, Action{Kind: ActionShut, Set: set.Spec.Name})
}

// wakeRoutes calls at for the moments at which routes are to be looked at.
func (set *Set) wakeRoutes(at func(int64)) {
	for _, r := range set.Routes {
		at(r.CloseAt)
	}
}
