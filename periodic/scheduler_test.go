// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/service"
)

var (
	_ service.Service    = (*periodic.Scheduler)(nil)
	_ service.Starter    = (*periodic.Scheduler)(nil)
	_ service.Shutdowner = (*periodic.Scheduler)(nil)
	_ service.Checker    = (*periodic.Scheduler)(nil)
	_ service.Namer      = (*periodic.Scheduler)(nil)
	_ service.Service    = periodic.Tasks(nil)
	_ service.Starter    = periodic.Tasks(nil)
	_ service.Shutdowner = periodic.Tasks(nil)
	_ service.Checker    = periodic.Tasks(nil)
	_ service.Namer      = periodic.Tasks(nil)
)

func TestTasksAreAServiceAsTheyStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		tasks := periodic.Tasks{j.task("reap", time.Minute, 0), j.task("sync", time.Hour, 0)}
		if err := tasks.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tasks.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- tasks.Serve(t.Context()) }()
		time.Sleep(3 * time.Minute)
		states, _ := tasks.Inspect()["tasks"].([]periodic.State)
		if len(states) != 2 || states[0].Runs < 2 || states[1].Runs != 0 {
			t.Errorf("Inspect = %+v, want runs of reap and none of sync", states)
		}
		if err := tasks.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
}

func TestNoTasksAreDoneAtOnce(t *testing.T) {
	var none periodic.Tasks
	if err := none.Start(t.Context()); err != nil {
		t.Errorf("Start = %v", err)
	}
	if err := none.Serve(t.Context()); err != nil {
		t.Errorf("Serve = %v", err)
	}
	if err := none.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	if got := fmt.Sprint(none.Inspect()); got != "map[tasks:[]]" {
		t.Errorf("Inspect = %v", got)
	}
}

func TestTasksUnderALauncher(t *testing.T) {
	ran := make(chan struct{}, 1)
	tasks := periodic.Tasks{{Name: "once", Every: time.Hour, Immediately: true,
		Run: func(context.Context) error { ran <- struct{}{}; return nil }}}
	l := service.NewServiceLauncher(service.Options{Signals: service.SignalsIgnored, Logger: quiet()})
	if err := l.Add(tasks); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- l.Run(t.Context()) }()
	<-ran
	if err := l.Stop(t.Context()); err != nil {
		t.Errorf("Stop = %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestAnIntervalIsFromStartToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := scheduler(t, periodic.Options{}, j.task("task", 10*time.Second, 4*time.Second))
		stop := serve(t, s)
		time.Sleep(41 * time.Second)
		stop()
		if got := j.of("task"); !slices.Equal(got, seconds(10, 20, 30, 40)) {
			t.Errorf("starts %v", got)
		}
	})
}

func TestTheFuzzyDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		now := j.task("now", time.Minute, 0)
		now.Immediately = true
		s := scheduler(t, periodic.Options{FuzzyDelay: 60 * time.Second}, j.task("task", 10*time.Second, 0), now)
		periodic.SetRandom(s, func() float64 { return 0.25 })
		stop := serve(t, s)
		time.Sleep(36 * time.Second)
		stop()
		if got := j.of("now"); !slices.Equal(got, seconds(15)) {
			t.Errorf("now began at %v", got)
		}
		if got := j.of("task"); !slices.Equal(got, seconds(25, 35)) {
			t.Errorf("task began at %v", got)
		}
	})
}

func TestTheFirstRunMayBeDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		soon, later := j.task("soon", 10*time.Second, 0), j.task("later", 10*time.Second, 0)
		soon.Delay, later.Delay = 3*time.Second, 25*time.Second
		stop := serve(t, scheduler(t, periodic.Options{}, soon, later))
		time.Sleep(36 * time.Second)
		stop()
		if got := j.of("soon"); !slices.Equal(got, seconds(3, 13, 23, 33)) {
			t.Errorf("soon began at %v", got)
		}
		if got := j.of("later"); !slices.Equal(got, seconds(25, 35)) {
			t.Errorf("later began at %v", got)
		}
	})
}

func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var tasks []periodic.Task
		for name, jitter := range map[string]time.Duration{"default": 0, "own": 10 * time.Second, "none": -1} {
			task := j.task(name, 100*time.Second, 0)
			task.Jitter = jitter
			tasks = append(tasks, task)
		}
		s := scheduler(t, periodic.Options{}, tasks...)
		periodic.SetRandom(s, func() float64 { return 0.5 })
		stop := serve(t, s)
		time.Sleep(320 * time.Second)
		stop()
		for name, want := range map[string][]time.Duration{
			"default": seconds(100, 202, 304),
			"own":     seconds(100, 205, 310),
			"none":    seconds(100, 200, 300),
		} {
			if got := j.of(name); !slices.Equal(got, want) {
				t.Errorf("%s began at %v, want %v", name, got, want)
			}
		}
	})
}

func TestTasksComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := scheduler(t, periodic.Options{}, j.task("early", 10*time.Second, 0))
		stop := serve(t, s)
		time.Sleep(15 * time.Second)
		if err := s.Add(j.task("late", time.Second, 0)); err != nil {
			t.Fatal(err)
		}
		if err := s.Add(j.task("late", time.Hour, 0)); !errors.Is(err, periodic.ErrDuplicate) {
			t.Errorf("Add = %v, want ErrDuplicate", err)
		}
		time.Sleep(2500 * time.Millisecond)
		if !s.Remove("late") || !s.Remove("early") || s.Remove("late") {
			t.Error("Remove is wrong about what there is")
		}
		time.Sleep(time.Minute)
		if err := s.Add(j.task("late", time.Second, 0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		stop()
		if got := j.of("early"); !slices.Equal(got, seconds(10)) {
			t.Errorf("early began at %v", got)
		}
		if got := j.of("late"); !slices.Equal(got, seconds(16, 17, 78.5)) {
			t.Errorf("late began at %v", got)
		}
	})
}

func TestTasksMayAddAndRemoveTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var s *periodic.Scheduler
		s = scheduler(t, periodic.Options{}, periodic.Task{Name: "maker", Every: 10 * time.Second, Run: func(context.Context) error {
			s.Remove("maker")
			return s.Add(j.task("made", 10*time.Second, 0))
		}})
		stop := serve(t, s)
		time.Sleep(25 * time.Second)
		stop()
		if got := j.of("made"); !slices.Equal(got, seconds(20)) {
			t.Errorf("made began at %v", got)
		}
	})
}

func TestRemovedTasksLeaveNoRoomTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scheduler(t, periodic.Options{}, periodic.Task{Name: "stays", Every: time.Hour, Run: nothing})
		stop := serve(t, s)
		for i := range 10_000 {
			name := fmt.Sprint(i)
			if err := s.Add(periodic.Task{Name: name, Every: time.Hour, Run: nothing}); err != nil {
				t.Fatal(err)
			}
			s.Remove(name)
		}
		if got := periodic.QueueLen(s); got > 200 {
			t.Errorf("%d slots for one task", got)
		}
		stop()
	})
}

func TestAPanicIsAnErrorOfThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		fault := errors.New("fault")
		s := scheduler(t, periodic.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))},
			periodic.Task{Name: "panics", Every: time.Second, Run: func(context.Context) error { panic(fault) }},
			periodic.Task{Name: "exits", Every: time.Second, Run: func(context.Context) error { runtime.Goexit(); return nil }})
		stop := serve(t, s)
		time.Sleep(2500 * time.Millisecond)
		stop()
		if st := state(t, s, "panics"); st.Failures != 2 || st.LastError != "panic: fault" {
			t.Errorf("State = %+v, want 2 panics", st)
		}
		if st := state(t, s, "exits"); st.Failures != 2 || st.Running != 0 {
			t.Errorf("State = %+v, want 2 failures", st)
		}
		if got := log.String(); !strings.Contains(got, "task=panics") || !strings.Contains(got, "scheduler_test.go") {
			t.Errorf("the log has no stack of the task:\n%s", got)
		}

		s = scheduler(t, periodic.Options{StopOnError: true}, periodic.Task{Name: "panics", Every: time.Second,
			Run: func(context.Context) error { panic(fault) }})
		err := s.Serve(t.Context())
		var p *periodic.PanicError
		if !errors.Is(err, fault) || !errors.As(err, &p) {
			t.Errorf("Serve = %v, want the panic", err)
		}
	})
}

func TestATaskThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		gate := make(chan struct{})
		s := scheduler(t, periodic.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))},
			periodic.Task{Name: "deaf", Every: time.Second, Timeout: 100 * time.Millisecond,
				Run: func(context.Context) error { <-gate; return nil }})
		stop := serve(t, s)
		time.Sleep(time.Hour + time.Millisecond)
		st := state(t, s, "deaf")
		if st.State != "running" || st.Runs != 1 || st.Skipped != 3599 || st.RunningMillis != 3599_001 {
			t.Errorf("State = %+v, want one run that skips the others", st)
		}
		if got := strings.Count(log.String(), "outlasts"); got != 1 {
			t.Errorf("%d lines in the log, want 1:\n%s", got, log.String())
		}
		close(gate)
		time.Sleep(1500 * time.Millisecond)
		if st := state(t, s, "deaf"); st.Runs < 2 {
			t.Errorf("State = %+v, want more runs after its end", st)
		}
		stop()
	})
}

func TestStateTellsWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		s := scheduler(t, periodic.Options{}, periodic.Task{Name: "task", Every: 10 * time.Second,
			Run: func(ctx context.Context) error { sleep(ctx, 2*time.Second); return errors.New("no luck") }})
		stop := serve(t, s)
		time.Sleep(11 * time.Second)
		want := periodic.State{Name: "task", Schedule: "every 10s", Scope: "worker", State: "running", Running: 1,
			RunningMillis: 1000, LastStart: epoch.Add(10 * time.Second), Next: epoch.Add(20 * time.Second), Runs: 1}
		got := state(t, s, "task")
		got.LastStart, got.Next = got.LastStart.UTC(), got.Next.UTC()
		want.LastStart, want.Next = want.LastStart.UTC(), want.Next.UTC()
		if got != want {
			t.Errorf("State = %+v, want %+v", got, want)
		}
		time.Sleep(2 * time.Second)
		got = state(t, s, "task")
		if got.State != "waiting" || got.LastMillis != 2000 || got.LastError != "no luck" || got.Failures != 1 {
			t.Errorf("State = %+v, want the failure after 2 s", got)
		}
		stop()
	})
}

func TestLateRunsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := scheduler(t, periodic.Options{Concurrency: 1},
			j.task("first", 10*time.Second, 2*time.Second), j.task("second", 10*time.Second, 0))
		stop := serve(t, s)
		time.Sleep(25 * time.Second)
		if got := state(t, s, "second").Late; got != 2 {
			t.Errorf("%d late, want 2", got)
		}
		if got := state(t, s, "first").Late; got != 0 {
			t.Errorf("%d late, want 0", got)
		}
		stop()
	})
}

func TestUseByMany(t *testing.T) {
	s := scheduler(t, periodic.Options{Concurrency: 3})
	done := make(chan error)
	go func() { done <- s.Serve(t.Context()) }()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				name := fmt.Sprint(g, i%10)
				s.Add(periodic.Task{Name: name, Every: time.Millisecond, Run: nothing, Immediately: true,
					Overlap: periodic.Overlap(i % 3), CatchUp: periodic.CatchUp(g % 3)})
				s.States()
				if i%3 == 0 {
					s.Remove(name)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
