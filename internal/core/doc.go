// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package core decides what a process launcher does, and does nothing itself.
//
// [Step] takes a [State] and an [Event] and returns the next state and the [Action]s to perform.
// It reads no clock, starts no goroutine and touches no process: an event carries its time, and
// [State.Wake] names the moment at which an [EventTick] is due. Actions do not fail; what becomes of
// them comes back as events. So every scenario is a transcript (see testdata), and any schedule of
// signals, deaths and commands can be replayed from a seed.
//
// A state is plain data in CLOCK_MONOTONIC nanoseconds: it is what status shows and what an upgrade
// in place passes on.
//
// # Names
//
// A set has slots, numbered from 0. A slot has a current worker, a successor while it is being
// replaced, and the replaced ones that still drain. A worker is named by its incarnation, which is
// never used twice; its pid is only data. Events of an incarnation that is gone are dropped in one
// place, [Step]. A generation is a plan and the configuration that it came from.
//
// # Where to look
//
//	state.go      State, Set, Slot, Worker, Plan
//	event.go      what can happen
//	action.go     what can be done
//	step.go       one event: who it concerns, then settle until nothing more follows
//	start.go      order of sets, spawning, readiness
//	supervise.go  ends of workers: restart policy, backoff, giving up
//	change.go     requests for a reload or scale, from the asking to the answer
//	scale.go      numbers of workers said at run time, and what of them holds through a reload
//	roll.go       one slot at a time to the plan of a change, and back if it fails
//	pair.go       who hands over to whom
//	mutate.go     reset in place
//	steer.go      where new connections go, and who serves a queue whose worker cannot
//	operation.go  requests that are over, for those who did not wait
//	progress.go   how far a request has come
//	stop.go       draining, escalation, exit code
package core
