// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import "slices"

// The steps of a request on its way to an answer.
const (
	StepWaiting   = "waiting"   // for the change under way
	StepPreparing = "preparing" // the plan is made
	StepRolling   = "rolling"   // set by set, slot by slot
	StepReturning = "returning" // it has failed: back to the plan in force
	StepDraining  = "draining"  // all is in place; those replaced drain
	StepStopping  = "stopping"
)

// Progress is how far a request has come.
type Progress struct {
	Action     string
	Step       string
	Generation int // it leads to
	Sets       []SetProgress
}

// SetProgress is how far a request has come with one set.
type SetProgress struct {
	Set     string
	Ready   int // workers as they are to be
	Workers int // wanted
	Leaving int // that are to go and have not gone yet
}

// Progress returns how far a request has come, false if it is answered or there is none of that number.
func (s *State) Progress(request uint64) (Progress, bool) {
	if c := &s.Change; c.Verb != "" && slices.Contains(c.Requests, request) {
		p := Progress{Action: c.asked(), Step: StepRolling, Generation: c.Generation}
		switch {
		case !c.Prepared:
			p.Step = StepPreparing
			return p, true
		case c.Verb == verbReturn:
			p.Step = StepReturning
		}
		p.Sets = s.setProgress(c.Generation)
		return p, true
	}
	for _, d := range s.Settling {
		if slices.Contains(d.Requests, request) {
			return Progress{d.Outcome.Action, StepDraining, d.Outcome.Generation, s.setProgress(d.Outcome.Generation)}, true
		}
	}
	if slices.Contains(s.Stop.Requests, request) && s.Phase == Stopping {
		return Progress{"stop", StepStopping, s.Generation, s.setProgress(s.Generation)}, true
	}
	for _, e := range s.Deferred {
		if e.Request == request {
			return Progress{Action: e.verb(), Step: StepWaiting, Generation: s.Generation}, true
		}
	}
	return Progress{}, false
}

// setProgress returns how far each set is with a generation.
func (s *State) setProgress(generation int) (all []SetProgress) {
	for i := range s.Sets {
		set := &s.Sets[i]
		p := SetProgress{Set: set.Spec.Name, Workers: set.Spec.Workers}
		if s.Phase == Stopping {
			p.Workers = 0
		}
		for j := range set.Slots {
			set.Slots[j].workers(func(w *Worker) {
				switch {
				case w.Asked:
					p.Leaving++
				case w.Phase == Ready && w.Generation == generation && !w.Resetting && s.Phase != Stopping:
					p.Ready++
				case s.Phase == Stopping:
					p.Leaving++ // in its turn
				}
			})
		}
		all = append(all, p)
	}
	return all
}
