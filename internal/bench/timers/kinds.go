// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package timers

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/looping"
	"github.com/mainstay-go/mainstay/periodic"
)

// Kinds are those that need nothing but this module.
var Kinds = []Kind{Ticker, AfterFunc, Every, Periodic}

// Ticker is a goroutine with a time.Ticker for each call: what everybody writes by hand.
var Ticker = Kind{Name: "ticker", Start: func(p Plan, tick func(i int)) (func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range p.Calls {
		wg.Go(func() { tickBare(ctx, p, i, tick) })
	}
	return func() error {
		cancel()
		wg.Wait()
		return nil
	}, nil
}}

func tickBare(ctx context.Context, p Plan, i int, tick func(i int)) {
	t := time.NewTicker(p.Delay(i))
	defer t.Stop()
	for first := true; ; first = false {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if first {
			t.Reset(p.Interval)
		}
		tick(i)
	}
}

// AfterFunc is a time.AfterFunc for each call that sets itself anew: nothing but the runtime's timer
// while it waits.
var AfterFunc = Kind{Name: "afterfunc", Start: func(p Plan, tick func(i int)) (func() error, error) {
	var (
		mu      sync.RWMutex // held for reading while a call runs
		stopped bool
		timers  = make([]*time.Timer, p.Calls)
		ready   sync.WaitGroup
	)
	ready.Add(1)
	for i := range timers {
		delay := p.Delay(i)
		due := time.Now().Add(delay)
		timers[i] = time.AfterFunc(delay, func() {
			ready.Wait() // timers[i] is not set before
			mu.RLock()
			defer mu.RUnlock()
			if !stopped {
				tick(i)
				due = due.Add(p.Interval)
				timers[i].Reset(time.Until(due))
			}
		})
	}
	ready.Done()
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		for _, t := range timers {
			t.Stop()
		}
		return nil
	}, nil
}}

// Every is looping.Every for each call, in a goroutine of its own.
var Every = Kind{Name: "every", Start: func(p Plan, tick func(i int)) (func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range p.Calls {
		wg.Go(func() {
			looping.Call{InitialDelay: p.Delay(i)}.Every(ctx, p.Interval, func(context.Context) error {
				tick(i)
				return nil
			})
		})
	}
	return func() error {
		cancel()
		wg.Wait()
		return nil
	}, nil
}}

// Periodic is a task of one periodic.Scheduler for each call, with a name and a state.
var Periodic = Kind{Name: "periodic", Start: func(p Plan, tick func(i int)) (func() error, error) {
	s, err := periodic.New(periodic.Options{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stop := func() error {
		cancel()
		return <-done
	}
	for i := range p.Calls {
		err := s.Add(periodic.Task{Name: strconv.Itoa(i), Every: p.Interval, Delay: p.Delay(i), Run: func(context.Context) error {
			tick(i)
			return nil
		}})
		if err != nil {
			return nil, errors.Join(err, stop())
		}
	}
	return stop, nil
}}
