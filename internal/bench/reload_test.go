// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// TestReloadLatencyResults holds that each reload is compared with the window at rest beside it, and that
// the worst answer is that of all reloads.
func TestReloadLatencyResults(t *testing.T) {
	ms := func(p99, worst int) prove.Latency {
		return prove.Latency{Count: 1, P99: time.Duration(p99) * time.Millisecond, Worst: time.Duration(worst) * time.Millisecond}
	}
	v := &reloadLatency{
		rate: 1000, kept: []float64{1, 0.99, 1}, took: []float64{30, 20, 40},
		in:   []prove.Latency{ms(3, 9), ms(6, 120), ms(20, 30)}, // the machine is slow in the last two
		rest: []prove.Latency{ms(2, 5), ms(5, 8), ms(20, 40)},
	}
	got := v.results(kind{name: "x"}, syscall.SIGHUP, true)
	want := []result{{
		name: "p99 in a reload : at rest, x, half load", measured: "1.200", target: "<= 1.25", reached: true,
		detail: "quartiles 1.100 to 1.350; 6 : 5 ms; 3 reloads by hangup, done in 30.0 (20.0 to 40.0) ms; 1000 requests/s asked for, 100 % of it kept",
	}, {
		name: "worst answer in a reload, x, half load", measured: "120 ms", target: "<= 100 ms",
		detail: "at rest 40 ms, in as many windows of the same length",
	}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("result %d = %+v,\nwant %+v", i, got[i], want[i])
		}
	}

	v.faults, v.first = 1, "lost: reset"
	if got := v.results(kind{name: "x"}, syscall.SIGHUP, true)[0]; got.reached || !strings.HasSuffix(got.detail, "; 1 requests failed, lost: reset") {
		t.Errorf("with a fault: %+v, want the target missed, and why", got)
	}
	if got := v.results(kind{name: "x"}, syscall.SIGHUP, false); got[0].target != "" || got[1].target != "" {
		t.Errorf("a peer: %+v, want no targets", got)
	}
}

func TestRollResults(t *testing.T) {
	sides := []kind{{name: "x"}, {name: "base"}}
	got := rollResults(sides, [][]float64{{20, 50, 30}, {40, 50, 30}})
	want := []result{{
		name: "HUP to the old workers gone, idle, x", measured: "30.0 ms", target: "< 100 ms", reached: true,
		detail: "30.0 (20.0 to 50.0) ms",
	}, {
		name: "HUP to the old workers gone, idle, x : base", measured: "1.000",
		detail: "quartiles 0.750 to 1.000; 30.0 (20.0 to 50.0) ms : 40.0 (30.0 to 50.0) ms",
	}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("result %d = %+v,\nwant %+v", i, got[i], want[i])
		}
	}
	got = rollResults(sides, [][]float64{{100}, nil})
	if got[0].reached || got[1].measured != "not installed" {
		t.Errorf("at the limit, without a peer: %+v", got)
	}
}

func TestReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		old, now []int
		workers  int
		want     bool
	}{
		"all are new":     {[]int{1, 2}, []int{3, 4}, 2, true},
		"one is old":      {[]int{1, 2}, []int{3, 4, 2}, 2, false},
		"too few are new": {[]int{1, 2}, []int{3}, 2, false},
		"one more is new": {[]int{1, 2}, []int{3, 4, 5}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := replaced(c.old, c.now, c.workers); got != c.want {
				t.Errorf("replaced(%v, %v, %d) = %v, want %v", c.old, c.now, c.workers, got, c.want)
			}
		})
	}
}
