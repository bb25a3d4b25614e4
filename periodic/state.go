// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"cmp"
	"slices"
	"time"
)

// A State is what there is to know of a task: for people, as "mainstay tasks" prints it, and for
// metrics.
type State struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule"` // "every 1m0s", or the calendar
	Scope    string `json:"scope"`    // worker, host, cluster

	// State is waiting, running, standby (another process has its lease), disabled, external (left to
	// another process), done (its calendar has no more dates) or stopped (nobody serves).
	State string `json:"state"`

	Running       int       `json:"running"`                  // runs under way
	RunningMillis int64     `json:"running_millis,omitempty"` // since the last of them began
	Queued        int       `json:"queued,omitempty"`         // runs that wait for the one before, or for their turn
	LastStart     time.Time `json:"last_start,omitzero"`      // of the last run
	LastMillis    int64     `json:"last_millis"`              // duration of the last one that ended
	LastError     string    `json:"last_error,omitempty"`     // its error, empty if it had none
	Next          time.Time `json:"next,omitzero"`            // when the next run is due, zero if none is
	Runs          uint64    `json:"runs"`                     // begun
	Failures      uint64    `json:"failures"`                 // of those that ended
	Skipped       uint64    `json:"skipped"`                  // left out because one still ran
	Missed        uint64    `json:"missed"`                   // left out because their time passed in sleep
	Late          uint64    `json:"late"`                     // begun a second or half an interval late
	Lease         string    `json:"lease,omitempty"`          // its name
	Token         int64     `json:"token,omitempty"`          // while this process holds the lease
	Holder        string    `json:"holder,omitempty"`         // who else holds it
	LeaseError    string    `json:"lease_error,omitempty"`    // why it is not kept
}

// States returns the state of all tasks, in the order in which they were added.
func (s *Scheduler) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]*entry, 0, len(s.tasks))
	for _, e := range s.tasks {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	now, wall := s.now()
	states := make([]State, len(entries))
	for i, e := range entries {
		states[i] = s.stateLocked(e, now, wall)
	}
	return states
}

// Inspect returns what a control socket shows: States, as "tasks".
func (s *Scheduler) Inspect() map[string]any { return map[string]any{"tasks": s.States()} }

func (s *Scheduler) stateLocked(e *entry, now, wall int64) State {
	st := State{Name: e.task.Name, Scope: e.task.Scope.String(), Schedule: "every " + e.task.Every.String()}
	if e.task.Schedule != nil {
		st.Schedule = describe(e.task.Schedule)
	}
	if e.due != parked {
		st.Next = time.Unix(0, wall+e.due-now)
		if e.task.Schedule != nil && e.task.Jitter <= 0 {
			st.Next = time.Unix(0, e.at)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	st.Running, st.Queued = int(e.running), int(e.pending)
	if e.start != 0 {
		st.LastStart = time.Unix(0, e.start)
	}
	if e.running > 0 {
		st.RunningMillis = (wall - e.start) / int64(time.Millisecond)
	}
	st.LastMillis = e.took.Milliseconds()
	if e.err != nil {
		st.LastError = e.err.Error()
	}
	st.Runs, st.Failures, st.Skipped, st.Missed, st.Late = e.runs, e.failures, e.skipped, e.missed, e.late
	if e.hold != nil {
		e.hold.stateLocked(&st)
	}
	st.State = s.wordLocked(e)
	return st
}

func (s *Scheduler) wordLocked(e *entry) string {
	switch {
	case e.running > 0:
		return "running"
	case e.task.Disabled || s.opts.Disabled:
		return "disabled"
	case !e.runnable(&s.opts):
		return "external"
	case !s.armed:
		return "stopped"
	case e.hold != nil && !e.hold.held:
		return "standby"
	case e.due == parked:
		return "done"
	}
	return "waiting"
}

func (h *hold) stateLocked(st *State) {
	st.Lease = h.name
	if h.err != nil {
		st.LeaseError = h.err.Error()
	}
	if h.held {
		st.Token = h.token
	} else {
		st.Holder = h.other
	}
}
