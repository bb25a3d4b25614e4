// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"sync"
)

// Tasks are periodic tasks as a service, with the default options:
//
//	reaper := periodic.Tasks{{Name: "reap", Every: time.Minute, Run: reap}}
//
// [New] makes the same of it with [Options]. Its methods are those of a [Scheduler] that belongs to the
// slice: do not change the slice, nor copy tasks out of it into another, once a method was called.
// Without any task there is nothing to serve, and Serve returns nil.
type Tasks []Task

// homes guards Task.home: the scheduler of a Tasks is kept where the slice is.
var homes sync.Mutex

func (ts Tasks) scheduler() (*Scheduler, error) {
	homes.Lock()
	defer homes.Unlock()
	if ts[0].home == nil {
		s, err := New(Options{}, ts...)
		if err != nil {
			return nil, err
		}
		ts[0].home = s
	}
	return ts[0].home, nil
}

// Name returns DefaultName.
func (ts Tasks) Name() string { return DefaultName }

// Check returns the TaskError of the first task that is refused.
func (ts Tasks) Check(context.Context) error {
	_, err := New(Options{}, ts...)
	return err
}

// Start returns the TaskError of the first task that is refused.
func (ts Tasks) Start(ctx context.Context) error {
	if len(ts) == 0 {
		return nil
	}
	s, err := ts.scheduler()
	if err != nil {
		return err
	}
	return s.Start(ctx)
}

// Serve runs the tasks: see [Scheduler.Serve].
func (ts Tasks) Serve(ctx context.Context) error {
	if len(ts) == 0 {
		return nil
	}
	s, err := ts.scheduler()
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}

// Shutdown drains: see [Scheduler.Shutdown].
func (ts Tasks) Shutdown(ctx context.Context) error {
	if len(ts) == 0 {
		return nil
	}
	s, err := ts.scheduler()
	if err != nil {
		return nil // nothing of it ever ran
	}
	return s.Shutdown(ctx)
}

// Inspect returns the states of the tasks: see [Scheduler.Inspect].
func (ts Tasks) Inspect() map[string]any {
	if len(ts) == 0 {
		return map[string]any{"tasks": []State{}}
	}
	s, err := ts.scheduler()
	if err != nil {
		return map[string]any{"tasks": []State{}}
	}
	return s.Inspect()
}
