// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"slices"
	"strings"
)

// maxOperations is how many operations are remembered.
const maxOperations = 16

// An Operation is a request that is over, whoever made it: what a signal led to is read here.
type Operation struct {
	Outcome Outcome `json:"outcome"`
	By      string  `json:"by,omitempty"` // signal HUP, control uid 0 pid 4711; several with commas between
	At      int64   `json:"at"`           // when it was begun, or refused
}

// reply answers the requests that are to be answered, and remembers the operation.
func (st *step) reply(op Operation, requests ...uint64) {
	if len(st.Operations) >= maxOperations {
		st.Operations = slices.Delete(st.Operations, 0, len(st.Operations)-maxOperations+1)
	}
	st.Operations = append(st.Operations, op)
	for _, r := range requests {
		if r != 0 {
			st.out = append(st.out, Action{Kind: ActionReply, Request: r, Outcome: op.Outcome})
		}
	}
}

// refusal is the operation that a request is which is not begun.
func (st *step) refusal(e Event, why string) Operation {
	return Operation{Outcome: Outcome{Action: e.verb(), Generation: st.Generation, Error: why}, By: e.By, At: st.now}
}

// maxAskers bounds the names of those who asked for one thing, in bytes.
const maxAskers = 200

// JoinBy returns who asks for one thing, now that one more does; a long list grows no longer.
func JoinBy(have, more string) string {
	switch {
	case have == "":
		return more
	case more == "" || len(have) > maxAskers || slices.Contains(strings.Split(have, ", "), more):
		return have
	}
	return have + ", " + more
}
