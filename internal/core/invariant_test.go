// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"github.com/mainstay-go/mainstay/internal/core"
)

// settled holds the state after a step against what is true of every state.
func (x *witness) settled() {
	s := &x.w.state
	if wake := s.Wake(); wake != 0 && wake <= x.w.now {
		x.failf("Wake is %s ago, which is a busy loop", span(x.w.now-wake))
	}
	there := 0
	seen := map[uint64]bool{}
	for _, w := range workersOf(s) {
		p := x.w.procs[w.Incarnation]
		switch {
		case seen[w.Incarnation]:
			x.failf("#%d is there twice", w.Incarnation)
		case p == nil || p.heard.gone:
			x.failf("#%d is in the state, but gone", w.Incarnation)
		}
		seen[w.Incarnation] = true
		x.ends(w)
	}
	for _, p := range x.w.procs {
		if !p.heard.gone {
			there++
		}
	}
	if there != len(seen) {
		x.failf("%d workers in the state, %d in the world", len(seen), there)
	}
	for i := range s.Sets {
		x.settledSet(&s.Sets[i])
	}
	for _, e := range x.asked {
		_, answered := x.answers[e.Request]
		if _, known := s.Progress(e.Request); known == answered && e.Request != 0 {
			x.failf("request %d: progress is known: %t, answered: %t", e.Request, known, answered)
		}
	}
	if len(s.Operations) > 16 {
		x.failf("%d operations are remembered", len(s.Operations))
	}
	if s.Phase == core.Stopped && (there > 0 || x.quit == nil || len(s.Settling)+len(s.Deferred) > 0 || s.Wake() != 0) {
		x.failf("stopped, but something is left")
	}
}

// ends holds a worker to having a way to its end, or to what it is to do.
func (x *witness) ends(w core.Worker) {
	p := x.w.procs[w.Incarnation]
	bounded := w.Deadline != 0
	switch w.Phase {
	case core.Spawning:
		bounded = true // it is answered
	case core.Booting, core.Beginning:
		bounded = bounded || p.endless
	case core.Ready:
		bounded = !w.Resetting || bounded || p.endless
	case core.Draining:
		bounded = bounded || w.NagAt != 0
	}
	if !bounded {
		x.failf("#%d is %s without an end", w.Incarnation, w.Phase)
	}
}

// settledSet holds the slots of a set against what is true of every slot between steps.
func (x *witness) settledSet(set *core.Set) {
	x.settledRoutes(set)
	s := &x.w.state
	running := s.Phase == core.Running || s.Phase == core.Starting
	for i := range set.Slots {
		sl := &set.Slots[i]
		current, successor := sl.Current.Incarnation != 0, sl.Successor.Incarnation != 0
		if i > 0 && set.Slots[i-1].ID >= sl.ID {
			x.failf("set %s: slot %d follows %d", set.Spec.Name, sl.ID, set.Slots[i-1].ID)
		}
		if sl.Removed && (current || successor) {
			x.failf("%s/%d is removed, but has a worker", set.Spec.Name, sl.ID)
		}
		for _, w := range sl.Leaving {
			if !w.Asked {
				x.failf("%s/%d: #%d leaves unasked", set.Spec.Name, sl.ID, w.Incarnation)
			}
		}
		if !running {
			continue
		}
		ended := set.Phase == core.Stopped || set.Phase == core.Failed // and drained in its turn
		if verb := s.Change.Verb; successor && !ended && verb != "reload" && verb != "return" {
			x.failf("%s/%d has a successor, but nothing changes", set.Spec.Name, sl.ID)
		}
		open := (set.Phase == core.Running || set.Phase == core.Starting) && !sl.Removed && !sl.Done && !sl.GivenUp
		if open && !current && !successor && sl.SpawnAt <= x.w.now && (set.Spec.Roll != core.StopFirst || len(sl.Leaving) == 0) {
			x.failf("%s/%d lacks a worker", set.Spec.Name, sl.ID)
		}
		if open && sl.Awaited && set.Phase == core.Running && s.Phase == core.Running && s.Change.Verb == "" {
			x.failf("%s/%d is awaited by nobody", set.Spec.Name, sl.ID)
		}
	}
}
