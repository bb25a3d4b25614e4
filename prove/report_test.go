// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

func TestLatency(t *testing.T) {
	var all []time.Duration
	for i := range 10_000 {
		all = append(all, time.Duration(i+1)*37*time.Microsecond)
	}
	l := prove.LatencyOf(all...)
	if l.Count != 10_000 || l.Worst != 370*time.Millisecond || l.Mean != 10_001*37*time.Microsecond/2 {
		t.Errorf("%+v", l)
	}
	for share, got := range map[float64]time.Duration{0.5: l.P50, 0.9: l.P90, 0.99: l.P99, 0.999: l.P999} {
		want := all[int(share*10_000)-1]
		if off := math.Abs(float64(got-want)) / float64(want); off > 1.0/64 {
			t.Errorf("%v of all: %v, want %v", share, got, want)
		}
	}
	for _, d := range []time.Duration{0, 1, 127, 128, 129, time.Hour, 100 * time.Hour, math.MaxInt64} {
		if l := prove.LatencyOf(d); l.Worst != d || l.P50 > d || d < 30*time.Minute && float64(d-l.P50) > float64(d)/64 {
			t.Errorf("%d alone: %+v", d, l)
		}
	}
	if l := prove.LatencyOf(); l != (prove.Latency{}) {
		t.Errorf("of nothing: %+v", l)
	}
}

func TestJudge(t *testing.T) {
	good := prove.Report{Requests: 10, Answered: 10}
	fault := func(f prove.Fault) prove.Report {
		r := good
		f.Count = 3
		r.Faults = []prove.Fault{f}
		return r
	}
	for name, c := range map[string]struct {
		report prove.Report
		limits prove.Limits
		want   []string // in the lines, one each
	}{
		"all well":               {report: good},
		"no answer":              {report: prove.Report{}, want: []string{"0 right answers, want at least 1"}},
		"too few answers":        {report: good, limits: prove.Limits{Answers: 11}, want: []string{"10 right answers, want at least 11"}},
		"a fault":                {report: fault(prove.Fault{Class: prove.Lost, Cause: prove.EOF, Moment: prove.Sent, First: "x"}), want: []string{"3 lost: EOF, sent, new connection: x"}},
		"a fault allowed":        {report: fault(prove.Fault{Class: prove.Lost}), limits: prove.Limits{Faults: map[prove.Class]uint64{prove.Lost: 3}}},
		"a fault over the bound": {report: fault(prove.Fault{Class: prove.Wrong}), limits: prove.Limits{Faults: map[prove.Class]uint64{prove.Wrong: 2}}, want: []string{"3 wrong"}},
		"excused":                {report: fault(prove.Fault{Class: prove.Lost, Excused: true}), limits: prove.Limits{Excused: -1}},
		"too many excused":       {report: fault(prove.Fault{Class: prove.Lost, Excused: true}), limits: prove.Limits{Excused: 2}, want: []string{"3 lost in the hands"}},
		"closes":                 {report: prove.Report{Answered: 1, Closes: prove.Closes{Idle: 1, Reset: 2, Announced: 4, Busy: 8}}, limits: prove.Limits{Closes: 6}, want: []string{"7 kept connections"}},
		"closes of any number":   {report: prove.Report{Answered: 1, Closes: prove.Closes{Idle: 1}}, limits: prove.AnyCloses},
		"slow":                   {report: prove.Report{Answered: 1, Latency: prove.Latency{Worst: time.Second}}, limits: prove.Limits{Worst: time.Millisecond}, want: []string{"worst answer took 1s"}},
		"silent":                 {report: prove.Report{Answered: 1, WorstGap: time.Second}, limits: prove.Limits{WorstGap: time.Millisecond}, want: []string{"no answer for 1s"}},
		"a reload that failed":   {report: prove.Report{Answered: 1, Disturbed: []prove.Disturbed{{Name: "reload", Times: 2, Failed: 1, First: "y"}}}, want: []string{"1 of 2 times reload failed, y"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.report.Judge(c.limits)
			if len(got) != len(c.want) || !slices.EqualFunc(got, c.want, strings.Contains) {
				t.Errorf("Judge = %q, want %q", got, c.want)
			}
		})
	}
}

func TestBodiesTellWhoseTheyAre(t *testing.T) {
	seen := map[string]bool{}
	for client := range 3 {
		for serial := range uint64(50) {
			b := prove.BodyOf(100, client, serial)
			c, s, ok := prove.LabelOf(b)
			if c != client || s != serial || !ok {
				t.Fatalf("LabelOf = %d %d %t, want %d %d", c, s, ok, client, serial)
			}
			_, rest, _ := strings.Cut(string(b), "\n")
			if len(rest) != 100 || seen[rest] {
				t.Fatalf("%d bytes behind the label, seen before: %t", len(rest), seen[rest])
			}
			seen[rest] = true
		}
	}
	if _, _, ok := prove.LabelOf([]byte("hello, world\n")); ok {
		t.Error("a label in what is none")
	}
}
