// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

// A journal notes when tasks began, as time since it was made.
type journal struct {
	mu     sync.Mutex
	epoch  time.Time
	starts map[string][]time.Duration
}

func newJournal() *journal {
	return &journal{epoch: time.Now(), starts: map[string][]time.Duration{}}
}

// note notes a start of name.
func (j *journal) note(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.starts[name] = append(j.starts[name], time.Since(j.epoch))
}

// of returns the starts of name.
func (j *journal) of(name string) []time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.starts[name])
}

// task returns a task that notes its starts and takes so long.
func (j *journal) task(name string, every, takes time.Duration) periodic.Task {
	return periodic.Task{Name: name, Every: every, Run: func(ctx context.Context) error {
		j.note(name)
		return sleep(ctx, takes)
	}}
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// quiet is a logger for tests in which errors are expected.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// scheduler makes a scheduler that must not be refused, without jitter.
func scheduler(t *testing.T, o periodic.Options, tasks ...periodic.Task) *periodic.Scheduler {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet()
	}
	s, err := periodic.New(o, tasks...)
	if err != nil {
		t.Fatal(err)
	}
	periodic.SetRandom(s, func() float64 { return 0 })
	return s
}

// serve serves s in this bubble and returns what ends it and holds that it ended well.
func serve(t *testing.T, s interface{ Serve(context.Context) error }) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	synctest.Wait()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	}
}

// state returns the state of one task.
func state(t *testing.T, s *periodic.Scheduler, name string) periodic.State {
	t.Helper()
	for _, st := range s.States() {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("no task %q", name)
	return periodic.State{}
}

// seconds returns durations of so many seconds.
func seconds(n ...float64) []time.Duration {
	var d []time.Duration
	for _, n := range n {
		d = append(d, time.Duration(n*float64(time.Second)))
	}
	return d
}

func nothing(context.Context) error { return nil }
