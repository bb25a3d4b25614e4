// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mainstay-go/mainstay/service"
)

func TestEvenOut(t *testing.T) {
	for name, c := range map[string]struct{ held, want []int }{
		"nobody":             {nil, nil},
		"one":                {[]int{7}, []int{7}},
		"even":               {[]int{16, 16, 16, 16}, []int{16, 16, 16, 16}},
		"nearly even":        {[]int{18, 15, 15, 16}, []int{18, 15, 15, 16}},
		"one has most":       {[]int{61, 1, 1, 1}, []int{16, 16, 16, 16}},
		"one has none":       {[]int{21, 21, 22, 0}, []int{16, 16, 16, 16}},
		"fewer than workers": {[]int{2, 0, 0, 0}, []int{2, 0, 0, 0}},
		"none":               {[]int{0, 0}, []int{0, 0}},
		"two":                {[]int{10, 2}, []int{6, 6}},
	} {
		got := slices.Clone(c.held)
		moved := service.EvenOut(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v becomes %v, want %v", name, c.held, got, c.want)
		}
		if len(moved) > 0 && slices.Equal(got, c.held) {
			t.Errorf("%s: %v moves for nothing", name, moved)
		}
	}
	// Whatever the kernel deals out: at most 1.25 times the mean with 64 clients on 4 workers, and quiet
	// after that.
	for seed := range uint64(10_000) {
		random := rand.New(rand.NewPCG(seed, 0))
		held := make([]int, 4)
		for range 64 {
			held[random.IntN(4)]++
		}
		was := slices.Clone(held)
		service.EvenOut(held)
		if total := held[0] + held[1] + held[2] + held[3]; slices.Max(held) > 20 || total != 64 {
			t.Fatalf("seed %d: %v becomes %v", seed, was, held)
		}
		if again := service.EvenOut(held); len(again) > 0 {
			t.Fatalf("seed %d: %v is not at rest: %v", seed, held, again)
		}
	}
}
