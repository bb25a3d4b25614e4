// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

type calendar func(time.Time) time.Time

func (c calendar) Next(t time.Time) time.Time { return c(t) }

type nilCalendar struct{ days []int }

func (c *nilCalendar) Next(t time.Time) time.Time { return t.AddDate(0, 0, c.days[0]) }

func TestWhatIsRefused(t *testing.T) {
	daily := calendar(func(t time.Time) time.Time { return t.Add(24 * time.Hour) })
	for name, c := range map[string]struct {
		task  periodic.Task
		field string
		want  error // nil: none of the sentinels
	}{
		"no name":         {periodic.Task{Every: time.Second, Run: nothing}, "Name", periodic.ErrName},
		"no function":     {periodic.Task{Name: "bad", Every: time.Second}, "Run", periodic.ErrNoFunc},
		"no interval":     {periodic.Task{Name: "bad", Run: nothing}, "Every", periodic.ErrInterval},
		"negative":        {periodic.Task{Name: "bad", Every: -time.Second, Run: nothing}, "Every", periodic.ErrInterval},
		"seconds as ns":   {periodic.Task{Name: "bad", Every: 60, Run: nothing}, "Every", periodic.ErrInterval},
		"centuries":       {periodic.Task{Name: "bad", Every: 1<<63 - 1, Run: nothing}, "Every", periodic.ErrInterval},
		"both":            {periodic.Task{Name: "bad", Every: time.Second, Schedule: daily, Run: nothing}, "Every", periodic.ErrBoth},
		"delay below 0":   {periodic.Task{Name: "bad", Every: time.Second, Delay: -1, Run: nothing}, "Delay", periodic.ErrDelay},
		"at once, later":  {periodic.Task{Name: "bad", Every: time.Second, Delay: 1, Immediately: true, Run: nothing}, "Delay", periodic.ErrDelay},
		"delayed dates":   {periodic.Task{Name: "bad", Schedule: daily, Delay: 1, Run: nothing}, "Delay", periodic.ErrDelay},
		"much jitter":     {periodic.Task{Name: "bad", Every: time.Second, Jitter: time.Second, Run: nothing}, "Jitter", periodic.ErrJitter},
		"jitter of years": {periodic.Task{Name: "bad", Schedule: daily, Jitter: 1<<63 - 1, Run: nothing}, "Jitter", periodic.ErrJitter},
		"timeout":         {periodic.Task{Name: "bad", Every: time.Second, Timeout: -1, Run: nothing}, "Timeout", periodic.ErrTimeout},
		"overlap":         {periodic.Task{Name: "bad", Every: time.Second, Overlap: 9, Run: nothing}, "Overlap", periodic.ErrOption},
		"catch-up":        {periodic.Task{Name: "bad", Every: time.Second, CatchUp: 9, Run: nothing}, "CatchUp", periodic.ErrOption},
		"scope":           {periodic.Task{Name: "bad", Every: time.Second, Scope: 9, Run: nothing}, "Scope", periodic.ErrOption},
		"no leases":       {periodic.Task{Name: "bad", Every: time.Second, Scope: periodic.OncePerCluster, Run: nothing}, "Scope", periodic.ErrNoLeases},
		"no state path":   {periodic.Task{Name: "bad", Every: time.Second, Scope: periodic.OncePerHost, Run: nothing}, "Scope", periodic.ErrNoState},
		"no date": {periodic.Task{Name: "bad", Run: nothing, Schedule: calendar(func(time.Time) time.Time { return time.Time{} })},
			"Schedule", periodic.ErrNever},
		"dates that stand still": {periodic.Task{Name: "bad", Run: nothing, Schedule: calendar(func(t time.Time) time.Time { return t })},
			"Schedule", periodic.ErrBackward},
		"a nil calendar": {periodic.Task{Name: "bad", Run: nothing, Schedule: (*nilCalendar)(nil)}, "Schedule", nil},
		"twice":          {periodic.Task{Name: "good", Every: time.Second, Run: nothing}, "Name", periodic.ErrDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			tasks := periodic.Tasks{{Name: "good", Every: time.Second, Run: nothing}, c.task}
			_, err := periodic.New(periodic.Options{}, tasks...)
			for how, err := range map[string]error{
				"New": err, "Check": tasks.Check(t.Context()), "Start": tasks.Start(t.Context()), "Serve": tasks.Serve(t.Context()),
			} {
				var te *periodic.TaskError
				if !errors.As(err, &te) || te.Task != c.task.Name || te.Field != c.field {
					t.Fatalf("%s = %v, want a TaskError of %q", how, err, c.field)
				}
				if c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%s = %v, want %v", how, err, c.want)
				}
				if !strings.Contains(err.Error(), `task "`+c.task.Name+`": `+c.field) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s = %q, want a line that names task and field", how, err)
				}
			}
			if err := tasks.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown = %v", err)
			}
		})
	}
}

func TestWhatARefusalSays(t *testing.T) {
	for want, task := range map[string]periodic.Task{
		`periodic: task "reap": Every -5s must be from 1ms to 87840h0m0s, or Schedule be set`: {Name: "reap", Every: -5 * time.Second, Run: nothing},
		`periodic: task "reap": Run must be a function`:                                       {Name: "reap", Every: time.Second},
		`periodic: task "": Name "" must not be empty`:                                        {Every: time.Second, Run: nothing},
		`periodic: task "reap": Scope "cluster" needs Options.Leases`:                         {Name: "reap", Every: time.Second, Scope: periodic.OncePerCluster, Run: nothing},
	} {
		_, err := periodic.New(periodic.Options{}, task)
		if err == nil || err.Error() != want {
			t.Errorf("New = %q, want %q", err, want)
		}
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	for want, o := range map[string]periodic.Options{
		"Concurrency -1":     {Concurrency: -1},
		"FuzzyDelay -1ns":    {FuzzyDelay: -1},
		"LeaseTime 1ms":      {LeaseTime: time.Millisecond},
		"LeaseTime -1s":      {LeaseTime: -time.Second},
		"FuzzyDelay 2562047": {FuzzyDelay: 1<<63 - 1},
	} {
		if _, err := periodic.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) = %v, want an error about %s", o, err, want)
		}
	}
}

func TestSpaced(t *testing.T) {
	for spacing, want := range map[time.Duration]struct {
		every    time.Duration
		disabled bool
	}{
		0:           {time.Minute, false},
		-1:          {time.Minute, true},
		time.Second: {time.Second, false},
	} {
		task := periodic.Task{Name: "task", Run: nothing}.Spaced(spacing)
		if task.Every != want.every || task.Disabled != want.disabled {
			t.Errorf("Spaced(%v) = %v, %v, want %v", spacing, task.Every, task.Disabled, want)
		}
		if _, err := periodic.New(periodic.Options{}, task); err != nil {
			t.Errorf("New = %v", err)
		}
	}
}

func TestAContextWithoutALease(t *testing.T) {
	if token, ok := periodic.Token(context.Background()); token != 0 || ok {
		t.Errorf("Token = %d, %v, want 0, false", token, ok)
	}
	if got := periodic.LeaseName(context.Background()); got != "" {
		t.Errorf("LeaseName = %q", got)
	}
}
