// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A run is one run of a load: what its clients count together.
type run struct {
	load     *Load
	ctx      context.Context // ends the load; requests that are under way are waited for
	began    time.Time
	interval time.Duration // between two requests of a client, with Load.Rate

	requests, answered, failed, refused, again atomic.Uint64
	dials, redials                             atomic.Uint64
	idleEOF, idleReset, announcedIdle, busy    atomic.Uint64
	lastOK, gap, worstOfSecond                 atomic.Int64 // since began
	stopped                                    atomic.Bool  // a disturbance has begun to stop the server
	faults                                     ledger
	windows                                    atomic.Pointer[[]*window]

	mu     sync.Mutex
	killed []func(net.Addr, time.Time) bool
}

// Run runs the load and reports what came of it. The error says why it could not begin; what servers do
// wrong is in the report. It waits for everything that it started: after ctx or Duration has ended for
// the requests under way, at most for Timeout, and for disturbances under way.
func (l Load) Run(ctx context.Context) (Report, error) {
	load, err := l.prepare()
	if err != nil {
		return Report{}, err
	}
	if err := load.learn(ctx); err != nil {
		return Report{}, err
	}
	r := &run{load: load, began: time.Now()}
	r.windows.Store(new([]*window))
	if load.Rate > 0 {
		r.interval = time.Duration(float64(load.Clients) / load.Rate * float64(time.Second))
	}
	var cancel context.CancelFunc
	if load.Duration > 0 {
		r.ctx, cancel = context.WithTimeout(ctx, load.Duration)
	} else {
		r.ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	return r.drive(cancel), nil
}

// drive runs the clients and what disturbs them, to their ends.
func (r *run) drive(cancel context.CancelFunc) Report {
	cpu := cpuTime()
	clients := make([]*client, r.load.Clients)
	var serving, disturbing sync.WaitGroup
	for id := range clients {
		random := rand.New(rand.NewPCG(r.load.Seed, uint64(id)))
		fresh := id < r.load.Fresh
		c := &client{run: r, id: id, fresh: fresh, random: random}
		c.maker = maker{load: r.load, client: id, fresh: fresh, random: random}
		clients[id] = c
		serving.Go(func() { c.live(context.WithoutCancel(r.ctx)) })
	}
	disturbed := make([]*disturbed, len(r.load.Disturb))
	var counted sync.WaitGroup
	some := false
	for i, d := range r.load.Disturb {
		disturbed[i] = newDisturbed(r, d, uint64(i))
		work := func() { disturbed[i].drive(r.ctx) }
		if d.Times > 0 {
			some = true
			counted.Go(work)
		} else {
			disturbing.Go(work)
		}
	}
	if some {
		disturbing.Go(func() {
			counted.Wait()
			cancel()
		})
	}
	var series []Second
	if r.load.Series {
		disturbing.Go(func() { series = r.sample() })
	}
	serving.Wait()
	elapsed := time.Since(r.began)
	cancel()
	disturbing.Wait()
	return r.report(clients, disturbed, series, elapsed, cpuTime()-cpu)
}

// more reports whether there is another request to send.
func (r *run) more() bool {
	return r.ctx.Err() == nil && (r.load.Requests == 0 || r.requests.Load() < r.load.Requests)
}

// succeed counts a right answer.
func (r *run) succeed(c *client, req *request) {
	now := time.Now()
	took := now.Sub(req.began) - req.paused
	c.took.add(took)
	r.answered.Add(1)
	at := int64(now.Sub(r.began))
	raise(&r.gap, at-r.lastOK.Swap(at))
	if r.load.Series {
		raise(&r.worstOfSecond, int64(took))
	}
	for _, w := range *r.windows.Load() {
		w.took.add(took)
		raise(&w.gap, at-w.last.Swap(at))
	}
}

// fault counts a fault.
func (r *run) fault(f Fault, detail string) {
	var names []string
	for _, w := range *r.windows.Load() {
		w.faults.Add(1)
		names = append(names, w.name)
	}
	f.During = strings.Join(names, "+")
	r.faults.add(f, time.Since(r.began), detail)
}

// closed counts a close by the server of a connection on which nothing was under way.
func (r *run) closed(cause Cause) {
	if cause == EOF {
		r.idleEOF.Add(1)
	} else {
		r.idleReset.Add(1)
	}
}

// announced counts a Connection: close; busy says that bytes of the next request were sent by then.
func (r *run) announced(busy bool) {
	if busy {
		r.busy.Add(1)
	} else {
		r.announcedIdle.Add(1)
	}
}

// inKilledHands reports whether a connection was served by a worker that a disturbance has killed.
func (r *run) inKilledHands(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, holds := range r.killed {
		if holds(c.LocalAddr(), c.born) {
			return true
		}
	}
	return false
}

// A Second is what happened in one second of a load.
type Second struct {
	At       time.Duration `json:"at_ns"` // its end, since the load began
	Answered uint64        `json:"answered"`
	Failed   uint64        `json:"failed"`
	Worst    time.Duration `json:"worst_ns"` // latency
}

// sample takes a Second until the load ends.
func (r *run) sample() []Second {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var all []Second
	var answered, failed uint64
	take := func() {
		a, f := r.answered.Load(), r.failed.Load()
		all = append(all, Second{time.Since(r.began), a - answered, f - failed, time.Duration(r.worstOfSecond.Swap(0))})
		answered, failed = a, f
	}
	for {
		select {
		case <-tick.C:
			take()
		case <-r.ctx.Done():
			take()
			return all
		}
	}
}
