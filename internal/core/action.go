// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

// An ActionKind is what a launcher can be told to do.
type ActionKind string

// The actions. Those on a worker carry Set, Slot and Incarnation.
const (
	ActionSpawn   ActionKind = "spawn"   // Generation, Count: workers of the set; answered by spawned or spawn-failed
	ActionDrain   ActionKind = "drain"   // Reason, Nanos: timeout, negative without end; answered by drained, bye, exit
	ActionPair    ActionKind = "pair"    // Heir: the incarnation that takes over what it holds open; before its drain if there is a choice
	ActionCancel  ActionKind = "cancel"  // stop now; answered by exit
	ActionKill    ActionKind = "kill"    // SIGKILL; answered by exit
	ActionReset   ActionKind = "reset"   // Generation; answered by reset-done, or exit
	ActionJudge   ActionKind = "judge"   // Nanos: compare this worker with the old ones of its set for so long; answered by judged
	ActionOffer   ActionKind = "offer"   // Slot: its queue, to be served by the worker named, of another slot
	ActionRevoke  ActionKind = "revoke"  // Slot: its queue is served by others again
	ActionSteer   ActionKind = "steer"   // Set, Slots: those that new connections come to
	ActionRetire  ActionKind = "retire"  // Set, Slot: close its queue if it is empty, or for Count 1 at all; answered by retired
	ActionShut    ActionKind = "shut"    // Set: nobody comes to it any more, give its listeners up
	ActionPrepare ActionKind = "prepare" // Generation: probe, bind what is new; answered by prepared or refused
	ActionDrop    ActionKind = "drop"    // Generation: forget what was prepared, end the probe
	ActionCommit  ActionKind = "commit"  // Generation: it is in force; give up what only others used
	ActionNotify  ActionKind = "notify"  // Text: ready, reloading or stopping, to the supervisor above
	ActionHook    ActionKind = "hook"    // Text: ready, gone, reloaded, stopping
	ActionReply   ActionKind = "reply"   // Request, Outcome
	ActionLog     ActionKind = "log"     // Level, Text, Attrs
	ActionQuit    ActionKind = "quit"    // Code, Text: nothing is left, return
)

// An Action is something to be done.
type Action struct {
	Kind        ActionKind `json:"kind"`
	Set         string     `json:"set,omitempty"`
	Slot        int        `json:"slot,omitempty"`
	Slots       []int      `json:"slots,omitempty"`
	Incarnation uint64     `json:"incarnation,omitempty"`
	Heir        uint64     `json:"heir,omitempty"`
	Generation  int        `json:"generation,omitempty"`
	Pid         int        `json:"pid,omitempty"`
	Request     uint64     `json:"request,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Nanos       int64      `json:"nanos,omitempty"`
	Count       int        `json:"count,omitempty"`
	Code        int        `json:"code,omitempty"`
	Signal      string     `json:"signal,omitempty"`
	Asked       bool       `json:"asked,omitempty"`
	Level       string     `json:"level,omitempty"` // debug, info, warn, error
	Text        string     `json:"text,omitempty"`
	Attrs       []any      `json:"attrs,omitempty"` // key, value, key, value ...
	Outcome     Outcome    `json:"outcome,omitzero"`
}
