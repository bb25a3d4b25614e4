// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package wire is the protocol between a launcher and its workers: messages, with descriptors beside
// them, over one SOCK_SEQPACKET pair per worker.
//
// Each packet is one JSON object, a [Message], of at most [MaxPacket] bytes with at most [MaxFDs]
// descriptors. Either side may send at any time. A message with an ID asks for an answer, which
// carries that number as Re. Both sides tolerate what they do not know: fields are ignored, types are
// the reader's to skip. The version is agreed on in hello and welcome:
//
//	worker                          launcher
//	hello (Version, Pid)      ->
//	                          <-    welcome (Version, Identity)
//	bind (Spec)               ->
//	                          <-    offer (Name, Addr)
//	accept (Name)             ->
//	                          <-    offer (Name, Slot, Addr, Own + the listener)
//	ready                     ->
//	                          <-    successor (+ a channel to the worker that takes its place)
//	                          <-    drain (Reason, Timeout)
//	drained (Cut)             ->
//	bye                       ->
//
// A bind may come before the hello. End of file on the channel is the end of the peer.
package wire

import "encoding/json"

// Version is the newest version of the protocol that this program speaks.
const Version = 1

// Bounds of a packet.
const (
	MaxPacket = 64 << 10 // bytes
	MaxFDs    = 16       // descriptors
)

// Types of messages from a worker to the launcher.
const (
	Hello   = "hello"   // first, with Version and Pid; answered by Welcome
	Ready   = "ready"   // it serves
	Failed  = "failed"  // its start failed: Error
	Leaving = "leaving" // it drains on its own, as after a TERM sent to it: Reason
	Drained = "drained" // nothing is left but Cut pieces of work that were cut
	Bye     = "bye"     // it ends: Error says why, empty as asked or done
	Bind    = "bind"    // it asks for the listener of Spec; answered by Offer with Addr
	Accept  = "accept"  // it begins to accept from listener Name; answered by Offer, or by Done as it is to end
	Log     = "log"     // a line for the launcher's log: Text
)

// Types of messages from the launcher to a worker.
const (
	Welcome = "welcome" // answers Hello: Version agreed on, Identity
	Offer   = "offer"   // a listener: Name, Slot, Addr, Own; unasked it is the queue of another slot, to be served too
	Revoke  = "revoke"  // stop accepting from the queues of Slot that were offered unasked before
	Drain   = "drain"   // take nothing new and end: Reason, Timeout, Names of listeners that nobody serves afterwards
	Reset   = "reset"   // answer a mutate; a snapshot may come as descriptor
	Stop    = "stop"    // end now
	Reopen  = "reopen"  // open the log files anew
	Report  = "report"  // write a diagnostic report
	Inspect = "inspect" // show what there is of the kind Name, empty for the kinds, within Timeout; answered by Done

	Successor   = "successor"   // as descriptor, a channel to the worker that takes its place
	Predecessor = "predecessor" // the other end: what comes there is to be taken over
	Relieve     = "relieve"     // as descriptor, a channel to a worker that holds fewer connections: give it Count
)

// Types of messages both ways, and from a probe to the launcher.
const (
	Done = "done" // answers a request that has no answer of its own; Error empty on success; Body, or a memory file, if there is more to say
	Plan = "plan" // what a probe found: Body, or a memory file as descriptor if that is large
)

// A Message is one packet. Which fields it uses follows from its Type.
type Message struct {
	Type string `json:"t"`
	ID   uint64 `json:"id,omitempty"` // asks for an answer
	Re   uint64 `json:"re,omitempty"` // answers the request of that ID

	Error    string          `json:"error,omitempty"`
	Version  int             `json:"version,omitempty"`
	Pid      int             `json:"pid,omitempty"`
	Identity *Identity       `json:"identity,omitempty"`
	Name     string          `json:"name,omitempty"` // of a listener: the key of its Spec
	Names    []string        `json:"names,omitempty"`
	Addr     string          `json:"addr,omitempty"` // of a listener: where it really is
	Slot     int             `json:"slot,omitempty"`
	Own      bool            `json:"own,omitempty"`     // of a listener: the launcher made it
	Spec     json.RawMessage `json:"spec,omitempty"`    // a bind.Spec
	Reason   string          `json:"reason,omitempty"`  // of a drain, as drain.Reason spells it
	Timeout  int64           `json:"timeout,omitempty"` // nanoseconds; negative is without end
	Cut      int             `json:"cut,omitempty"`
	Count    int             `json:"count,omitempty"` // of connections
	Text     string          `json:"text,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// An Identity is what the launcher tells a worker about itself.
type Identity struct {
	Set         string `json:"set"`
	Slot        int    `json:"slot"`
	Count       int    `json:"count"` // workers of the set
	Generation  int    `json:"generation"`
	Incarnation uint64 `json:"incarnation"` // unlike pids never used twice in a launcher's life

	Program         string `json:"program,omitempty"`          // the launcher's name
	Procs           int    `json:"procs,omitempty"`            // GOMAXPROCS; 0 leaves it alone
	Memory          int64  `json:"memory,omitempty"`           // soft limit in bytes; 0 leaves it alone
	StartTimeout    int64  `json:"start_timeout,omitempty"`    // nanoseconds; negative is without end
	ShutdownTimeout int64  `json:"shutdown_timeout,omitempty"` // nanoseconds; negative is without end
	RestartMethod   string `json:"restart_method,omitempty"`   // reload or mutate
}
