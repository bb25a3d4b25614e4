// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"time"
)

// Status is what a launcher says about itself at one moment. Its JSON is the answer to GET
// /v1/status; fields are added to it, never renamed.
type Status struct {
	Program       string     `json:"program"`
	Pid           int        `json:"pid"`
	State         string     `json:"state"`      // starting, running, reloading, degraded, stopping, stopped
	Generation    int        `json:"generation"` // 1 at first, one more with each reload
	Started       time.Time  `json:"started"`
	RestartMethod string     `json:"restart_method"` // reload or mutate
	Snapshot      string     `json:"snapshot"`       // fingerprint of the configuration in use
	Listeners     []Listener `json:"listeners"`
	Sets          []Set      `json:"sets"`               // worker processes; none in an in-process program
	Services      []Service  `json:"services,omitempty"` // of an in-process program
	Last          *Outcome   `json:"last,omitempty"`     // of the last action, nil before the first

	Process    Process     `json:"process"`              // that which answers
	Operations []Operation `json:"operations,omitempty"` // the last ones, the latest first
	Served     uint64      `json:"served"`               // requests answered, by all workers there have been
	Losses     Losses      `json:"losses"`               // of all workers there have been
}

// A Process is the launcher's own process, or the one that runs the services of a program without worker
// processes.
type Process struct {
	RSS        int64 `json:"rss"` // resident memory in bytes, 0 if it is not known
	Anon       int64 `json:"anon"`
	Goroutines int   `json:"goroutines"`
	Running    int   `json:"running"` // requests in hand; none in a launcher
}

// An Operation is an action that is over, whoever asked for it and whether anybody waited: what a signal
// led to is read here.
type Operation struct {
	Outcome
	By string    `json:"by,omitempty"` // as signal HUP, or control uid 0 pid 4711; several with commas between
	At time.Time `json:"at"`           // when it was begun, or refused
}

// Losses are the requests that the program had taken on and lost, by cause. They count what clients see
// as a connection that ends without the whole answer. Not among them are requests that no worker has read
// yet, and connections that a full queue turned away, see [Listener].
type Losses struct {
	QueueLeft    uint64 `json:"queue_left"`    // connections left in the queue of a listener that was closed
	StreamCut    uint64 `json:"stream_cut"`    // streams and hijacked connections at the end of a drain
	DeadlineKill uint64 `json:"deadline_kill"` // still running at the deadline of a drain, or when told to stop at once
	Panic        uint64 `json:"panic"`         // a panic after the answer had begun
	Crash        uint64 `json:"crash"`         // in the hands of a worker that died, or was killed by others
	Other        uint64 `json:"other"`
}

// Total returns the losses of all causes together.
func (l Losses) Total() uint64 {
	return l.QueueLeft + l.StreamCut + l.DeadlineKill + l.Panic + l.Crash + l.Other
}

// A Listener is an address that the program serves on.
type Listener struct {
	Network string `json:"network"` // tcp or unix
	Address string `json:"address"` // the real one, also where port 0 was asked for
	Queue   int    `json:"queue"`   // connections that wait to be accepted
	Drops   uint64 `json:"drops"`   // attempts to connect that the kernel dropped, as its queue was full; clients try again
}

// A Set is one set of workers.
type Set struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`            // waiting, starting, running, stopping, stopped, failed
	Reason  string   `json:"reason,omitempty"` // why it is in a state that nobody asked for
	Workers int      `json:"workers"`          // how many are wanted
	Scaled  bool     `json:"scaled,omitempty"` // by a scale; the configuration says otherwise
	Slots   []Worker `json:"slots"`            // processes there are, by ID; two of one ID while rolling
}

// A Worker is one worker process.
type Worker struct {
	ID           int       `json:"id"` // slot in its set, from 0
	Pid          int       `json:"pid"`
	Generation   int       `json:"generation"`
	Incarnation  uint64    `json:"incarnation"` // counts the processes the launcher has started
	State        string    `json:"state"`       // spawning, booting, starting, running, hung, draining, ending, cancelled, killed
	Since        time.Time `json:"since"`       // when it came into State
	Started      time.Time `json:"started"`     // when its process was started
	BootMillis   int64     `json:"boot_millis"` // from spawn to Launch, 0 before that
	Beat         int64     `json:"beat"`        // age of its last heartbeat in ms
	Running      int       `json:"running"`     // requests it has in hand
	OldestMillis int64     `json:"oldest_millis"`
	Served       uint64    `json:"served"`              // requests answered
	Lost         uint64    `json:"lost"`                // requests cut, of every cause
	Restarts     int       `json:"restarts"`            // of this slot
	LastExit     string    `json:"last_exit,omitempty"` // how the one before it ended

	RSS        int64  `json:"rss"`        // resident memory in bytes, 0 if it is not known
	Anon       int64  `json:"anon"`       // of that what is no file and not shared
	Goroutines int    `json:"goroutines"` // at its last heartbeat
	Losses     Losses `json:"losses"`     // of Lost, by cause
}

// A Service is one service of a program without worker processes.
type Service struct {
	Name  string `json:"name"`
	State string `json:"state"` // new, starting, running, draining, stopped, failed
}

// An Outcome is how an action ended.
type Outcome struct {
	Action     string `json:"action"`          // reload, mutate, scale, stop, check
	Generation int    `json:"generation"`      // in charge afterwards
	Millis     int64  `json:"millis"`          // how long it took
	Cut        int    `json:"cut"`             // services and workers that the deadline cut
	Lost       int    `json:"lost,omitempty"`  // requests lost by the workers that it ended
	Error      string `json:"error,omitempty"` // empty on success
}

// An Inspection is what one service of one process shows of itself, or why that cannot be had. What the
// launcher of worker processes itself shows has neither set nor service.
type Inspection struct {
	Set        string          `json:"set,omitempty"`
	Worker     int             `json:"worker"` // slot in its set
	Pid        int             `json:"pid"`
	Generation int             `json:"generation"`
	Service    string          `json:"service,omitempty"` // empty also where a whole worker has not answered
	Value      json.RawMessage `json:"value,omitempty"`   // as the service encodes it
	Error      string          `json:"error,omitempty"`   // set if and only if there is no value
}

// A Target is what a [Server] controls. Its methods are called from many goroutines at once; a
// method that finds the target busy may wait, until ctx ends, or say so in its error. An error
// becomes the answer: see [Error] for its status. ctx ends when the caller hangs up, which abandons
// waiting for the action, not the action.
type Target interface {
	Status() Status
	Reload(ctx context.Context) (Outcome, error)
	Stop(ctx context.Context) (Outcome, error)
	// Scale sets the number of workers of a set; an empty name means the only one.
	Scale(ctx context.Context, set string, workers int) (Outcome, error)
	Check(ctx context.Context) (Outcome, error)
	// Kinds returns what there is to inspect, sorted; Inspect what the program shows of one kind, with an
	// [*Error] of status 404 if nothing in it shows any.
	Kinds(ctx context.Context) ([]string, error)
	Inspect(ctx context.Context, kind string) ([]Inspection, error)
}
