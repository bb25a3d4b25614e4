// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

func TestOverlap(t *testing.T) {
	// A run takes 2.5 intervals.
	for name, c := range map[string]struct {
		overlap     periodic.Overlap
		concurrency int
		want        []time.Duration
		skipped     uint64
	}{
		"skip":                   {periodic.OverlapSkip, 0, seconds(10, 40, 70), 5},
		"queue":                  {periodic.OverlapQueue, 0, seconds(10, 35, 60, 85), 0},
		"concurrent":             {periodic.OverlapConcurrent, 0, seconds(10, 20, 30, 40, 50, 60, 70, 80), 0},
		"concurrent, two turns":  {periodic.OverlapConcurrent, 2, seconds(10, 20, 35, 45, 60, 70, 85), 0},
		"concurrent, in a queue": {periodic.OverlapConcurrent, 1, seconds(10, 35, 60, 85), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				task := j.task("task", 10*time.Second, 25*time.Second)
				task.Overlap = c.overlap
				s := scheduler(t, periodic.Options{Concurrency: c.concurrency}, task)
				stop := serve(t, s)
				time.Sleep(88 * time.Second)
				if got := j.of("task"); !slices.Equal(got, c.want) {
					t.Errorf("starts %v, want %v", got, c.want)
				}
				if got := state(t, s, "task").Skipped; got != c.skipped {
					t.Errorf("%d skipped, want %d", got, c.skipped)
				}
				stop()
			})
		})
	}
}

func TestAQueueHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		task := newJournal().task("task", time.Second, time.Hour)
		task.Overlap = periodic.OverlapQueue
		s := scheduler(t, periodic.Options{}, task)
		stop := serve(t, s)
		time.Sleep(301*time.Second + 1)
		if st := state(t, s, "task"); st.Queued != periodic.MaxBacklog || st.Skipped != 200 || st.Running != 1 {
			t.Errorf("State = %+v, want %d queued and 200 skipped", st, periodic.MaxBacklog)
		}
		stop()
	})
}

func TestASlowTaskDelaysNoOther(t *testing.T) {
	for concurrency, want := range map[int][]time.Duration{
		0: seconds(10, 20, 30, 40, 50),
		1: seconds(35, 65), // as upstream: one after the other, the rest is skipped
	} {
		synctest.Test(t, func(t *testing.T) {
			j := newJournal()
			s := scheduler(t, periodic.Options{Concurrency: concurrency},
				j.task("slow", 10*time.Second, 25*time.Second), j.task("quick", 10*time.Second, 0))
			stop := serve(t, s)
			time.Sleep(59 * time.Second)
			if concurrency == 1 {
				time.Sleep(30 * time.Second)
			}
			stop()
			if got := j.of("quick"); !slices.Equal(got, want) {
				t.Errorf("Concurrency %d: starts %v, want %v", concurrency, got, want)
			}
		})
	}
}

func TestTurnsAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var tasks []periodic.Task
		for i := range 5 {
			tasks = append(tasks, j.task(fmt.Sprint(i), time.Minute, time.Second))
		}
		stop := serve(t, scheduler(t, periodic.Options{Concurrency: 1}, tasks...))
		time.Sleep(90 * time.Second)
		stop()
		for i := range 5 {
			if got := j.of(fmt.Sprint(i)); !slices.Equal(got, seconds(60+float64(i))) {
				t.Errorf("task %d began at %v", i, got)
			}
		}
	})
}

func TestCatchUpAfterAPause(t *testing.T) {
	for name, c := range map[string]struct {
		catchUp periodic.CatchUp
		want    []time.Duration
		missed  uint64
	}{
		"once": {periodic.CatchUpOnce, seconds(10, 12, 15), 4},
		"all":  {periodic.CatchUpAll, seconds(10, 12, 12.1, 12.2, 12.3, 12.4, 15), 0},
		"none": {periodic.CatchUpNone, seconds(10, 15), 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				task := j.task("task", 10*time.Second, 100*time.Millisecond)
				task.CatchUp = c.catchUp
				s := scheduler(t, periodic.Options{}, task)
				clock := periodic.SetClock(s)
				stop := serve(t, s)
				time.Sleep(12 * time.Second)
				clock.Pause(s, 55*time.Second) // due at 20 to 60: five of them
				time.Sleep(12 * time.Second)
				if got := j.of("task"); !slices.Equal(got, c.want) {
					t.Errorf("starts %v, want %v", got, c.want)
				}
				if got := state(t, s, "task"); got.Missed != c.missed {
					t.Errorf("State = %+v, want %d missed", got, c.missed)
				}
				stop()
			})
		})
	}
}

func TestCatchUpHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		task := j.task("task", time.Second, 0)
		task.CatchUp = periodic.CatchUpAll
		s := scheduler(t, periodic.Options{}, task)
		clock := periodic.SetClock(s)
		stop := serve(t, s)
		clock.Pause(s, time.Hour)
		time.Sleep(time.Second / 2)
		if st := state(t, s, "task"); st.Runs != periodic.MaxBacklog || st.Missed != 3600-periodic.MaxBacklog {
			t.Errorf("State = %+v, want %d runs, and the rest missed", st, periodic.MaxBacklog)
		}
		stop()
	})
}

func TestX12IntervalsDoNotNoticeTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		timed := j.task("timed", 10*time.Second, time.Hour)
		timed.Timeout = 5 * time.Second
		s := scheduler(t, periodic.Options{}, j.task("task", 10*time.Second, 0), timed)
		clock := periodic.SetClock(s)
		stop := serve(t, s)
		for _, step := range []time.Duration{9 * time.Hour, -30 * time.Hour, 1000 * time.Hour} {
			time.Sleep(12 * time.Second)
			clock.StepWall(step)
		}
		time.Sleep(15 * time.Second)
		for _, name := range []string{"task", "timed"} {
			if got := j.of(name); !slices.Equal(got, seconds(10, 20, 30, 40, 50)) {
				t.Errorf("%s began at %v", name, got)
			}
		}
		if st := state(t, s, "timed"); st.LastMillis != 5000 || st.Late != 0 || st.Missed != 0 {
			t.Errorf("State = %+v, want a timeout after 5 s", st)
		}
		stop()
	})
}
