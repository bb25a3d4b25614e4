// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/handover"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// pair joins a worker with the one that takes its place. The launcher makes the channel between them and
// keeps no end of it: what goes through is theirs. Without it the worker drains as if it had no successor.
func (s *shell) pair(a core.Action) {
	old, heir := s.child(a.Incarnation), s.child(a.Heir)
	if old == nil || heir == nil {
		return
	}
	ours, theirs, err := handover.Pair()
	if err == nil {
		// The end that nobody took is closed below, which tells the other.
		err = old.Conn.Send(wire.Message{Type: wire.Successor}, ours)
		if err == nil {
			err = heir.Conn.Send(wire.Message{Type: wire.Predecessor}, theirs)
		}
		closeAll([]int{ours, theirs})
	}
	if err != nil {
		s.journal.log(levels["warn"], "workers not joined, connections are not handed over", "set", a.Set, "worker", a.Slot, "pid", old.Pid, "successor", heir.Pid, "error", err)
	}
}
