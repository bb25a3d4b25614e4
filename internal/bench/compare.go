// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// clients is how many connections the load generator keeps busy.
const clients = 64

// A figure is a way to look at a load: what it measures, in which unit.
type figure struct {
	name string
	unit string
	of   func(loadResult) float64
}

// text writes a value with as many digits as mean something.
func (f figure) text(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f%s", v, f.unit)
	}
	return fmt.Sprintf("%.3g%s", v, f.unit)
}

var (
	throughput = figure{"requests/s", "/s", func(r loadResult) float64 { return float64(r.Requests) / r.Elapsed.Seconds() }}
	tail       = figure{"p99", " ms", func(r loadResult) float64 { return millis(r.P99) }}
	cost       = figure{"CPU per request", " µs", func(r loadResult) float64 { return micros(r.ServerCPU) / float64(r.Requests) }}
)

// A goal is the target of one figure's ratio: at least or at most, if it is not 0.
type goal struct{ atLeast, atMost float64 }

// compare returns a row that measures x and its base in turn and gives their ratios.
func compare(x, base kind, goals map[string]goal) func(context.Context, *bench) ([]result, error) {
	return func(ctx context.Context, b *bench) ([]result, error) {
		var xs, bases []loadResult
		for range b.pairs {
			for _, side := range []struct {
				kind
				results *[]loadResult
			}{{base, &bases}, {x, &xs}} {
				r, err := side.measure(ctx, b)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", side.name, err)
				}
				*side.results = append(*side.results, r)
			}
		}
		var results []result
		for _, f := range []figure{throughput, tail, cost} {
			results = append(results, ratioResult(f, x.name, base.name, xs, bases, goals[f.name]))
		}
		return results, nil
	}
}

// ratioResult makes a line of the ratio of each pair.
func ratioResult(f figure, xName, baseName string, xs, bases []loadResult, g goal) result {
	var ratios, xAbs, baseAbs []float64
	for i := range xs {
		xAbs, baseAbs = append(xAbs, f.of(xs[i])), append(baseAbs, f.of(bases[i]))
		ratios = append(ratios, xAbs[i]/baseAbs[i])
	}
	m := median(ratios)
	r := result{
		name:     fmt.Sprintf("%s, %s : %s", f.name, xName, baseName),
		measured: fmt.Sprintf("%.3f", m),
		detail: fmt.Sprintf("quartiles %.3f to %.3f; %s : %s", quantile(ratios, 0.25), quantile(ratios, 0.75),
			f.text(median(xAbs)), f.text(median(baseAbs))),
	}
	switch {
	case g.atLeast > 0:
		r.target, r.reached = fmt.Sprintf(">= %g", g.atLeast), m >= g.atLeast
	case g.atMost > 0:
		r.target, r.reached = fmt.Sprintf("<= %g", g.atMost), m <= g.atMost
	}
	return r
}

// measure starts a server, loads it once and stops it. Any wrong answer is an error.
func (k kind) measure(ctx context.Context, b *bench) (loadResult, error) {
	s, err := k.start(b)
	if err != nil {
		return loadResult{}, err
	}
	defer s.stop()
	r, err := b.generate(ctx, load{
		Addr: s.addr, Path: "/", Body: b.body, Clients: clients, Warm: b.warm, Window: b.window, Pids: s.pids(),
	})
	switch {
	case err != nil:
		return r, err
	case r.Faults > 0:
		return r, fmt.Errorf("%d faults, the first: %s", r.Faults, r.Fault)
	case r.Requests == 0:
		return r, errors.New("no request was answered")
	}
	return r, nil
}

// generate runs a load in a process of its own.
func (b *bench) generate(ctx context.Context, l load) (loadResult, error) {
	var res loadResult
	in, err := json.Marshal(l)
	if err != nil {
		return res, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.Warm+l.Window+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.self, loadCommand)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return res, fmt.Errorf("load generator: %w: %s", err, firstLine(stderr.String()))
	}
	return res, json.Unmarshal(out, &res)
}

func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile returns the q-quantile of v, between the two nearest values where it falls there.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
