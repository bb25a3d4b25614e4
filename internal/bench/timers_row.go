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
	"path/filepath"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/internal/bench/timers"
)

// timersCommand as first argument makes this program a measurement of timed calls.
const timersCommand = "timers"

// timersPeers is the program with the libraries of other people, a module of its own so that these do
// not get into go.mod, and so not into the version selection of programs that import mainstay.
const timersPeers = "internal/bench/peers/timers"

// A timerSide is a way to make timed calls, and what it is to reach: 0 is no target.
type timerSide struct {
	kind    string
	peer    bool    // in timersPeers
	base    string  // the kind that cpu and memory are ratios to
	cpu     float64 // at most so many times that of base
	memory  float64
	bytes   float64 // each, at most
	p99     time.Duration
	stopped time.Duration
}

// timerSides are measured in this order, each round anew. A kind has to be in timers.Kinds, or among
// those of the peers' program.
var timerSides = []timerSide{
	{kind: "ticker"},
	{kind: "afterfunc", base: "ticker"},
	{kind: "every", base: "ticker", cpu: 1.1, memory: 1.1, stopped: 200 * time.Millisecond},
	{kind: "periodic", base: "afterfunc", cpu: 1.3, bytes: 700, p99: 3 * time.Millisecond, stopped: 200 * time.Millisecond},
	{kind: "robfig-cron", peer: true, base: "ticker"},
	{kind: "gocron", peer: true, base: "ticker"},
}

// timersRow measures very many timed calls, each way in a process of its own. What cannot be measured
// fails alone.
func timersRow(ctx context.Context, b *bench) ([]result, error) {
	programs := map[bool][]string{false: {b.self, timersCommand}}
	peers, missing := b.buildTimersPeers(ctx)
	if missing == nil {
		programs[true] = []string{peers}
	}
	found, failed := map[string][]timers.Result{}, map[string]error{}
	for range b.timerRounds {
		for _, s := range timerSides {
			if failed[s.kind] != nil || programs[s.peer] == nil {
				continue
			}
			r, err := b.timed(ctx, s.kind, programs[s.peer])
			if err != nil {
				failed[s.kind] = err
				continue
			}
			found[s.kind] = append(found[s.kind], r)
		}
	}
	var results []result
	var errs []error
	for _, s := range timerSides {
		switch {
		case programs[s.peer] == nil:
			results = append(results, result{name: "timers, " + s.kind, measured: "not installed", detail: firstLine(missing.Error())})
		case failed[s.kind] != nil || s.base != "" && failed[s.base] != nil:
			errs = append(errs, failed[s.kind])
		default:
			results = append(results, s.lines(found)...)
		}
	}
	return results, errors.Join(errs...)
}

// timed measures one kind.
func (b *bench) timed(ctx context.Context, kind string, program []string) (timers.Result, error) {
	var r timers.Result
	p := b.timers
	p.Kind = kind
	in, err := json.Marshal(p)
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Warm+p.Window+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("timers, %s: %w: %s", kind, err, firstLine(stderr.String()))
	}
	return r, json.Unmarshal(out, &r)
}

// lines are what the table says of one side.
func (s timerSide) lines(found map[string][]timers.Result) []result {
	line := func(what, text string, of func(timers.Result) float64, atMost float64, ratio bool, unit string) result {
		var own, v []float64
		for i, r := range found[s.kind] {
			own = append(own, of(r))
			v = append(v, of(r))
			if ratio {
				v[i] /= of(found[s.base][i])
			}
		}
		r := result{
			name:     "timers, " + what + ", " + s.kind,
			measured: fmt.Sprintf("%.3g%s", median(v), unit),
			detail:   fmt.Sprintf("%.3g to %.3g%s; %s", quantile(v, 0), quantile(v, 1), unit, fmt.Sprintf(text, median(own))),
		}
		if ratio {
			r.name += " : " + s.base
		}
		if atMost > 0 {
			r.target, r.reached = fmt.Sprintf("<= %g%s", atMost, unit), median(v) <= atMost
		}
		return r
	}
	cpu := func(r timers.Result) float64 { return 100 * r.CPU }
	size := func(r timers.Result) float64 { return r.Bytes }
	late := func(r timers.Result) float64 { return millis(r.P99) }
	stop := func(r timers.Result) float64 { return millis(r.Stop) }
	var results []result
	if s.base == "" {
		results = append(results,
			line("CPU", "%.3g %% of a core", cpu, 0, false, " %"),
			line("memory", "%.4g bytes each", size, s.bytes, false, " B"))
	} else {
		results = append(results,
			line("CPU", "%.3g %% of a core", cpu, s.cpu, true, ""),
			line("memory", "%.4g bytes each", size, s.memory, true, ""))
		if s.bytes > 0 {
			results = append(results, line("memory", "%.4g bytes each", size, s.bytes, false, " B"))
		}
	}
	kept := line("p99 late", "%.3g ms", late, millis(s.p99), false, " ms")
	rate := line("", "", func(r timers.Result) float64 { return 100 * r.Rate }, 0, false, "")
	kept.detail = strings.TrimSpace(rate.measured) + " % of the calls were made; " + kept.detail
	return append(results, kept, line("stop of all", "%.3g ms", stop, millis(s.stopped), false, " ms"))
}

// buildTimersPeers builds the program of the peers, whose modules may have to be fetched for it.
func (b *bench) buildTimersPeers(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find this module: %w", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), timersPeers)
	program := filepath.Join(filepath.Dir(b.bare), "timers-peers")
	cmd := exec.CommandContext(ctx, "go", "build", "-C", dir, "-o", program, ".")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", timersPeers, err, firstLine(stderr.String()))
	}
	return program, nil
}
