// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// steer has new connections of a set come to some of its slots.
func (s *shell) steer(a core.Action) {
	if err := proc.Self().Table().Steer(a.Set, a.Slots); err != nil {
		s.journal.log(levels["error"], "connections not steered", "set", a.Set, "workers", a.Slots, "error", err)
	}
}

// offer has a worker serve the queues of another slot too.
func (s *shell) offer(a core.Action) {
	queues, err := proc.Self().Table().Queues(proc.Place{Set: a.Set, Slot: a.Slot})
	if err != nil {
		s.journal.log(levels["error"], "queue not offered", "set", a.Set, "worker", a.Slot, "error", err)
	}
	for _, q := range queues {
		s.send(a, wire.Message{Type: wire.Offer, Name: q.Key, Addr: q.Addr, Slot: a.Slot, Own: q.Own}, q.FD)
		closeAll([]int{q.FD})
	}
}

// revoke ends what offer began.
func (s *shell) revoke(a core.Action) {
	s.send(a, wire.Message{Type: wire.Revoke, Slot: a.Slot})
}

// retire closes the queues of a slot that was removed, if they are empty.
func (s *shell) retire(a core.Action) {
	left, err := proc.Self().Table().Retire(proc.Place{Set: a.Set, Slot: a.Slot}, a.Count != 0)
	if err != nil {
		s.journal.log(levels["error"], "queue not closed", "set", a.Set, "worker", a.Slot, "error", err)
	}
	if a.Count != 0 { // closed whatever is in it
		s.mu.Lock()
		s.ledger.lost[scoreboard.QueueLeft] += uint64(left)
		s.mu.Unlock()
	}
	s.work.Go(func() {
		s.post(core.Event{Kind: core.EventRetired, Set: a.Set, Slot: a.Slot, Count: left})
	})
}

// shut gives up the sockets of a set whose workers are to end, or have. They have descriptors of their
// own and empty the queues before they close the last of them; held any longer, the launcher's would
// take connections that nobody serves.
func (s *shell) shut(a core.Action) {
	if err := proc.Self().Table().Leave(a.Set); err != nil {
		s.journal.log(levels["error"], "listeners not closed", "set", a.Set, "error", err)
	}
}

// Workers beat once a second, see beatEvery; one that has missed two beats gets no new connections.
const (
	listenEvery = time.Second
	silentAfter = 3*beatEvery - beatEvery/4
)

// listenForBeats tells the core whose heart has stopped, or beats again.
func (s *shell) listenForBeats() {
	now := scoreboard.Monotonic()
	s.mu.Lock()
	var changed []*child
	for _, c := range s.children {
		beat := c.Board.Read().Beat
		if hung := beat != 0 && now-beat > int64(silentAfter); hung != c.hung {
			c.hung = hung
			changed = append(changed, c)
		}
	}
	s.mu.Unlock()
	for _, c := range changed {
		e := core.Event{Kind: core.EventHung, Incarnation: c.identity.Incarnation}
		if c.hung {
			e.Count = 1
		}
		s.step(e)
	}
}

// serves notes, of a worker that is ready, which of the addresses that its slot had it does not serve: the
// plan of a reload may have others.
func (s *shell) serves(a core.Action) {
	c := s.child(a.Incarnation)
	if c == nil {
		return
	}
	if err := proc.Self().Table().Abandon(proc.Place{Set: a.Set, Slot: a.Slot}, s.dropped(c.edition)); err != nil {
		s.journal.log(levels["error"], "connections not steered", "set", a.Set, "worker", a.Slot, "error", err)
	}
}

// dropped returns the addresses of other plans that this one has not.
func (s *shell) dropped(now *edition) (keys []string) {
	for _, ed := range s.editions {
		keys = append(keys, ed.without(now)...)
	}
	return keys
}

// drain tells a worker to drain. What the plan of the one that follows does not listen on is for this
// one to empty.
func (s *shell) drain(a core.Action) {
	m := wire.Message{Type: wire.Drain, Reason: a.Reason, Timeout: a.Nanos}
	if c := s.child(a.Incarnation); c != nil && a.Reason != Stop.String() {
		if next := s.editions[s.wanted(a)]; next != nil {
			m.Names = c.edition.without(next)
		}
	}
	s.send(a, m)
}

// wanted returns the generation of whoever is to serve in the slot of an action, else beside it.
func (s *shell) wanted(a core.Action) int {
	for i := range s.state.Sets {
		for _, sl := range s.state.Sets[i].Slots {
			if s.state.Sets[i].Spec.Name == a.Set && sl.ID == a.Slot && !sl.Removed {
				return sl.Want
			}
		}
	}
	return s.state.Generation
}
