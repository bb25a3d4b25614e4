// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"cmp"
	"slices"
)

// Restart policies of a set: which ends of a worker are followed by a new one.
const (
	RestartAlways    = "always"
	RestartOnFailure = "on-failure"
	RestartNever     = "never"
)

// Roll policies of a set: how a worker is replaced.
const (
	StartFirst = "start-first"
	StopFirst  = "stop-first"
)

// A Plan is what a program says it wants to run.
type Plan struct {
	Mutate      bool      `json:"mutate,omitempty"` // a reload resets in place instead of replacing
	StopTimeout int64     `json:"stop_timeout"`     // nanoseconds for a graceful stop; negative is without end
	Settle      int64     `json:"settle,omitempty"` // nanoseconds that each worker of a reload must have served before the next is replaced
	Canary      int64     `json:"canary,omitempty"` // nanoseconds that the first of a set is compared with the old ones; 0 is not at all
	Sets        []SetSpec `json:"sets"`
}

// A SetSpec is one set of workers of a plan.
type SetSpec struct {
	Name            string   `json:"name"`
	Workers         int      `json:"workers"`
	After           []string `json:"after,omitempty"`
	Together        string   `json:"together,omitempty"`
	Restart         string   `json:"restart"`
	Roll            string   `json:"roll"`
	StartTimeout    int64    `json:"start_timeout"`    // nanoseconds; negative is without end
	ShutdownTimeout int64    `json:"shutdown_timeout"` // nanoseconds; negative is without end

	Scaled     bool `json:"scaled,omitempty"`     // Workers was said at run time
	Configured int  `json:"configured,omitempty"` // what main said instead, if Scaled
}

// A Phase is where the launcher or a set stands.
type Phase string

// The phases. A launcher goes from starting to running to stopping to stopped; a set may wait for
// others first, and is failed when it was given up.
const (
	Waiting  Phase = "waiting"
	Starting Phase = "starting"
	Running  Phase = "running"
	Stopping Phase = "stopping"
	Stopped  Phase = "stopped"
	Failed   Phase = "failed"
)

// State is all that a launcher knows. The zero value is a launcher that has not begun.
type State struct {
	Phase      Phase  `json:"phase"`
	Plan       Plan   `json:"plan"`       // in force
	Generation int    `json:"generation"` // of Plan
	Sets       []Set  `json:"sets"`
	Change     Change `json:"change"` // under way, if Verb is not empty

	Deferred []Event `json:"deferred,omitempty"` // requests that wait for the change under way
	Settling []Debt  `json:"settling,omitempty"` // answers that wait for replaced workers to be gone

	Stop      Stop   `json:"stop"`
	Announced bool   `json:"announced"` // readiness was told to the supervisor above
	Seed      uint64 `json:"seed"`      // of the jitter
	Spawned   uint64 `json:"spawned"`   // incarnations so far
	Planned   int    `json:"planned"`   // generations so far, refused ones too

	Operations []Operation `json:"operations,omitempty"` // the latest requests and what became of them
}

// Stop is how and why the launcher ends.
type Stop struct {
	Deadline int64    `json:"deadline,omitempty"`  // 0 is without end
	TermedAt int64    `json:"termed_at,omitempty"` // when TERM was seen: another one forces
	Forced   bool     `json:"forced,omitempty"`    // cancelled and killed at once
	Code     int      `json:"code"`
	Reason   string   `json:"reason,omitempty"`
	Since    int64    `json:"since,omitempty"`
	Cut      int      `json:"cut,omitempty"` // services and workers cut at a deadline
	Lost     int      `json:"lost,omitempty"`
	By       string   `json:"by,omitempty"`
	Requests []uint64 `json:"requests,omitempty"`
}

// A Set is the workers of one SetSpec.
type Set struct {
	Spec     SetSpec `json:"spec"`
	Phase    Phase   `json:"phase"`
	Reason   string  `json:"reason,omitempty"`   // of Failed, or of the last trouble
	EndedIn  int     `json:"ended_in,omitempty"` // generation in force, or coming, when it ended
	Removing bool    `json:"removing,omitempty"`
	Slots    []Slot  `json:"slots"`
	Routes   []Route `json:"routes,omitempty"`  // by number of slot
	Steered  bool    `json:"steered,omitempty"` // before that, every route is open
	Shut     bool    `json:"shut,omitempty"`    // nobody comes to it any more
}

// A Slot is a place for one worker, with a stable number.
type Slot struct {
	ID        int      `json:"id"`
	Want      int      `json:"want"` // generation to spawn
	Current   Worker   `json:"current"`
	Successor Worker   `json:"successor"`
	Leaving   []Worker `json:"leaving,omitempty"` // replaced, still draining

	SpawnAt  int64  `json:"spawn_at,omitempty"` // not before
	Awaited  bool   `json:"awaited,omitempty"`  // the start, or the change under way, waits for it to be ready
	Started  bool   `json:"started,omitempty"`  // its services had started, though it ended before it said so
	Done     bool   `json:"done,omitempty"`     // ended for good by restart policy
	Failed   bool   `json:"failed,omitempty"`   // done, but not well
	GivenUp  bool   `json:"given_up,omitempty"` // failed too often
	Removed  bool   `json:"removed,omitempty"`  // goes when its workers are gone
	Trial    Trial  `json:"trial,omitzero"`     // of the worker that a reload brought
	Restarts int    `json:"restarts,omitempty"`
	LastExit string `json:"last_exit,omitempty"`

	Failures float64 `json:"failures,omitempty"` // count that decays, as of FailedAt
	FailedAt int64   `json:"failed_at,omitempty"`
	Retries  []int64 `json:"retries,omitempty"` // when failed workers were started again, last minute
}

// A WorkerPhase is a step in the life of a worker process.
type WorkerPhase string

// The phases of a worker.
const (
	Spawning  WorkerPhase = "spawning"  // the process is being started
	Booting   WorkerPhase = "booting"   // main has not reached Launch
	Beginning WorkerPhase = "starting"  // its services start
	Ready     WorkerPhase = "running"   // its services serve
	Draining  WorkerPhase = "draining"  // told to drain, or draining by itself
	Ending    WorkerPhase = "ending"    // said good-bye, the process is to follow
	Cancelled WorkerPhase = "cancelled" // told to stop now
	Killed    WorkerPhase = "killed"    // sent SIGKILL
)

// A Worker is one worker process. Incarnation 0 is none.
type Worker struct {
	Incarnation uint64      `json:"incarnation,omitempty"`
	Generation  int         `json:"generation,omitempty"`
	Pid         int         `json:"pid,omitempty"`
	Phase       WorkerPhase `json:"phase,omitempty"`
	Since       int64       `json:"since,omitempty"` // of the phase
	SpawnedAt   int64       `json:"spawned_at,omitempty"`
	BootedAt    int64       `json:"booted_at,omitempty"` // main reached Launch
	ReadyAt     int64       `json:"ready_at,omitempty"`
	Deadline    int64       `json:"deadline,omitempty"` // of the phase, 0 is none
	NagAt       int64       `json:"nag_at,omitempty"`   // next log line about waiting
	Asked       bool        `json:"asked,omitempty"`    // its end is wanted
	Yields      bool        `json:"yields,omitempty"`   // it drains for another in its slot
	Resetting   bool        `json:"resetting,omitempty"`
	Hung        bool        `json:"hung,omitempty"` // it shows no sign of life
	Cut         int         `json:"cut,omitempty"`
	Said        string      `json:"said,omitempty"` // last words
}

// none reports whether there is no worker.
func (w *Worker) none() bool { return w.Incarnation == 0 }

// hears reports whether messages reach the worker: before its hello it is sent nothing but SIGKILL.
func (w *Worker) hears() bool {
	return w.Phase == Beginning || w.Phase == Ready || w.Phase == Draining
}

// A Change is a reload, mutate or scale under way.
type Change struct {
	Verb       string   `json:"verb,omitempty"` // reload, mutate, scale, return; empty is none
	From       string   `json:"from,omitempty"` // the verb that a return was asked for as
	Prepared   bool     `json:"prepared,omitempty"`
	Plan       Plan     `json:"plan"`
	Generation int      `json:"generation,omitempty"`
	Since      int64    `json:"since,omitempty"`
	By         string   `json:"by,omitempty"` // who asked for it
	Requests   []uint64 `json:"requests,omitempty"`
	Error      string   `json:"error,omitempty"`
	Replaced   []uint64 `json:"replaced,omitempty"` // incarnations told to drain
}

// A Debt is an answer owed once the workers that a change replaced are gone.
type Debt struct {
	Outcome  Outcome  `json:"outcome"`
	Since    int64    `json:"since"`
	By       string   `json:"by,omitempty"`
	Requests []uint64 `json:"requests,omitempty"`
	Left     []uint64 `json:"left,omitempty"`
}

// An Outcome is what became of a request.
type Outcome struct {
	Action     string `json:"action"` // reload, mutate, scale or stop
	Generation int    `json:"generation"`
	Nanos      int64  `json:"nanos"`
	Cut        int    `json:"cut"`            // services and workers cut at a deadline
	Lost       int    `json:"lost,omitempty"` // requests lost by the workers that it ended
	Error      string `json:"error,omitempty"`
}

// clone returns a copy that shares nothing with s.
func (s State) clone() State {
	s.Plan = s.Plan.clone()
	s.Change.Plan = s.Change.Plan.clone()
	s.Change.Requests = slices.Clone(s.Change.Requests)
	s.Change.Replaced = slices.Clone(s.Change.Replaced)
	s.Deferred = slices.Clone(s.Deferred)
	s.Stop.Requests = slices.Clone(s.Stop.Requests)
	s.Operations = slices.Clone(s.Operations)
	s.Settling = slices.Clone(s.Settling)
	for i := range s.Settling {
		s.Settling[i].Left = slices.Clone(s.Settling[i].Left)
	}
	s.Sets = slices.Clone(s.Sets)
	for i := range s.Sets {
		set := &s.Sets[i]
		set.Slots, set.Routes = slices.Clone(set.Slots), slices.Clone(set.Routes)
		for j := range set.Slots {
			sl := &set.Slots[j]
			sl.Leaving, sl.Retries = slices.Clone(sl.Leaving), slices.Clone(sl.Retries)
		}
	}
	return s
}

// clone copies the list of sets; the specs themselves are never written to.
func (p Plan) clone() Plan {
	p.Sets = slices.Clone(p.Sets)
	return p
}

// workers calls f for every worker of the slot: current, successor, leaving.
func (sl *Slot) workers(f func(w *Worker)) {
	if !sl.Current.none() {
		f(&sl.Current)
	}
	if !sl.Successor.none() {
		f(&sl.Successor)
	}
	for i := range sl.Leaving {
		f(&sl.Leaving[i])
	}
}

// empty reports whether no process is left in the slot.
func (sl *Slot) empty() bool {
	return sl.Current.none() && sl.Successor.none() && len(sl.Leaving) == 0
}

// each calls f for every worker there is.
func (s *State) each(f func(set *Set, sl *Slot, w *Worker)) {
	for i := range s.Sets {
		set := &s.Sets[i]
		for j := range set.Slots {
			sl := &set.Slots[j]
			sl.workers(func(w *Worker) { f(set, sl, w) })
		}
	}
}

// set returns the set of that name, nil without one.
func (s *State) set(name string) *Set {
	for i := range s.Sets {
		if s.Sets[i].Spec.Name == name {
			return &s.Sets[i]
		}
	}
	return nil
}

// slot returns the slot of that number, nil without one.
func (set *Set) slot(id int) *Slot {
	if i, ok := set.index(id); ok {
		return &set.Slots[i]
	}
	return nil
}

// renew makes the slot of that number anew, in its place by number. Former workers that still drain
// stay in it.
func (set *Set) renew(id, want int) {
	fresh := Slot{ID: id, Want: want, Awaited: true}
	i, ok := set.index(id)
	if ok {
		fresh.Leaving = set.Slots[i].Leaving
		set.Slots[i] = fresh
		return
	}
	set.Slots = slices.Insert(set.Slots, i, fresh)
}

// index returns where the slot of that number is, or would be, among the slots.
func (set *Set) index(id int) (int, bool) {
	return slices.BinarySearchFunc(set.Slots, id, func(sl Slot, id int) int { return cmp.Compare(sl.ID, id) })
}

// ended reports whether the set is over: only a reload starts it again.
func (set *Set) ended() bool { return set.Phase == Stopped || set.Phase == Failed }

// any reports whether f holds for a slot of the set.
func (set *Set) any(f func(sl *Slot) bool) bool {
	for i := range set.Slots {
		if f(&set.Slots[i]) {
			return true
		}
	}
	return false
}

// Wake returns the next moment at which a tick is due, 0 if none is.
func (s *State) Wake() int64 {
	next := int64(0)
	at := func(t int64) {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	s.each(func(_ *Set, _ *Slot, w *Worker) {
		at(w.Deadline)
		at(w.NagAt)
	})
	for i := range s.Sets {
		s.Sets[i].wakeRoutes(at)
		for j := range s.Sets[i].Slots {
			if s.wants(&s.Sets[i], &s.Sets[i].Slots[j]) {
				at(s.Sets[i].Slots[j].SpawnAt)
			}
			at(s.Sets[i].Slots[j].Trial.Until)
		}
	}
	if s.Phase == Stopping && !s.Stop.Forced {
		at(s.Stop.Deadline)
	}
	return next
}
