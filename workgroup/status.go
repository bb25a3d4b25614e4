// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup

import (
	"cmp"
	"slices"
	"time"
)

// A MemberStatus is one member as [Group.Status] shows it.
type MemberStatus struct {
	Name  string    `json:"name"`
	Kind  Kind      `json:"kind"`
	State State     `json:"state"`
	Since time.Time `json:"since"` // when it was queued, or began
}

// A Status is a group at one time.
type Status struct {
	Name     string         `json:"name"`
	Limit    int            `json:"limit"`
	Running  int            `json:"running"` // goroutines that hold a place
	Queued   int            `json:"queued"`
	Timers   int            `json:"timers"`
	Stopping bool           `json:"stopping"`
	Members  []MemberStatus `json:"members"` // the oldest first
	Errors   []string       `json:"errors"`
}

// Status returns what the group has at this time. What has ended is not in it.
func (g *Group) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{
		Name: g.name, Limit: g.Limit, Running: g.running, Queued: g.queue.Len(), Stopping: g.stopping,
		Members: []MemberStatus{}, Errors: []string{},
	}
	show := func(h *Handle) {
		if h.state != Ended {
			s.Members = append(s.Members, MemberStatus{h.name, h.kind, h.state, h.since})
			if h.kind != Goroutine {
				s.Timers++
			}
		}
	}
	for h := range g.timers {
		show(h)
	}
	for h := range g.work {
		show(h)
	}
	for e := g.queue.Front(); e != nil; e = e.Next() {
		show(e.Value.(*Handle))
	}
	slices.SortFunc(s.Members, func(a, b MemberStatus) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Name, b.Name))
	})
	for _, err := range g.errs {
		s.Errors = append(s.Errors, err.Error())
	}
	return s
}

// Inspect shows the group by kind, for the control socket: its [Status] as "workgroup".
func (g *Group) Inspect() map[string]any { return map[string]any{"workgroup": g.Status()} }
