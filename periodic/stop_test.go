// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

func TestShutdownWaitsForRunsAndBeginsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		queued := j.task("queued", 10*time.Second, 25*time.Second)
		queued.Overlap = periodic.OverlapQueue
		s := scheduler(t, periodic.Options{}, queued, j.task("quick", 10*time.Second, 0))
		done := make(chan error)
		go func() { done <- s.Serve(t.Context()) }()
		time.Sleep(32 * time.Second)
		start := time.Now()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("Shutdown took %v, want 3s", got)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
		if got := j.of("queued"); !slices.Equal(got, seconds(10)) {
			t.Errorf("queued began at %v", got)
		}
		if st := state(t, s, "queued"); st.LastError != "" || st.State != "stopped" || !st.Next.IsZero() {
			t.Errorf("State = %+v, want a clean run, stopped", st)
		}
	})
}

func TestShutdownNamesWhoIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := scheduler(t, periodic.Options{}, periodic.Task{Name: "deaf", Every: time.Second,
			Run: func(context.Context) error { <-gate; return nil }})
		serveCtx, cancelServe := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(serveCtx) }()
		time.Sleep(4 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		var late *periodic.LateError
		if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v, want a LateError", err)
		}
		if want := "periodic: still running: deaf (since 13s): context deadline exceeded"; err.Error() != want {
			t.Errorf("Shutdown = %q, want %q", err, want)
		}
		// Serve waits for what it started, whatever that does.
		cancelServe()
		time.Sleep(time.Hour)
		select {
		case err := <-done:
			t.Fatalf("Serve = %v while its run goes on", err)
		default:
		}
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
}

func TestShutdownBeforeServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scheduler(t, periodic.Options{}, newJournal().task("task", time.Second, 0))
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := s.Serve(t.Context()); err != nil {
			t.Errorf("Serve = %v", err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Errorf("Start = %v", err)
		}
		stop := serve(t, s)
		time.Sleep(time.Second + 1)
		if got := state(t, s, "task").Runs; got != 1 {
			t.Errorf("%d runs after a new start, want 1", got)
		}
		stop()
	})
}

func TestOnlyOneServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scheduler(t, periodic.Options{}, newJournal().task("task", time.Second, 0))
		stop := serve(t, s)
		if err := s.Serve(t.Context()); !errors.Is(err, periodic.ErrServing) {
			t.Errorf("second Serve = %v, want ErrServing", err)
		}
		if _, err := s.RunDue(t.Context()); !errors.Is(err, periodic.ErrServing) {
			t.Errorf("RunDue = %v, want ErrServing", err)
		}
		stop()
	})
}

func TestX14TasksComeAndGoWhileItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scheduler(t, periodic.Options{Concurrency: 2})
		for i := range 10 {
			n := 0
			err := s.Add(periodic.Task{Name: fmt.Sprint(i), Every: time.Second, Overlap: periodic.OverlapQueue, Run: func(ctx context.Context) error {
				n++
				sleep(ctx, 900*time.Millisecond)
				name := fmt.Sprint("child ", i, n)
				err := s.Add(periodic.Task{Name: name, Every: time.Millisecond, Immediately: true, Run: nothing})
				s.Remove(fmt.Sprint("child ", i, n-1))
				s.States()
				return err
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve(t.Context()) }()
		time.Sleep(5500 * time.Millisecond)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
		// What was added is there for the next time.
		children := 0
		for _, st := range s.States() {
			if st.Failures > 0 {
				t.Errorf("State = %+v, want no failures", st)
			}
			if strings.HasPrefix(st.Name, "child") {
				children++
			}
		}
		if children == 0 {
			t.Error("no task was added")
		}
	})
}
