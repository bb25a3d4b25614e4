// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
)

// A process is a worker of a world, by what it did and by what the launcher knows of it.
type process struct {
	w          *world
	inc        uint64
	set        string
	slot       int
	generation int
	endless    bool // there is no limit to its start, so it does not hang

	alive  bool
	leaves bool  // it is on its way out
	posted int64 // its last message arrives then: messages keep their order

	heard struct { // what was delivered to the core
		spawned, hello, ready, leaving, gone bool
		readyAt                              int64
		cut                                  int
	}
	told bool // the launcher asked for its end
}

// spawn starts a process, or fails to.
func (w *world) spawn(a core.Action) {
	p := &process{w: w, inc: a.Incarnation, set: a.Set, slot: a.Slot, generation: a.Generation}
	p.endless = w.watch.spec(a.Set).StartTimeout < 0
	for _, spec := range w.state.Plan.Sets {
		p.endless = p.endless || spec.Name == a.Set && spec.StartTimeout < 0
	}
	w.procs[p.inc] = p
	w.in(w.while(), func() {
		if w.chance(25) {
			p.post(core.Event{Kind: core.EventSpawnFailed, Text: "out of processes"})
			return
		}
		p.alive = true
		p.post(core.Event{Kind: core.EventSpawned, Pid: 100 + int(p.inc)})
		w.in(w.while(), p.boot)
	})
}

// boot is main up to Launch.
func (p *process) boot() {
	w := p.w
	switch {
	case w.chance(25):
		p.end(core.Event{Code: w.rng.IntN(2)})
	case w.chance(25):
		p.end(core.Event{Code: -1, Signal: "SIGTERM"})
	case w.chance(25) && !p.endless: // hangs
	default:
		p.post(core.Event{Kind: core.EventHello})
		w.in(w.while(), p.start)
	}
}

// start is Start of its services.
func (p *process) start() {
	w := p.w
	if !p.alive || p.leaves {
		return
	}
	unable := w.fates[p.generation][p.set] == bad
	switch {
	case (unable || w.chance(15)) && w.rng.IntN(4) == 0 && !p.endless: // hangs
	case unable || w.chance(15):
		p.post(core.Event{Kind: core.EventStartFailed, Text: "connection refused"})
		p.end(core.Event{Code: 1})
	case w.chance(25):
		p.end(core.Event{Code: 2, Text: "panic: boom"})
	default:
		p.post(core.Event{Kind: core.EventReady})
		p.live()
	}
}

// live decides whether and how it ends unasked.
func (p *process) live() {
	w := p.w
	var life time.Duration
	restless := w.fates[p.generation][p.set] == restless
	switch {
	case restless || w.chance(8):
		life = w.between(0, time.Second)
	case w.chance(4):
		life = w.between(time.Second, 20*time.Second)
	default:
		return
	}
	w.in(life, func() {
		if !p.alive || p.leaves || w.calm() && !restless {
			return
		}
		p.leaves = true
		switch w.rng.IntN(6) {
		case 0:
			p.end(core.Event{Code: 2, Text: "panic: boom"})
		case 1:
			p.end(core.Event{Code: -1, Signal: "SIGSEGV"})
		case 2:
			p.bye("", core.Event{})
		case 3:
			p.bye("serve: disk full", core.Event{Code: 1})
		case 4:
			p.post(core.Event{Kind: core.EventBye}) // and hangs in its exit
		case 5:
			p.post(core.Event{Kind: core.EventEOF}) // and hangs
		}
	})
}

// hear has a message arrive, unless the process is gone by then.
func (p *process) hear(do func(p *process)) {
	p.w.in(p.w.between(0, 3*time.Millisecond), func() {
		if p.alive {
			do(p)
		}
	})
}

// drain is Shutdown of its services, for a message or a TERM.
func (p *process) drain() {
	w := p.w
	if p.leaves {
		return
	}
	p.leaves = true
	switch {
	case w.chance(6): // hangs
	case w.chance(12):
		p.end(core.Event{Code: 2, Text: "panic: boom"})
	case w.chance(12):
		p.post(core.Event{Kind: core.EventDrained})
		p.post(core.Event{Kind: core.EventBye}) // and hangs in its exit
	default:
		w.in(w.between(0, 100*time.Millisecond)+w.while(), func() {
			if w.chance(10) {
				p.post(core.Event{Kind: core.EventDrained, Count: 1 + w.rng.IntN(3)})
			}
			p.bye("", core.Event{})
		})
	}
}

// cancel is the end of Serve's context.
func (p *process) cancel() {
	p.leaves = true
	if p.w.chance(4) {
		return // it does not care
	}
	p.w.in(p.w.between(0, time.Second), func() { p.bye("context canceled", core.Event{Code: 3}) })
}

// reset is Reset of its services.
func (p *process) reset(generation int) {
	w := p.w
	e := core.Event{Kind: core.EventReset, Count: generation}
	switch {
	case w.chance(8) && !p.endless:
		return // no answer
	case w.chance(8):
		w.in(w.between(0, 20*time.Second), func() { p.post(e) })
		return
	case w.chance(8):
		e.Text = "not a number"
	}
	w.in(w.while(), func() { p.post(e) })
}

// term is a TERM that somebody sends to it.
func (p *process) term() {
	if !p.alive || p.leaves {
		return
	}
	if !p.heard.hello {
		p.end(core.Event{Code: -1, Signal: "SIGTERM"})
		return
	}
	p.post(core.Event{Kind: core.EventLeaving})
	p.drain()
}

// bye is the end of a process that says so.
func (p *process) bye(why string, exit core.Event) {
	p.post(core.Event{Kind: core.EventBye, Text: why})
	p.end(exit)
}

// end is the end of the process.
func (p *process) end(exit core.Event) {
	if !p.alive {
		return
	}
	if p.w.rng.IntN(2) == 0 {
		p.post(core.Event{Kind: core.EventEOF})
	}
	exit.Kind = core.EventExit
	p.post(exit)
	p.alive = false
}

// post sends an event, which arrives after those sent before.
func (p *process) post(e core.Event) {
	if !p.alive && e.Kind != core.EventSpawnFailed {
		return
	}
	e.Incarnation = p.inc
	p.posted = max(p.posted, p.w.now+int64(p.w.between(0, 2*time.Millisecond)))
	p.w.at(p.posted, func() { p.w.deliver(e) })
}
