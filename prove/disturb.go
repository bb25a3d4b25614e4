// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// A Disturbance is done to a server again and again while it is under load.
type Disturbance struct {
	Name  string        // in the report
	Every time.Duration // mean time between the end of one and the beginning of the next; half to one and a half of it
	Times int           // how often; 0 is until the load ends. The load ends when all that are counted are done.
	// Settle is how long answers count as disturbed after Do has returned; default 100 ms, negative none.
	Settle time.Duration
	// Do disturbs, and returns when that is complete, as far as it can know. An error counts as a
	// disturbance that failed.
	Do func(ctx context.Context, s *Scene) error
}

// A Scene is where a [Disturbance] takes place.
type Scene struct {
	Random *rand.Rand // for this disturbance alone; from the seed of the load
	run    *run
}

// Stopping says that the server will refuse connections from now on, and that this is as it should be:
// clients leave when they are refused.
func (s *Scene) Stopping() { s.run.stopped.Store(true) }

// Killed says that a process which held connections is killed. Faults on those are excused from now on.
// holds may be called from many goroutines at once, with our address of a connection, and when it was
// made.
func (s *Scene) Killed(holds func(local net.Addr, dialed time.Time) bool) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	s.run.killed = append(s.run.killed, holds)
}

// A window is the time in which a disturbance takes place.
type window struct {
	name      string
	took      histogram
	last, gap atomic.Int64
	faults    atomic.Uint64
}

// disturbed drives one Disturbance and keeps what came of it.
type disturbed struct {
	Disturbance
	run    *run
	scene  *Scene
	failed int
	first  string // error
	took   histogram
	all    histogram // latencies of all windows
	p99s   []time.Duration
	gap    time.Duration
	faults uint64
}

func newDisturbed(r *run, d Disturbance, n uint64) *disturbed {
	if d.Settle == 0 {
		d.Settle = 100 * time.Millisecond
	}
	return &disturbed{Disturbance: d, run: r, scene: &Scene{Random: rand.New(rand.NewPCG(r.load.Seed, 1<<32+n)), run: r}}
}

func (d *disturbed) drive(ctx context.Context) {
	for n := 0; d.Times == 0 || n < d.Times; n++ {
		pause := d.Every/2 + time.Duration(d.scene.Random.Int64N(int64(d.Every)+1))
		if !sleep(ctx, pause) {
			return
		}
		d.once(ctx)
	}
}

// sleep waits, and is false if ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once disturbs once, and looks at the answers meanwhile.
func (d *disturbed) once(ctx context.Context) {
	w := &window{name: d.Name}
	began := time.Now()
	w.last.Store(int64(began.Sub(d.run.began)))
	d.run.open(w)
	// What has begun is completed when the load ends; it has deadlines of its own.
	err := d.Do(context.WithoutCancel(ctx), d.scene)
	d.took.add(time.Since(began))
	if d.Settle > 0 {
		sleep(ctx, d.Settle)
	}
	d.run.shut(w)
	if !d.run.stopped.Load() { // then no answer is to come
		raise(&w.gap, int64(time.Since(d.run.began))-w.last.Load())
	}
	if err != nil {
		d.failed++
		if d.first == "" {
			d.first = fmt.Sprintf("the %d.: %v", d.took.latency().Count, err)
		}
	}
	d.all.merge(&w.took)
	if l := w.took.latency(); l.Count > 0 {
		d.p99s = append(d.p99s, l.P99)
	}
	d.gap = max(d.gap, time.Duration(w.gap.Load()))
	d.faults += w.faults.Load()
}

// open makes every answer and fault count for w too.
func (r *run) open(w *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(slices.Clone(*r.windows.Load()), w)
	r.windows.Store(&all)
}

func (r *run) shut(w *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(*r.windows.Load()), func(o *window) bool { return o == w })
	r.windows.Store(&all)
}

// Disturbed is what came of one [Disturbance].
type Disturbed struct {
	Name   string  `json:"name"`
	Times  uint64  `json:"times"`
	Failed int     `json:"failed"`
	First  string  `json:"first,omitempty"` // error
	Took   Latency `json:"took"`            // from its beginning to its end
	// Answers is the latency of answers in the windows from the beginning of one to its end and Settle.
	Answers   Latency       `json:"answers"`
	P99Median time.Duration `json:"p99_median_ns"` // median over the windows of their 99th percentiles
	WorstGap  time.Duration `json:"worst_gap_ns"`  // without any right answer, in a window
	Faults    uint64        `json:"faults"`        // in the windows
}

func (d *disturbed) result() Disturbed {
	took := d.took.latency()
	res := Disturbed{
		Name: d.Name, Times: took.Count, Failed: d.failed, First: d.first, Took: took,
		Answers: d.all.latency(), WorstGap: d.gap, Faults: d.faults,
	}
	if len(d.p99s) > 0 {
		slices.Sort(d.p99s)
		res.P99Median = d.p99s[len(d.p99s)/2]
	}
	return res
}
