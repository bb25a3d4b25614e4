// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

// hourly is a calendar of full hours, in UTC; synctest begins at one.
type hourly struct{}

func (hourly) Next(t time.Time) time.Time { return t.UTC().Truncate(time.Hour).Add(time.Hour) }
func (hourly) String() string             { return "@hourly" }

// onCalendar runs a task by the full hour and returns the journal of its starts.
func onCalendar(t *testing.T, task periodic.Task) (*journal, *periodic.Scheduler, *periodic.Clock) {
	j := newJournal()
	task.Name, task.Schedule, task.Run = "task", hourly{}, j.task("task", 0, 0).Run
	s := scheduler(t, periodic.Options{}, task)
	return j, s, periodic.SetClock(s)
}

func hours(n ...float64) []time.Duration {
	var d []time.Duration
	for _, n := range n {
		d = append(d, time.Duration(n*3600+0.5)*time.Second)
	}
	return d
}

func TestACalendarIsMetExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s, _ := onCalendar(t, periodic.Task{Immediately: true})
		epoch := time.Now()
		stop := serve(t, s)
		time.Sleep(3*time.Hour + time.Minute)
		if got := j.of("task"); !slices.Equal(got, hours(0, 1, 2, 3)) {
			t.Errorf("starts %v", got)
		}
		if st := state(t, s, "task"); st.Schedule != "@hourly" || !st.Next.Equal(epoch.Add(4*time.Hour)) {
			t.Errorf("State = %+v, want the next at 4:00", st)
		}
		stop()
	})
}

func TestJitterOfACalendarDoesNotAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s, _ := onCalendar(t, periodic.Task{Jitter: 10 * time.Minute})
		periodic.SetRandom(s, func() float64 { return 0.3 })
		stop := serve(t, s)
		time.Sleep(3*time.Hour + 4*time.Minute)
		stop()
		if got := j.of("task"); !slices.Equal(got, hours(1.05, 2.05, 3.05)) {
			t.Errorf("starts %v", got)
		}
	})
}

func TestX12CalendarsFollowTheWallClock(t *testing.T) {
	const quarter = 15 * time.Minute
	for name, c := range map[string]struct {
		step    time.Duration // at 1:30
		catchUp periodic.CatchUp
		want    []float64 // hours since the start, by the monotonic clock
		missed  uint64
		slack   time.Duration // the step is noticed with this delay
	}{
		"forward over no date":         {step: quarter, want: []float64{1, 1.75, 2.75, 3.75}},
		"forward over three, once":     {step: 3 * time.Hour, want: []float64{1, 1.5, 2, 3, 4}, missed: 2, slack: 5 * time.Second},
		"forward over three, all":      {step: 3 * time.Hour, catchUp: periodic.CatchUpAll, want: []float64{1, 1.5, 1.5, 1.5, 2, 3, 4}, slack: 5 * time.Second},
		"forward over three, none":     {step: 3 * time.Hour, catchUp: periodic.CatchUpNone, want: []float64{1, 2, 3, 4}, missed: 3},
		"forward over one, none":       {step: time.Hour, catchUp: periodic.CatchUpNone, want: []float64{1, 2, 3, 4}, missed: 1},
		"back over no date":            {step: -quarter, want: []float64{1, 2.25, 3.25, 4.25}},
		"back over one: not repeated":  {step: -time.Hour, want: []float64{1, 3, 4}},
		"back by days: begun anew":     {step: -50 * time.Hour, want: []float64{1, 2, 3, 4}},
		"a second: the clock is tuned": {step: time.Second, want: []float64{1, 2 - 1./3600, 3 - 1./3600, 4 - 1./3600}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, s, clock := onCalendar(t, periodic.Task{CatchUp: c.catchUp})
				stop := serve(t, s)
				time.Sleep(90*time.Minute + time.Second)
				clock.StepWall(c.step)
				time.Sleep(177 * time.Minute)
				got := j.of("task")
				ok := len(got) == len(c.want)
				for i := range min(len(got), len(c.want)) {
					off := got[i] - hours(c.want[i])[0]
					ok = ok && (off.Abs() < time.Millisecond || got[i] < 91*time.Minute && off <= c.slack+time.Second)
				}
				if !ok {
					t.Errorf("starts %v, want %v hours", got, c.want)
				}
				if st := state(t, s, "task"); st.Missed != c.missed {
					t.Errorf("State = %+v, want %d missed", st, c.missed)
				}
				stop()
			})
		})
	}
}

func TestACalendarThatEnds(t *testing.T) {
	for name, next := range map[string]func(n int, t time.Time) time.Time{
		"well":          func(n int, t time.Time) time.Time { return time.Time{} },
		"by standing":   func(n int, t time.Time) time.Time { return t },
		"by panicking":  func(n int, t time.Time) time.Time { panic("no more") },
		"by going back": func(n int, t time.Time) time.Time { return t.Add(-time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, n := newJournal(), 0
				task := j.task("task", 0, 0)
				task.Schedule = calendar(func(t time.Time) time.Time {
					if n++; n < 5 { // New asks once, too
						return t.Add(time.Minute)
					}
					return next(n, t)
				})
				s := scheduler(t, periodic.Options{}, task, j.task("other", time.Hour, 0))
				stop := serve(t, s)
				time.Sleep(2*time.Hour + 1)
				if got := j.of("task"); !slices.Equal(got, seconds(60, 120, 180)) {
					t.Errorf("starts %v", got)
				}
				if got := state(t, s, "task"); got.State != "done" || !got.Next.IsZero() {
					t.Errorf("State = %+v, want done", got)
				}
				if got := j.of("other"); len(got) != 2 {
					t.Errorf("the other task began at %v", got)
				}
				stop()
			})
		})
	}
}
