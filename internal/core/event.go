// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core

// An EventKind is what can happen to a launcher.
type EventKind string

// The events. Those of a worker carry its incarnation.
const (
	EventBegin       EventKind = "begin"        // Plan: start it
	EventTick        EventKind = "tick"         // time has come, see State.Wake
	EventSpawned     EventKind = "spawned"      // Pid
	EventSpawnFailed EventKind = "spawn-failed" // Text: the process could not be started
	EventHello       EventKind = "hello"        // main reached Launch
	EventReady       EventKind = "ready"        // its services serve
	EventStartFailed EventKind = "start-failed" // Text: a Start failed; the process is to end
	EventLeaving     EventKind = "leaving"      // the worker was sent TERM and drains by itself
	EventDrained     EventKind = "drained"      // Count: services that were cut
	EventBye         EventKind = "bye"          // Text: why it ends, empty if its services are done
	EventReset       EventKind = "reset-done"   // Count: generation, 0 is the last one asked for; Text: error, empty on success
	EventJudged      EventKind = "judged"       // Text: what is wrong with the canary, empty if it is well
	EventEOF         EventKind = "eof"          // its channel is closed, the process should be gone
	EventHung        EventKind = "hung"         // Count: 1 is no sign of life, 0 is one again
	EventExit        EventKind = "exit"         // Code, or Signal and Code -1; Text: last lines of stderr; Count 1: its services had started

	EventTerm     EventKind = "term"     // graceful stop; a second one forces
	EventStop     EventKind = "stop"     // graceful stop; a second one waits with the first
	EventKill     EventKind = "kill"     // at once
	EventReload   EventKind = "reload"   // or mutate, by plan
	EventPrepared EventKind = "prepared" // Count: generation, Plan: its plan, listeners bound
	EventRefused  EventKind = "refused"  // Count: generation, Text: why
	EventScale    EventKind = "scale"    // Set (empty: the only one), Count: workers wanted
	EventMore     EventKind = "more"     // Count: workers more, or fewer if negative, of the only set
	EventRetired  EventKind = "retired"  // Set, Slot, Count: connections that kept its queue from being closed
)

// An Event is something that happened.
type Event struct {
	At          int64     `json:"at"` // CLOCK_MONOTONIC nanoseconds
	Kind        EventKind `json:"kind"`
	Incarnation uint64    `json:"incarnation,omitempty"`
	Request     uint64    `json:"request,omitempty"` // to be answered by ActionReply; 0 is none
	Set         string    `json:"set,omitempty"`
	Slot        int       `json:"slot,omitempty"`
	Pid         int       `json:"pid,omitempty"`
	Code        int       `json:"code,omitempty"`
	Signal      string    `json:"signal,omitempty"`
	Count       int       `json:"count,omitempty"`
	Text        string    `json:"text,omitempty"`
	By          string    `json:"by,omitempty"`   // of a request: who asks
	Lost        int       `json:"lost,omitempty"` // of an exit: requests that the process had taken on and lost
	Plan        *Plan     `json:"plan,omitempty"`
}
