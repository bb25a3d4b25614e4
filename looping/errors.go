// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
)

// Done is what the function of a loop returns to end it well: the loop returns nil. It may be wrapped.
//
//lint:ignore ST1012 it is a word to the loop, as fs.SkipAll is, and no failure
var Done = errors.New("looping: done")

// ErrTimeout is in the error of a loop whose overall timeout is over.
var ErrTimeout = errors.New("timeout")

// DoneWith is [Done] with a value: the loop returns this error, and [Value] takes the value out of it.
func DoneWith(value any) error { return &doneError{value} }

type doneError struct{ value any }

func (e *doneError) Error() string { return fmt.Sprintf("looping: done with %v", e.value) }
func (e *doneError) Unwrap() error { return Done }

// Value takes the value out of the error that a loop returned:
//
//	port, err := looping.Value[*Port](looping.Every(ctx, time.Second, findPort))
//
// After [DoneWith] it returns the value and nil, after a plain [Done], a nil error, the zero value and
// nil. Any other error is returned with the zero value. A value of another type is an error.
func Value[T any](err error) (T, error) {
	var zero T
	d, ok := errors.AsType[*doneError](err)
	if !ok {
		if errors.Is(err, Done) {
			err = nil
		}
		return zero, err
	}
	v, ok := d.value.(T)
	if !ok {
		return zero, fmt.Errorf("looping: done with a %T, want %v", d.value, reflect.TypeFor[T]())
	}
	return v, nil
}

// An OptionError is a value that a loop does not take. It names the call.
type OptionError struct {
	Call  string // name of the loop, or of its function; empty if there is neither
	Name  string // what has the value: interval, function or a field
	Value any
	Want  string // what was expected
}

func (e *OptionError) Error() string {
	call := e.Call
	if call == "" {
		call = "without a name"
	}
	return fmt.Sprintf("looping call %s: %s: %v: want %s", call, e.Name, e.Value, e.Want)
}

// A PanicError is a panic of a function, as the error of that call. It wraps nothing: a panic with an
// error that callers know is still a panic.
type PanicError struct {
	Call  string // name of the loop; empty outside of one
	Value any    // what panic was called with
	Stack []byte // of the goroutine, from the panic on
}

func (e *PanicError) Error() string {
	if e.Call == "" {
		return fmt.Sprintf("panic: %v", e.Value)
	}
	return fmt.Sprintf("%s: panic: %v", e.Call, e.Value)
}

// panicked makes an error of what recover returned, in the deferred function that called it.
func panicked(value any) error { return &PanicError{Value: value, Stack: debug.Stack()} }
