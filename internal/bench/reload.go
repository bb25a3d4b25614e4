// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// What is allowed in a reload under half load, and for one of workers with nothing to do.
const (
	reloadTail  = 1.25 // p99, over that at rest
	reloadWorst = 100 * time.Millisecond
	rollAllowed = 100 * time.Millisecond
)

const (
	// reloadAfter is the mean time of load before a window that is looked at.
	reloadAfter = 400 * time.Millisecond
	// reloadSettle is how long after a reload is done answers count as in it.
	reloadSettle = 100 * time.Millisecond
	// reloadShare is the part of the capacity at which the server is loaded.
	reloadShare = 0.5
)

// reloadLatencyRow returns a row of the latencies in a reload, beside those of the same server at rest.
// Load is open: a request is late from when it was due.
func reloadLatencyRow(k kind, sig syscall.Signal, targets bool) func(context.Context, *bench) ([]result, error) {
	return func(ctx context.Context, b *bench) ([]result, error) {
		s, err := k.start(b)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		l := s.load(b)
		l.Clients, l.Fresh, l.Think = clients, 0, 0
		l.Duration = b.window
		full, err := l.Run(ctx)
		if err != nil {
			return nil, err
		}
		if full.Answered == 0 || full.Count() > 0 {
			return nil, fmt.Errorf("capacity: %d answers, %d faults", full.Answered, full.Count())
		}
		l.Duration = 0
		l.Rate = reloadShare * float64(full.Answered) / full.Elapsed.Seconds()
		v := &reloadLatency{rate: l.Rate}
		for i := range b.reloads {
			if err := v.pair(ctx, s, l, sig, i%2 == 0); err != nil {
				return nil, err
			}
		}
		return v.results(k, sig, targets), nil
	}
}

// A reloadLatency is what was seen in reloads, and in a window of the same length at rest beside each.
type reloadLatency struct {
	rate   float64 // asked for, per second
	kept   []float64
	in     []prove.Latency
	rest   []prove.Latency
	took   []float64 // until the old processes were gone, in milliseconds
	last   time.Duration
	faults uint64
	first  string
}

// pair takes one reload and one window at rest, each in a load of its own. Which of them is first takes
// turns, as workers are new after a reload; the very first is a reload, which says how long a window is.
func (v *reloadLatency) pair(ctx context.Context, s *server, l prove.Load, sig syscall.Signal, reloadFirst bool) error {
	reload := func() error {
		begun := time.Now()
		err := s.roll(sig)
		v.last = time.Since(begun)
		v.took = append(v.took, millis(v.last))
		return err
	}
	rest := func() error {
		time.Sleep(v.last)
		return nil
	}
	steps := []func() error{
		func() error { return v.window(ctx, l, &v.in, reload) },
		func() error { return v.window(ctx, l, &v.rest, rest) },
	}
	if !reloadFirst {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// window loads the server and adds the latencies from the beginning of do to its end and a bit to all.
func (v *reloadLatency) window(ctx context.Context, l prove.Load, all *[]prove.Latency, do func() error) error {
	l.Disturb = []prove.Disturbance{{
		Name: "window", Every: reloadAfter, Times: 1, Settle: reloadSettle,
		Do: func(context.Context, *prove.Scene) error { return do() },
	}}
	r, err := l.Run(ctx)
	if err != nil {
		return err
	}
	d := r.Disturbed[0]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case d.Failed > 0:
		return errors.New(d.First)
	case d.Answers.Count == 0:
		return errors.New("no answer in the window")
	}
	if n := r.Count(); n > 0 {
		v.faults += n
		v.first = r.Faults[0].String()
	}
	v.kept = append(v.kept, float64(r.Answered)/r.Elapsed.Seconds()/v.rate)
	*all = append(*all, d.Answers)
	return nil
}

// results are two lines: the ratio of each reload's p99 to that of the window at rest beside it, and the
// worst answer of all reloads.
func (v *reloadLatency) results(k kind, sig syscall.Signal, targets bool) []result {
	var ratios, in, rest []float64
	var worst, restWorst time.Duration
	for i := range v.in {
		in, rest = append(in, millis(v.in[i].P99)), append(rest, millis(v.rest[i].P99))
		ratios = append(ratios, in[i]/rest[i])
		worst, restWorst = max(worst, v.in[i].Worst), max(restWorst, v.rest[i].Worst)
	}
	m := median(ratios)
	tail := result{
		name:     fmt.Sprintf("p99 in a reload : at rest, %s, half load", k.name),
		measured: fmt.Sprintf("%.3f", m),
		detail: fmt.Sprintf("quartiles %.3f to %.3f; %.3g : %.3g ms; %d reloads by %v, done in %s; %.0f requests/s asked for, %.0f %% of it kept",
			quantile(ratios, 0.25), quantile(ratios, 0.75), median(in), median(rest), len(v.in), sig, spread(v.took), v.rate, 100*median(v.kept)),
	}
	if v.faults > 0 {
		tail.detail += fmt.Sprintf("; %d requests failed, %s", v.faults, v.first)
	}
	most := result{
		name:     fmt.Sprintf("worst answer in a reload, %s, half load", k.name),
		measured: fmt.Sprintf("%.3g ms", millis(worst)),
		detail:   fmt.Sprintf("at rest %.3g ms, in as many windows of the same length", millis(restWorst)),
	}
	if targets {
		tail.target, tail.reached = fmt.Sprintf("<= %g", reloadTail), m <= reloadTail && v.faults == 0
		most.target, most.reached = fmt.Sprintf("<= %d ms", reloadWorst.Milliseconds()), worst <= reloadWorst
	}
	return []result{tail, most}
}

// rollRow measures reloads of two workers with nothing to do, from the signal until the old ones are gone
// and new ones are there. nginx, where it is installed, takes turns.
func rollRow(ctx context.Context, b *bench) ([]result, error) {
	sides := []kind{twoWorkers, nginx}
	servers, times := make([]*server, len(sides)), make([][]float64, len(sides))
	for i, k := range sides {
		s, err := k.start(b)
		if errors.Is(err, errNotInstalled) && i > 0 {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		defer s.stop()
		servers[i] = s
	}
	for range b.pairs {
		for i, s := range servers {
			if s == nil {
				continue
			}
			select { // whatever follows a start or a reload is over by then
			case <-time.After(reloadAfter):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			begun := time.Now()
			if err := s.roll(syscall.SIGHUP); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			times[i] = append(times[i], millis(time.Since(begun)))
		}
	}
	return rollResults(sides, times), nil
}

// rollResults are a line with the first side's time, and one with its ratio to that of the other.
func rollResults(sides []kind, times [][]float64) []result {
	m := median(times[0])
	results := []result{{
		name:     "HUP to the old workers gone, idle, " + sides[0].name,
		target:   fmt.Sprintf("< %d ms", rollAllowed.Milliseconds()),
		measured: fmt.Sprintf("%.1f ms", m),
		reached:  m < millis(rollAllowed),
		detail:   spread(times[0]),
	}}
	ratio := result{name: fmt.Sprintf("HUP to the old workers gone, idle, %s : %s", sides[0].name, sides[1].name)}
	if len(times[1]) == 0 {
		ratio.measured, ratio.detail = "not installed", "make interop installs it"
	} else {
		var ratios []float64
		for i := range times[0] {
			ratios = append(ratios, times[0][i]/times[1][i])
		}
		ratio.measured = fmt.Sprintf("%.3f", median(ratios))
		ratio.detail = fmt.Sprintf("quartiles %.3f to %.3f; %s : %s",
			quantile(ratios, 0.25), quantile(ratios, 0.75), spread(times[0]), spread(times[1]))
	}
	return append(results, ratio)
}

// replaced reports whether none of the old processes is among those there are now, and enough of them
// are there.
func replaced(old, now []int, workers int) bool {
	return len(now) >= workers && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(old, pid) })
}
