// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/handover"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// balanceEvery is how often the launcher looks whether the workers of a set hold about as many
// connections each. The kernel deals out new ones evenly, but only on the average: of 64 clients that
// stay, one of four workers has 20 and more in two cases of five.
const balanceEvery = 2 * time.Second

// tolerance is what the heaviest worker may hold over the mean before connections move, in parts of 8.
const tolerance = 1

// A shift is so many connections to move from one worker to another, by their places.
type shift struct{ from, to, n int }

// evenOut returns what is to move between workers that hold so many connections each: from those that
// have clearly more than the mean to those that have the least.
func evenOut(held []int) (shifts []shift) {
	total := 0
	for _, n := range held {
		total += n
	}
	count := len(held)
	for range held {
		from, to := 0, 0
		for i, n := range held {
			if n > held[from] {
				from = i
			}
			if n < held[to] {
				to = i
			}
		}
		over, room := held[from]-(total+count-1)/count, total/count-held[to]
		if over*count*8 <= total*tolerance || min(over, room) < 1 {
			break
		}
		n := min(over, room)
		shifts = append(shifts, shift{from, to, n})
		held[from] -= n
		held[to] += n
	}
	return shifts
}

// balance moves connections between the workers of a set, while nothing else is going on there.
func (s *shell) balance() {
	if s.state.Phase != core.Running || s.state.Change.Verb != "" {
		return
	}
	for i := range s.state.Sets {
		workers := s.settled(&s.state.Sets[i])
		held := make([]int, len(workers))
		for j, w := range workers {
			held[j] = w.Board.Read().Held
		}
		for _, sh := range evenOut(held) {
			s.relieve(workers[sh.from], workers[sh.to], sh.n)
		}
	}
}

// settled returns the workers of a set if each serves and none drains.
func (s *shell) settled(set *core.Set) (workers []*child) {
	for i := range set.Slots {
		sl := &set.Slots[i]
		c := s.child(sl.Current.Incarnation)
		if sl.Current.Phase != core.Ready || len(sl.Leaving) > 0 || sl.Successor.Incarnation != 0 || c == nil {
			return nil
		}
		workers = append(workers, c)
	}
	return workers
}

// relieve has one worker give so many connections to another, if their messages get through: else it
// does so the next time.
func (s *shell) relieve(from, to *child, n int) {
	ours, theirs, err := handover.Pair()
	if err != nil {
		return
	}
	if to.Conn.Send(wire.Message{Type: wire.Predecessor}, theirs) == nil {
		from.Conn.Send(wire.Message{Type: wire.Relieve, Count: n}, ours)
	}
	closeAll([]int{ours, theirs})
}
