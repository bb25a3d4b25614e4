// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/periodic"
)

// pass runs what is due and holds how long it then wants to sleep.
func pass(t *testing.T, s *periodic.Scheduler, idle time.Duration) {
	t.Helper()
	got, err := s.RunDue(t.Context())
	if err != nil || got != idle {
		t.Errorf("RunDue = %v, %v, want %v, nil", got, err, idle)
	}
}

func TestPT01TasksRunAsOftenAsTheyShould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs [6]atomic.Int32
		count := func(n int, err error) func(context.Context) error {
			return func(context.Context) error { runs[n].Add(1); return err }
		}
		s := scheduler(t, periodic.Options{},
			periodic.Task{Name: "failing", Run: count(0, errors.New("no"))}.Spaced(0),
			periodic.Task{Name: "default", Run: count(1, nil)}.Spaced(0),
			periodic.Task{Name: "slower", Run: count(2, nil)}.Spaced(70*time.Second),
			periodic.Task{Name: "at once", Immediately: true, Run: count(3, nil)}.Spaced(0),
		)
		check := func(want ...int32) {
			t.Helper()
			for n, want := range want {
				if got := runs[n].Load(); got != want {
					t.Errorf("after %v: task %d ran %d times, want %d", time.Now().Format("04:05"), n, got, want)
				}
			}
		}
		pass(t, s, time.Minute) // at 340
		check(0, 0, 0, 1)
		for n, d := range []time.Duration{0, 70 * time.Second} {
			if err := s.Add(periodic.Task{Name: fmt.Sprint("added ", n), Run: count(4+n, nil)}.Spaced(d)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(60 * time.Second) // 400
		pass(t, s, 10*time.Second)
		check(1, 1, 0, 2, 1, 0)
		time.Sleep(30 * time.Second) // 430
		pass(t, s, 30*time.Second)
		check(1, 1, 1, 2, 1, 1)
		time.Sleep(60 * time.Second) // 490
		pass(t, s, 0+30*time.Second)
		check(2, 2, 2, 3, 2, 2)
	})
}

func TestPT02AnIntervalDoesNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		s := scheduler(t, periodic.Options{}, periodic.Task{Name: "nine", Every: 9 * time.Second,
			Run: func(context.Context) error { runs++; return nil }})
		periodic.SetRandom(s, func() float64 { return 0.999 }) // without effect up to 20 s
		for i := range 200 {
			if _, err := s.RunDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := i / 9; runs != want {
				t.Fatalf("after %d s: %d runs, want %d", i, runs, want)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestPT03AnErrorEndsThePassOrServe(t *testing.T) {
	fault := errors.New("fault")
	synctest.Test(t, func(t *testing.T) {
		after := 0
		tasks := []periodic.Task{
			{Name: "bad", Every: time.Second, Run: func(context.Context) error { return fault }},
			{Name: "good", Every: time.Second, Run: func(context.Context) error { after++; return nil }},
		}
		want := func(err error) {
			t.Helper()
			var run *periodic.RunError
			if !errors.Is(err, fault) || !errors.As(err, &run) || run.Task != "bad" {
				t.Errorf("error %v, want that of the task, by name", err)
			}
		}
		s := scheduler(t, periodic.Options{StopOnError: true}, tasks...)
		pass(t, s, time.Second)
		time.Sleep(time.Second)
		_, err := s.RunDue(t.Context())
		want(err)
		if after != 0 {
			t.Error("the pass went on")
		}

		s = scheduler(t, periodic.Options{StopOnError: true, Concurrency: 1}, tasks...)
		start := time.Now()
		want(s.Serve(t.Context()))
		if got := time.Since(start); got != time.Second {
			t.Errorf("Serve ended after %v, want 1s", got)
		}
		// And it can serve again.
		want(s.Serve(t.Context()))
	})
}

func TestPT04TasksHaveTheirNames(t *testing.T) {
	s := scheduler(t, periodic.Options{},
		periodic.Task{Name: "first", Every: time.Second, Run: nothing},
		periodic.Task{Name: "second", Every: time.Second, Run: nothing})
	var names []string
	for _, st := range s.States() {
		names = append(names, st.Name)
	}
	if want := []string{"first", "second"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
}

func TestPT05TasksAreCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		off := j.task("off", time.Second, 0)
		off.Disabled = true
		s := scheduler(t, periodic.Options{},
			j.task("default", 1, 0).Spaced(0), j.task("four", 4*time.Second, 0), off)
		later := j.task("later", 3*time.Second, 0)
		later.External = true
		if err := s.Add(later); err != nil {
			t.Fatal(err)
		}
		stop := serve(t, s)
		time.Sleep(61 * time.Second)
		stop()
		for name, want := range map[string]int{"default": 1, "four": 15, "off": 0, "later": 20} {
			if got := len(j.of(name)); got != want {
				t.Errorf("%s ran %d times, want %d", name, got, want)
			}
		}
		if got := state(t, s, "off").State; got != "disabled" {
			t.Errorf("State = %q, want disabled", got)
		}
	})
}

func TestPT06PT07PT10WithNothingDueTheWaitIsAMinute(t *testing.T) {
	for name, spacing := range map[string]time.Duration{
		"PT-06: far away":          200 * time.Second,
		"PT-07: by default":        0,
		"PT-10: negative, so none": -1,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runs := 0
				s := scheduler(t, periodic.Options{}, periodic.Task{Name: "task",
					Run: func(context.Context) error { runs++; return nil }}.Spaced(spacing))
				pass(t, s, time.Minute)
				if spacing < 0 {
					time.Sleep(time.Hour)
					pass(t, s, time.Minute)
				}
				if runs != 0 {
					t.Errorf("%d runs, want none", runs)
				}
			})
		})
	}
}

func TestPT08AWaitEndsWithTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scheduler(t, periodic.Options{}, periodic.Task{Name: "ten", Every: 10 * time.Second, Run: nothing})
		pass(t, s, 10*time.Second)
		time.Sleep(5 * time.Second)
		pass(t, s, 5*time.Second)
		if st := state(t, s, "ten"); !st.LastStart.IsZero() || st.Runs != 0 {
			t.Errorf("State = %+v, want no run", st)
		}
		time.Sleep(5 * time.Second)
		pass(t, s, 10*time.Second)
		if st := state(t, s, "ten"); !st.LastStart.Equal(time.Now()) || st.Runs != 1 {
			t.Errorf("State = %+v, want a run now", st)
		}
	})
}

func TestPT09ATaskCanRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		s := scheduler(t, periodic.Options{}, periodic.Task{Name: "ten", Every: 10 * time.Second, Immediately: true,
			Run: func(context.Context) error { runs++; return nil }})
		pass(t, s, 10*time.Second)
		if runs != 1 {
			t.Errorf("%d runs, want 1", runs)
		}
		time.Sleep(5 * time.Second)
		pass(t, s, 5*time.Second)
	})
}

func TestPT11ExternalTasksAreAnOption(t *testing.T) {
	for value, want := range map[string]int{"": 1, "true": 1, "false": 0} {
		synctest.Test(t, func(t *testing.T) {
			conf := config.New(config.Options{Project: "nova", DefaultFiles: []string{}, DefaultDirs: []string{}, NoEnvironment: true})
			if err := conf.Register("DEFAULT", periodic.Config{}); err != nil {
				t.Fatal(err)
			}
			if err := conf.Parse(nil); err != nil {
				t.Fatal(err)
			}
			if value != "" {
				if err := conf.SetOverride("DEFAULT", "run_external_periodic_tasks", value); err != nil {
					t.Fatal(err)
				}
			}
			var o periodic.Options
			config.Get[periodic.Config](conf, "DEFAULT").Apply(&o)
			if o.FuzzyDelay != time.Minute || o.Disabled {
				t.Errorf("options %+v, want nova's defaults", o)
			}
			j := newJournal()
			task := j.task("external", time.Minute, 0)
			task.External = true
			s := scheduler(t, o, task)
			stop := serve(t, s)
			time.Sleep(61 * time.Second)
			stop()
			if got := len(j.of("external")); got != want {
				t.Errorf("run_external_periodic_tasks = %q: %d runs, want %d", value, got, want)
			}
			if want == 0 && state(t, s, "external").State != "external" {
				t.Errorf("State = %+v, want external", state(t, s, "external"))
			}
		})
	}
}

func TestPT12TheNearestBoundary(t *testing.T) {
	half := periodic.JitterOf(periodic.Task{Every: 200 * time.Second}, 0.5)
	full := periodic.JitterOf(periodic.Task{Every: 200 * time.Second}, 1)
	for _, c := range []struct {
		last, spacing, now int64
		jitter             time.Duration
		want               int64
	}{
		{10, 7, 19, 0, 17},
		{13, 7, 28, 0, 27},
		{781, 88, 1841, 0, 1837},
		{periodic.Never, 100, 19, full, 19},
		{1000, 200, 1300, full, 1210},
		{1000, 200, 1300, half, 1205},
	} {
		got := periodic.Boundary(c.last, c.spacing, c.now, int64(c.jitter/time.Second))
		if got != c.want {
			t.Errorf("boundary(%d, %d) at %d with %v = %d, want %d", c.last, c.spacing, c.now, c.jitter, got, c.want)
		}
	}
	for every, want := range map[time.Duration]time.Duration{
		20 * time.Second: 0, // of less than a second
		21 * time.Second: time.Second,
		time.Hour:        179 * time.Second,
	} {
		if got := periodic.JitterOf(periodic.Task{Every: every}, 0.999); got != want {
			t.Errorf("jitter of %v = %v, want %v", every, got, want)
		}
	}
}

func TestPT13NothingDueStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := scheduler(t, periodic.Options{Concurrency: 4}, j.task("ten", 10*time.Second, 0))
		stop := serve(t, s)
		time.Sleep(10*time.Second - 1)
		if st := state(t, s, "ten"); st.Runs != 0 || st.Running != 0 || !st.Next.Equal(time.Now().Add(1)) {
			t.Errorf("State = %+v, want no run, and the next in 1ns", st)
		}
		stop()
	})
}

func TestPT14EachDueTaskRunsOnceAndAllEndWithServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var tasks []periodic.Task
		for i := range 10 {
			tasks = append(tasks, j.task(fmt.Sprint(i), 10*time.Second, 3*time.Second))
		}
		s := scheduler(t, periodic.Options{}, tasks...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Serve(ctx) }()
		time.Sleep(11 * time.Second)
		for i := range 10 {
			if got := j.of(fmt.Sprint(i)); !slices.Equal(got, seconds(10)) {
				t.Errorf("task %d began at %v, want at 10s", i, got)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
		for _, st := range s.States() {
			if st.Running != 0 || st.LastError == "" {
				t.Errorf("State = %+v, want a run that was cancelled and is over", st)
			}
		}
	})
}

func TestPT15ResultsComeAsTheyAreReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		task := func(name string, takes time.Duration) periodic.Task {
			return periodic.Task{Name: name, Every: time.Minute, Run: func(ctx context.Context) error {
				err := sleep(ctx, takes)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
				return err
			}}
		}
		s := scheduler(t, periodic.Options{}, task("slow", 3*time.Second), task("quick", time.Second), task("medium", 2*time.Second))
		stop := serve(t, s)
		time.Sleep(time.Minute + 1500*time.Millisecond)
		if st := state(t, s, "quick"); st.LastMillis != 1000 || st.State != "waiting" {
			t.Errorf("State = %+v, want a result after 1s", st)
		}
		time.Sleep(2 * time.Second)
		stop()
		if want := []string{"quick", "medium", "slow"}; !slices.Equal(order, want) {
			t.Errorf("ends %q, want %q", order, want)
		}
	})
}

func TestPT16TasksFinishWhileAnotherHoldsALock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		gate := make(chan struct{})
		s := scheduler(t, periodic.Options{}, periodic.Task{Name: "stuck", Every: time.Second,
			Run: func(context.Context) error { <-gate; return nil }})
		for i := range 10 {
			if err := s.Add(j.task(fmt.Sprint(i), 5*time.Second, 9*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		stop := serve(t, s)
		time.Sleep(15*time.Second + time.Millisecond)
		for _, st := range s.States()[1:] {
			if st.LastMillis != 9000 || st.LastError != "" {
				t.Errorf("State = %+v, want a run of 9 s that is over", st)
			}
		}
		if st := state(t, s, "stuck"); st.Running != 1 || st.Skipped != 14 {
			t.Errorf("State = %+v, want one run, and 14 skipped", st)
		}
		close(gate)
		stop()
	})
}
