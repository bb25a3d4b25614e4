// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"fmt"
	"time"
)

// Limits of a task's numbers. What lies outside is a typing error, and refused as one.
const (
	MinEvery = time.Millisecond
	MaxEvery = 10 * 366 * 24 * time.Hour
)

// DefaultSpacing is the interval that 0 stands for in configuration files: see [Task.Spaced].
const DefaultSpacing = time.Minute

// A Task is work to be done again and again. Name, Run and one of Every and Schedule are needed; the
// zero value of everything else is what most tasks want.
type Task struct {
	// Name is the task's name in logs, errors and State, and of its lease. It is unique in its Tasks.
	Name string

	// Every is the interval from start to start, MinEvery to MaxEvery. It is measured on the monotonic
	// clock: changes of the wall clock do not touch it. See the package comment for the rule.
	Every time.Duration

	// Schedule is the calendar to run by instead: package periodic/cron makes one of an expression.
	Schedule Schedule

	// Run does the work. An error, a panic too, is logged and counted, and the task goes on with its
	// next run. Its ctx ends when Timeout is over, when the lease of the task is lost and when the
	// service must stop at once; a Shutdown waits for it. Token tells the fencing token from ctx.
	Run func(ctx context.Context) error

	// Immediately makes the first run at once, without waiting for one interval or the next date.
	Immediately bool

	// Delay is when the first run is due, from Serve or Add on, instead of one Every; 0 means one Every.
	// It must be 0 beside Immediately and beside Schedule. Negative is refused.
	Delay time.Duration

	// Disabled keeps the task from running; it is listed all the same.
	Disabled bool

	// External marks a task that may also be run by another process; Options.SkipExternal leaves it
	// to that one.
	External bool

	// Jitter is the most by which a run is put off at random, so that nodes do not work in step. For
	// Every it must be below the interval, and 0 means a twentieth of it in whole seconds, so none up
	// to 20 s; for Schedule 0 means none. Negative means none.
	Jitter time.Duration

	// Timeout bounds a run: its context ends then. 0 means no bound; negative is refused.
	Timeout time.Duration

	// Overlap says what happens when a run is due while the one before it still runs.
	Overlap Overlap

	// CatchUp says what happens to runs whose time passed while the process or the machine slept.
	CatchUp CatchUp

	// Scope says where the task runs if the program has several workers or hosts.
	Scope Scope

	home *Scheduler // of the Tasks that this is the first of
}

// A Schedule is a calendar: Next returns the first instant after t, the zero Time if there is none. It
// is called by one goroutine at a time and must not block. If it has a String method, State shows it.
type Schedule interface {
	Next(t time.Time) time.Time
}

// Spaced returns the task with the interval that a configuration file of oslo programs gives: 0 is
// DefaultSpacing, below 0 disables the task.
func (t Task) Spaced(spacing time.Duration) Task {
	switch {
	case spacing < 0:
		t.Every, t.Disabled = DefaultSpacing, true
	case spacing == 0:
		t.Every = DefaultSpacing
	default:
		t.Every = spacing
	}
	return t
}

// Overlap says what happens when a run is due while the one before it still runs.
type Overlap uint8

const (
	OverlapSkip       Overlap = iota // the run is left out and counted as skipped
	OverlapQueue                     // it follows at once; MaxBacklog wait at most, more are skipped
	OverlapConcurrent                // it starts beside the other, if Options.Concurrency allows
)

// CatchUp says what happens to runs whose time passed while nobody could start them: the process was
// stopped, the machine slept or the wall clock leapt. A run that is merely late is not among them.
type CatchUp uint8

const (
	CatchUpOnce CatchUp = iota // one run for all that were missed, at once
	CatchUpAll                 // a run for each, at once; MaxBacklog at most
	CatchUpNone                // none: the next one in its time
)

// MaxBacklog bounds the runs of a task that wait for the one before them.
const MaxBacklog = 100

// Scope says where a task runs.
type Scope uint8

const (
	EveryWorker    Scope = iota // in each process that has the task
	OncePerHost                 // in one process of this host: Options.StatePath
	OncePerCluster              // in one process at all: Options.Leases
)

// String returns the word that State shows.
func (s Scope) String() string {
	switch s {
	case EveryWorker:
		return "worker"
	case OncePerHost:
		return "host"
	case OncePerCluster:
		return "cluster"
	}
	return fmt.Sprintf("Scope(%d)", uint8(s))
}

// validate returns what is wrong with t, as a TaskError.
func (t *Task) validate(now time.Time) error {
	fault := func(err error, field string, value any) error {
		return &TaskError{Task: t.Name, Field: field, Value: value, Err: err}
	}
	switch {
	case t.Name == "":
		return fault(ErrName, "Name", t.Name)
	case t.Run == nil:
		return fault(ErrNoFunc, "Run", nil)
	case t.Schedule == nil && (t.Every < MinEvery || t.Every > MaxEvery):
		return fault(ErrInterval, "Every", t.Every)
	case t.Schedule != nil && t.Every != 0:
		return fault(ErrBoth, "Every", t.Every)
	case t.Delay < 0 || t.Delay > MaxEvery || t.Delay > 0 && (t.Immediately || t.Schedule != nil):
		return fault(ErrDelay, "Delay", t.Delay)
	case t.Schedule == nil && t.Jitter >= t.Every, t.Jitter > MaxEvery:
		return fault(ErrJitter, "Jitter", t.Jitter)
	case t.Timeout < 0:
		return fault(ErrTimeout, "Timeout", t.Timeout)
	case t.Overlap > OverlapConcurrent:
		return fault(ErrOption, "Overlap", uint8(t.Overlap))
	case t.CatchUp > CatchUpNone:
		return fault(ErrOption, "CatchUp", uint8(t.CatchUp))
	case t.Scope > OncePerCluster:
		return fault(ErrOption, "Scope", uint8(t.Scope))
	}
	if t.Schedule == nil {
		return nil
	}
	switch next, err := ask(t.Schedule, now); {
	case err != nil:
		return fault(err, "Schedule", describe(t.Schedule))
	case next.IsZero():
		return fault(ErrNever, "Schedule", describe(t.Schedule))
	case !next.After(now):
		return fault(ErrBackward, "Schedule", describe(t.Schedule))
	}
	return nil
}

// ask calls s.Next. A nil pointer or a fault in somebody's calendar is an error of the task.
func ask(s Schedule, now time.Time) (next time.Time, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("its Next panics: %v", v)
		}
	}()
	return s.Next(now), nil
}

// describe returns what people may call the schedule.
func describe(s Schedule) string {
	if s, ok := s.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", s)
}
