// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	for name, c := range map[string]struct {
		v    []float64
		q    float64
		want float64
	}{
		"median of an odd number":   {[]float64{9, 1, 5}, 0.5, 5},
		"median of an even number":  {[]float64{4, 1, 2, 3}, 0.5, 2.5},
		"one value":                 {[]float64{7}, 0.75, 7},
		"a quartile between values": {[]float64{1, 2, 3, 4}, 0.25, 1.75},
		"the least":                 {[]float64{3, 1, 2}, 0, 1},
		"the most":                  {[]float64{3, 1, 2}, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := quantile(c.v, c.q); got != c.want {
				t.Errorf("quantile(%v, %v) = %v, want %v", c.v, c.q, got, c.want)
			}
		})
	}
}

// TestRatioResult holds that ratios are those of pairs, not of medians: the machine slows down for
// both sides of the second pair.
func TestRatioResult(t *testing.T) {
	loads := func(requests ...int) []loadResult {
		var all []loadResult
		for _, n := range requests {
			all = append(all, loadResult{Requests: n, Elapsed: time.Second})
		}
		return all
	}
	xs, bases := loads(980, 490, 990), loads(1000, 500, 1000)
	for name, c := range map[string]struct {
		goal    goal
		target  string
		reached bool
	}{
		"reached":         {goal{atLeast: 0.97}, ">= 0.97", true},
		"missed":          {goal{atLeast: 0.99}, ">= 0.99", false},
		"at most, met":    {goal{atMost: 1}, "<= 1", true},
		"at most, missed": {goal{atMost: 0.9}, "<= 0.9", false},
		"no goal":         {goal{}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := ratioResult(throughput, "x", "base", xs, bases, c.goal)
			want := result{
				name: "requests/s, x : base", measured: "0.980", detail: "quartiles 0.980 to 0.985; 980/s : 1000/s",
				target: c.target, reached: c.reached,
			}
			if got != want {
				t.Errorf("ratioResult = %+v, want %+v", got, want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	tab := &table{setting: "here"}
	tab.add("good", []result{{name: "one", measured: "1", target: "<= 2", reached: true}}, nil)
	tab.add("peer", nil, fmt.Errorf("peer: %w", errNotInstalled))
	if err := tab.verdict(true); err != nil {
		t.Errorf("verdict = %v, want nil: a peer that is not installed is no failure", err)
	}
	tab.add("slow", []result{{name: "two", measured: "3", target: "<= 2"}}, nil)
	if err := tab.verdict(false); err != nil {
		t.Errorf("verdict = %v, want nil where targets do not count", err)
	}
	if err := tab.verdict(true); err == nil || !strings.Contains(err.Error(), "two: 3, target <= 2") {
		t.Errorf("strict verdict = %v, want it to name the target missed", err)
	}
	tab.add("broken", nil, errors.New("it broke\nat length"))
	if err := tab.verdict(false); err == nil {
		t.Error("verdict = nil although a row failed")
	}

	path := filepath.Join(t.TempDir(), "bench.md")
	if err := tab.record(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| one | <= 2 | 1 | yes |  |",
		"| two | <= 2 | 3 | NO |  |",
		"| peer |  | not installed |  | make interop installs it |",
		"| broken |  | failed |  | it broke |",
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("record has no line %q:\n%s", want, text)
		}
	}
}
