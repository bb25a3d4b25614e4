// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package timers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A Plan is what a process is asked to measure.
type Plan struct {
	Kind     string
	Calls    int           // timed calls, each once in Interval, their phases spread over it
	Interval time.Duration // whole seconds, for the sake of libraries that know no others
	Warm     time.Duration // after the first of all calls
	Window   time.Duration // what is measured, after Warm
	Base     time.Time     // set here: when the phases are counted from
}

// A Result is what was measured.
type Result struct {
	CPU   float64       // share of one core, in the window
	Bytes float64       // anonymous memory for each call, while they wait
	P50   time.Duration // lateness of a call, in the window
	P99   time.Duration
	Rate  float64       // calls there were of those there should have been
	Stop  time.Duration // from the wish to stop until nothing runs any more
}

// A Kind is one way to make timed calls. Start arranges for p.Calls calls and returns at once, or when
// it has begun. Call i calls tick(i) each time, first after Phase(i) or a whole number of intervals
// later. Stop ends them all: no tick is called once it has returned.
type Kind struct {
	Name    string
	Aligned bool // calls are due at full seconds, phases or not: so lateness counts from there
	Start   func(p Plan, tick func(i int)) (stop func() error, err error)
}

// Phase returns when in its interval call i is due.
func (p Plan) Phase(i int) time.Duration {
	return time.Duration(int64(p.Interval) / int64(p.Calls) * int64(i))
}

// Delay returns how long from now call i is due for the first time: not in the first interval, in which
// all are started, and a moment ahead, for libraries that take no start in the past.
func (p Plan) Delay(i int) time.Duration {
	d := time.Until(p.Base.Add(p.Interval + p.Phase(i)))
	for d < time.Millisecond {
		d += p.Interval
	}
	return d
}

// Serve reads a plan, carries it out by one of kinds and writes the result.
func Serve(r io.Reader, w io.Writer, kinds []Kind) error {
	var p Plan
	if err := json.NewDecoder(r).Decode(&p); err != nil {
		return err
	}
	for _, k := range kinds {
		if k.Name == p.Kind {
			res, err := p.measure(k)
			if err != nil {
				return fmt.Errorf("%s: %w", k.Name, err)
			}
			return json.NewEncoder(w).Encode(res)
		}
	}
	return fmt.Errorf("no timers of kind %q", p.Kind)
}

func (p Plan) measure(k Kind) (Result, error) {
	var res Result
	if p.Calls < 1 || p.Interval < time.Second || p.Interval%time.Second != 0 || p.Window < p.Interval {
		return res, fmt.Errorf("plan %+v cannot be measured", p)
	}
	before, err := memory()
	if err != nil {
		return res, err
	}
	p.Base = time.Now()
	g := &gauge{base: p.Base, interval: p.Interval}
	tick := func(i int) { g.tick(p.Phase(i)) }
	if k.Aligned {
		second := p.Base.Truncate(p.Interval).Sub(p.Base) // of the wall clock, as such libraries reckon
		tick = func(int) { g.tick(second) }
	}
	stop, err := k.Start(p, tick)
	if err != nil {
		return res, err
	}
	time.Sleep(2*p.Interval + p.Warm)
	after, err := memory()
	if err != nil {
		return res, err
	}
	res.Bytes = float64(after-before) / float64(p.Calls)
	if err := g.window(p, &res); err != nil {
		return res, err
	}
	asked := time.Now()
	if err := stop(); err != nil {
		return res, err
	}
	res.Stop = time.Since(asked)
	stopped := g.calls.Load()
	time.Sleep(p.Interval + p.Interval/2)
	if late := g.calls.Load() - stopped; late > 0 {
		return res, fmt.Errorf("%d calls after the stop", late)
	}
	return res, nil
}

// A gauge counts calls and how late they are.
type gauge struct {
	base     time.Time
	interval time.Duration
	open     atomic.Bool // the window
	calls    atomic.Int64
	late     [buckets]atomic.Int64
}

// Lateness is counted in buckets of 20 µs; what is later than the last is in the last.
const (
	buckets    = 50_000
	bucketSize = 20 * time.Microsecond
)

// tick is a call that was due at phase of some interval: what is later than an interval cannot be
// told from what is not, but shows as calls that are missing.
func (g *gauge) tick(phase time.Duration) {
	g.calls.Add(1)
	if g.open.Load() {
		late := (time.Since(g.base) - phase) % g.interval
		g.late[min(late/bucketSize, buckets-1)].Add(1)
	}
}

// window measures for p.Window.
func (g *gauge) window(p Plan, res *Result) error {
	runtime.GC()
	cpu, err := cpuTime()
	if err != nil {
		return err
	}
	calls, began := g.calls.Load(), time.Now()
	g.open.Store(true)
	time.Sleep(p.Window)
	g.open.Store(false)
	took, n := time.Since(began), g.calls.Load()-calls
	end, err := cpuTime()
	if err != nil {
		return err
	}
	res.CPU = float64(end-cpu) / float64(took)
	res.Rate = float64(n) / (float64(p.Calls) * float64(took) / float64(p.Interval))
	res.P50, res.P99 = g.quantile(0.5), g.quantile(0.99)
	if n == 0 {
		return errors.New("no calls")
	}
	return nil
}

func (g *gauge) quantile(q float64) time.Duration {
	total := int64(0)
	for i := range g.late {
		total += g.late[i].Load()
	}
	seen := int64(0)
	for i := range g.late {
		if seen += g.late[i].Load(); float64(seen) >= q*float64(total) {
			return time.Duration(i+1) * bucketSize
		}
	}
	return buckets * bucketSize
}

// memory returns the anonymous memory of this process, in bytes, once garbage is gone.
func memory() (int, error) {
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if name, value, _ := strings.Cut(line, ":"); name == "RssAnon" {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/self/status has no RssAnon")
}

// cpuTime returns the CPU time that this process has taken.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
