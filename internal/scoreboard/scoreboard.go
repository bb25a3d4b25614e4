// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package scoreboard keeps a few counters of a process in a page of memory that the launcher reads:
// what runs, for how long, what was served and what was lost. Reading costs the process nothing and
// works after it was killed.
//
// A process counts on its own [Board], found with [Current]:
//
//	t := scoreboard.Current().Begin()
//	defer scoreboard.Current().End(t)
//
// The launcher makes a board with [Create], hands its descriptor to the worker, which calls [Open]
// and [Use], and looks at it with [Board.Read] whenever it likes.
package scoreboard

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Cause says why something that a process had taken on was not finished.
type Cause int

// The causes of a loss.
const (
	QueueLeft    Cause = iota // connections left in the accept queue
	StreamCut                 // streams and hijacked connections cut
	DeadlineKill              // requests that still ran at the deadline of a drain
	Panic                     // requests that panicked
	Other                     // anything else
	Crash                     // requests in the hands of a process that died

	NumCauses = 6
)

// String returns the name that status and metrics use.
func (c Cause) String() string {
	switch c {
	case QueueLeft:
		return "queue_left"
	case StreamCut:
		return "stream_cut"
	case DeadlineKill:
		return "deadline_kill"
	case Panic:
		return "panic"
	case Crash:
		return "crash"
	}
	return "other"
}

// Counts are what a board says at one moment.
type Counts struct {
	Beat    int64             // time of the last beat; 0 is none yet
	Serving bool              // every service has started
	Running int               // requests begun and not ended
	Oldest  int64             // start of the oldest running request, as exact as the beats are frequent; 0 is none, or no beat yet
	Served  uint64            // requests ended
	Failed  uint64            // of those, the ones that failed by the fault of the server
	Lost    [NumCauses]uint64 // by Cause

	Goroutines int // at the last beat
	Held       int // connections that may move to another process
}

// Left returns the requests of a process that has ended with these counts which it neither finished nor
// counted as lost: those that it cut at the end of a drain may still have been running.
func (c Counts) Left() uint64 {
	cut := c.Lost[StreamCut] + c.Lost[DeadlineKill] + c.Lost[Other]
	return max(uint64(max(c.Running, 0)), cut) - cut
}

// LostTotal returns the losses of all causes together.
func (c Counts) LostTotal() (n uint64) {
	for _, lost := range c.Lost {
		n += lost
	}
	return n
}

// A Board is a page of counters that one process writes, from any number of goroutines, and that it
// and its launcher may read at any time. Times are as [Monotonic] gives them.
type Board struct {
	page   *page
	mapped []byte // nil on the heap
	mu     sync.Mutex
	beatMu sync.Mutex
	// stripes hands each processor the stripe that it had last, so that cores do not fight over lines.
	stripes sync.Pool
}

// New returns a board on the heap, for a process that no launcher reads.
func New() *Board {
	p := new(page)
	p.format()
	return newBoard(p, nil)
}

func newBoard(p *page, mapped []byte) *Board {
	b := &Board{page: p, mapped: mapped}
	var next atomic.Uint32
	b.stripes.New = func() any {
		i := (next.Add(1) - 1) % numStripes
		return &i
	}
	return b
}

var current atomic.Pointer[Board]

func init() { current.Store(New()) }

// Current returns this process's own board: the one given to [Use], else one on the heap. It is
// never nil.
func Current() *Board { return current.Load() }

// Use makes b this process's own board. What was counted before stays on the old one, so it is
// called first thing. b must never be closed.
func Use(b *Board) { current.Store(b) }

// A Ticket stands for a request between Begin and End. The zero Ticket stands for none.
type Ticket uint32

// Begin counts a request as running. It asks no clock: the request starts, for [Counts], at the last
// beat.
func (b *Board) Begin() Ticket {
	h := b.stripes.Get().(*uint32)
	stripe := *h
	b.stripes.Put(h)
	bucket := b.page.current.Load() % numBuckets
	b.page.stripes[stripe].running[bucket].Add(1)
	return Ticket(1 + stripe*numBuckets + bucket)
}

// End counts the request of t as served. It is called once for each Begin, from any goroutine.
func (b *Board) End(t Ticket) {
	if t == 0 || t > numStripes*numBuckets {
		return
	}
	s := &b.page.stripes[(t-1)/numBuckets]
	s.running[(t-1)%numBuckets].Add(-1)
	s.served.Add(1)
}

// Fail says that the request of t, which has not ended yet, failed by the fault of the server: it was
// answered with a status of 500 or more, say. It is called at most once for each Begin.
func (b *Board) Fail(t Ticket) {
	if t == 0 || t > numStripes*numBuckets {
		return
	}
	b.page.stripes[(t-1)/numBuckets].failed.Add(1)
}

// AddLost counts n losses by c; an unknown c is Other.
func (b *Board) AddLost(c Cause, n uint64) {
	if c < 0 || c >= NumCauses {
		c = Other
	}
	b.page.lost[c].Add(n)
}

// Beat says that the process was alive at the time mono, and sets the clock that Begin uses.
func (b *Board) Beat(mono int64) {
	b.beatMu.Lock()
	defer b.beatMu.Unlock()
	b.page.turn(mono)
	b.page.beat.Store(mono)
}

// Hold counts n connections more that may move to another process, or fewer if n is negative.
func (b *Board) Hold(n int64) { b.page.held.Add(n) }

// SetGoroutines notes how many goroutines there are.
func (b *Board) SetGoroutines(n int) { b.page.goroutines.Store(uint32(n)) }

// Serving says that every service of the process has started: if it ends from now on, even before it
// could tell its launcher that it is ready, it was not its start that failed.
func (b *Board) Serving() { b.page.serving.Store(1) }

// Read returns what the board says now. Requests that begin or end meanwhile may be counted or not.
// After Close it returns zeros.
func (b *Board) Read() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.page == nil {
		return Counts{}
	}
	return b.page.read()
}

// Monotonic returns the time since some fixed point in nanoseconds, on Linux CLOCK_MONOTONIC, which
// all processes of a machine share. In a testing/synctest bubble it follows the bubble's clock.
func Monotonic() int64 { return monotonicBase + int64(time.Since(timeBase)) }

// Both name one moment: time.Since then costs no system call where the kernel offers a fast clock.
var timeBase, monotonicBase = time.Now(), clockMonotonic()
