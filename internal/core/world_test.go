// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
)

// A world is what a launcher lives in, made up from a seed: processes that start, serve, fail, hang
// and answer late, people who send signals and ask for changes, and time, which only passes between
// events. It performs the actions of the core and delivers what becomes of them.
//
// A world is rough up to its horizon and calm from then on: processes that start then do so well and
// nobody dies unasked, unless that is the fate of their set in their plan.
type world struct {
	rng     *rand.Rand
	now     int64
	queue   queue
	seq     int
	horizon int64

	signals bool // some requests come by signal and get no answer

	state core.State
	procs map[uint64]*process
	plans map[int]*core.Plan      // by generation, as prepared
	fates map[int]map[string]fate // by generation and set

	watch *witness
}

// A happening is something that is to be at a time.
type happening struct {
	at  int64
	seq int
	do  func()
}

type queue []happening

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	h := (*q)[last]
	*q = (*q)[:last]
	return h
}

// in has something happen after a while.
func (w *world) in(d time.Duration, do func()) { w.at(w.now+int64(d), do) }

func (w *world) at(t int64, do func()) {
	w.seq++
	heap.Push(&w.queue, happening{max(t, w.now), w.seq, do})
}

// calm reports whether the rough part is over.
func (w *world) calm() bool { return w.now >= w.horizon }

// chance is true with the probability of one in n, while the world is rough.
func (w *world) chance(n int) bool { return !w.calm() && w.rng.IntN(n) == 0 }

// between returns a duration from lo to hi.
func (w *world) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.rng.Int64N(int64(hi-lo)+1))
}

// while is a short time, or now and then a long one.
func (w *world) while() time.Duration {
	if w.chance(12) {
		return w.between(time.Second, 8*time.Second)
	}
	return w.between(0, 40*time.Millisecond)
}

// perform does what the core decided.
func (w *world) perform(a core.Action) {
	switch a.Kind {
	case core.ActionSpawn:
		w.spawn(a)
	case core.ActionDrain:
		w.procs[a.Incarnation].hear(func(p *process) { p.drain() })
	case core.ActionCancel:
		w.procs[a.Incarnation].hear(func(p *process) { p.cancel() })
	case core.ActionReset:
		w.procs[a.Incarnation].hear(func(p *process) { p.reset(a.Generation) })
	case core.ActionKill:
		p := w.procs[a.Incarnation]
		w.in(w.while(), func() { p.end(core.Event{Code: -1, Signal: "SIGKILL"}) })
	case core.ActionPrepare:
		w.prepare(a.Generation)
	case core.ActionJudge:
		w.judge(a)
	case core.ActionRetire:
		w.retire(a)
	}
}

// judge answers with a verdict on a canary. It may come when the canary is gone.
func (w *world) judge(a core.Action) {
	w.in(time.Duration(a.Nanos)+w.while(), func() {
		e := core.Event{Kind: core.EventJudged, Incarnation: a.Incarnation}
		if w.chance(4) {
			e.Text = "slower by half"
		}
		w.deliver(e)
	})
}

// prepare answers with a plan, or refuses. A plan that was dropped may still come.
func (w *world) prepare(generation int) {
	w.in(w.while(), func() {
		if w.chance(6) {
			w.deliver(core.Event{Kind: core.EventRefused, Count: generation, Text: "no such option"})
			return
		}
		plan := w.nextPlan(w.state.Plan)
		w.plans[generation] = plan
		w.fates[generation] = w.anyFates(plan)
		w.deliver(core.Event{Kind: core.EventPrepared, Count: generation, Plan: plan})
	})
}

// A fate is what becomes of the workers of a set, whatever else does.
type fate int

const (
	fair     fate = iota
	bad           // they do not start
	restless      // they end soon after they are ready
)

// anyFates makes up the fates of the sets of a plan.
func (w *world) anyFates(p *core.Plan) map[string]fate {
	fates := make(map[string]fate)
	for _, spec := range p.Sets {
		switch {
		case w.chance(8):
			fates[spec.Name] = bad
		case w.chance(40):
			fates[spec.Name] = restless
		}
	}
	return fates
}

// deliver gives the core an event, and performs what it decides.
func (w *world) deliver(e core.Event) {
	e.At = w.now
	w.watch.event(e)
	next, actions := w.watch.step(w.state, e)
	w.watch.write(e, actions)
	w.state = next
	for _, a := range actions {
		w.watch.action(a)
		w.perform(a)
	}
	w.watch.settled()
}

// run lets the world go on until nothing is to happen any more, but for log lines about waiting, or
// the launcher has ended.
func (w *world) run() {
	for steps := 0; w.state.Phase != core.Stopped; steps++ {
		if steps > 50_000 {
			w.watch.failf("does not settle within %d steps", steps)
		}
		wake := w.state.Wake()
		switch {
		case len(w.queue) > 0 && (wake == 0 || w.queue[0].at <= wake):
			h := heap.Pop(&w.queue).(happening)
			w.now = h.at
			h.do()
		case wake == 0 || w.onlyNags():
			return
		default:
			w.now = wake
			if w.chance(4) { // timers may be late
				w.now += int64(w.between(0, 2*time.Millisecond))
			}
			w.deliver(core.Event{Kind: core.EventTick})
		}
	}
}

// onlyNags reports whether nothing can happen any more but log lines about workers that are waited
// for without end.
func (w *world) onlyNags() bool {
	if len(w.queue) > 0 || w.state.Phase == core.Stopping && !w.state.Stop.Forced && w.state.Stop.Deadline != 0 {
		return false
	}
	for _, worker := range workersOf(&w.state) {
		if worker.Deadline != 0 || worker.Phase == core.Booting && worker.NagAt != 0 {
			return false
		}
	}
	for i := range w.state.Sets {
		for _, sl := range w.state.Sets[i].Slots {
			if sl.SpawnAt > w.now || sl.Trial.Until > w.now {
				return false
			}
		}
	}
	return true
}
