// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

func ExampleEvery() {
	left := 3
	err := looping.Every(context.Background(), 10*time.Millisecond, func(context.Context) error {
		fmt.Println(left)
		if left--; left == 0 {
			return looping.Done
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 3
	// 2
	// 1
	// <nil>
}

func ExampleValue() {
	n := 0
	square, err := looping.Value[int](looping.Every(context.Background(), time.Millisecond, func(context.Context) error {
		if n++; n*n > 50 {
			return looping.DoneWith(n * n)
		}
		return nil
	}))
	fmt.Println(square, err)
	// Output: 64 <nil>
}

func ExampleCall() {
	report := func(context.Context) error { return nil }
	c := looping.Call{
		Name:         "report",
		InitialDelay: time.Second,
		GoOn:         true,
	}
	fmt.Println(c.Every(context.Background(), 60, report)) // a unit is missing
	// Output: looping call report: interval: 60ns: want 100µs to 100 years
}

func ExampleDynamic() {
	delays := []time.Duration{time.Millisecond, 2 * time.Millisecond}
	err := looping.Dynamic(context.Background(), func(context.Context) (time.Duration, error) {
		if len(delays) == 0 {
			return 0, errors.New("no more")
		}
		d := delays[0]
		delays = delays[1:]
		fmt.Println("again in", d)
		return d, nil
	})
	fmt.Println(err)
	// Output:
	// again in 1ms
	// again in 2ms
	// no more
}

func ExampleBackoff() {
	p := looping.Pace{Start: time.Millisecond, Timeout: 20 * time.Millisecond, Random: func() float64 { return 1 }}
	err := looping.Call{Name: "join"}.Backoff(context.Background(), p, func(context.Context) (bool, error) {
		fmt.Println("not yet")
		return false, nil
	})
	fmt.Println(err)
	// Output:
	// not yet
	// not yet
	// not yet
	// not yet
	// not yet
	// looping call join: timeout after 16.25ms of failures
}

func ExampleRetry() {
	errBusy := errors.New("busy")
	calls := 0
	port, err := looping.Retry(context.Background(), looping.Retries{
		On:   looping.Errors(errBusy),
		Step: time.Millisecond,
		Max:  5,
		OnRetry: func(n int, delay time.Duration, err error) {
			fmt.Printf("retry %d in %v: %v\n", n, delay, err)
		},
	}, func(context.Context) (int, error) {
		if calls++; calls < 3 {
			return 0, errBusy
		}
		return 8774, nil
	})
	fmt.Println(port, err)
	// Output:
	// retry 1 in 1ms: busy
	// retry 2 in 2ms: busy
	// 8774 <nil>
}
