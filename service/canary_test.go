// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

func TestCanaryVerdict(t *testing.T) {
	usual := service.Canary{Errors: 0.05, Slowdown: 2, Requests: 20}
	strict := service.Canary{Errors: -1, Slowdown: 1, Requests: 1}
	many := func(served, failed uint64, mean time.Duration) service.Tally {
		return service.MakeTally(served, failed, 0, time.Duration(served)*mean)
	}
	stuck := func(running int, each time.Duration) service.Tally {
		return service.MakeTally(0, 0, running, time.Duration(running)*each)
	}
	for name, k := range map[string]struct {
		c           service.Canary
		canary, old service.Tally
		want        string
	}{
		"as good":                      {usual, many(100, 0, time.Millisecond), many(100, 0, time.Millisecond), ""},
		"a few errors more":            {usual, many(100, 5, 0), many(100, 0, 0), ""},
		"many errors more":             {usual, many(100, 6, 0), many(200, 0, 0), "6 of 100 requests failed, with the old workers 0 of 200"},
		"many errors with both":        {usual, many(100, 60, 0), many(100, 58, 0), ""},
		"one error, strictly":          {strict, many(100, 1, 0), many(100, 0, 0), "1 of 100 requests failed, with the old workers 0 of 100"},
		"too few requests":             {usual, many(19, 19, time.Second/2), many(100, 0, 0), ""},
		"too few to compare with":      {usual, many(100, 100, 0), many(19, 0, 0), ""},
		"slower, but by little":        {usual, many(100, 0, 5*time.Millisecond), many(100, 0, 0), ""},
		"slower, but not twice":        {usual, many(100, 0, 199*time.Millisecond), many(100, 0, 100*time.Millisecond), ""},
		"more than twice as slow":      {usual, many(100, 0, 201*time.Millisecond), many(100, 0, 100*time.Millisecond), "a request takes 201ms in the mean, with the old workers 100ms"},
		"all stuck":                    {usual, stuck(8, 10*time.Second), many(100, 0, time.Millisecond), "it is stuck: each of 8 requests takes 10s or more, with the old workers 1ms"},
		"all stuck, little to compare": {usual, stuck(2, 2*time.Second), many(3, 0, time.Millisecond), "it is stuck: each of 2 requests takes 2s or more, with the old workers 1ms"},
		"long requests with both":      {usual, stuck(8, 10*time.Second), many(100, 0, 6*time.Second), ""},
		"just begun":                   {usual, stuck(8, time.Second/2), many(100, 0, time.Millisecond), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := service.Verdict(k.c, k.canary, k.old); got != k.want {
				t.Errorf("verdict = %q, want %q", got, k.want)
			}
		})
	}
}
