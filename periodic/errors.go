// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"errors"
	"fmt"
	"strings"
)

// What may be wrong with a task; a [TaskError] wraps one of them, or an error of its own.
var (
	ErrName      = errors.New("must not be empty")
	ErrDuplicate = errors.New("is taken by another task")
	ErrNoFunc    = errors.New("must be a function")
	ErrInterval  = fmt.Errorf("must be from %v to %v, or Schedule be set", MinEvery, MaxEvery)
	ErrBoth      = errors.New("must be 0 beside Schedule")
	ErrDelay     = fmt.Errorf("must be from 0 to %v, and 0 beside Immediately and Schedule", MaxEvery)
	ErrJitter    = errors.New("must be below Every")
	ErrTimeout   = errors.New("must not be negative")
	ErrOption    = errors.New("is none of the constants of its type")
	ErrNever     = errors.New("has no date to come")
	ErrBackward  = errors.New("gives a date that is not after the one asked about")
	ErrNoLeases  = errors.New("needs Options.Leases")
	ErrNoState   = errors.New("needs Options.StatePath")
)

// ErrLost says that a lease has expired, was taken over, or was released.
var ErrLost = errors.New("lease lost")

// ErrServing refuses what cannot be done while Serve runs.
var ErrServing = errors.New("periodic: already serving")

// A TaskError refuses a task: its Field has a Value that is wrong because of Err.
type TaskError struct {
	Task  string
	Field string
	Value any
	Err   error
}

func (e *TaskError) Error() string {
	var value string
	switch v := e.Value.(type) {
	case nil:
	case string:
		value = fmt.Sprintf(" %q", v)
	default:
		value = fmt.Sprintf(" %v", v)
	}
	return fmt.Sprintf("periodic: task %q: %s%s %v", e.Task, e.Field, value, e.Err)
}

func (e *TaskError) Unwrap() error { return e.Err }

// A RunError is what ended Serve with Options.StopOnError, or RunDue: a task's own error.
type RunError struct {
	Task string
	Err  error
}

func (e *RunError) Error() string { return fmt.Sprintf("periodic: task %q: %v", e.Task, e.Err) }
func (e *RunError) Unwrap() error { return e.Err }

// A PanicError is a panic of a task, as the error of that run.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errGoexit = errors.New("the task ended its goroutine")

// A LateError says which tasks a Shutdown did not wait for any longer.
type LateError struct {
	Tasks []string // their names; the first ten
	Count int      // of all
	Err   error    // of the context
}

func (e *LateError) Error() string {
	names := strings.Join(e.Tasks, ", ")
	if e.Count > len(e.Tasks) {
		names += fmt.Sprintf(" and %d more", e.Count-len(e.Tasks))
	}
	return fmt.Sprintf("periodic: still running: %s: %v", names, e.Err)
}

func (e *LateError) Unwrap() error { return e.Err }
