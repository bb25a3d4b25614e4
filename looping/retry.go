// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Retries says how [Retry] repeats a call. It has no state: what is counted belongs to each call of
// Retry, so one value serves many calls, also at a time.
type Retries struct {
	// Name is what errors call it; empty for the name of the function.
	Name string

	// On says whether an error is one to try again after, see [Errors]. Nil expects no error.
	On func(error) bool

	// Max is how often to try again at most; 0 and below is without end.
	Max int

	// Step is the delay before the first retry, and what each delay is longer than the one before;
	// 0 is 10 s. MaxDelay bounds the delays; 0 is 60 s.
	Step, MaxDelay time.Duration

	// OnRetry is called before the delay before retry n, from 1, with the error it is for; nil is
	// nobody.
	OnRetry func(n int, delay time.Duration, err error)
}

// Errors is a function for Retries.On: it reports whether an error is one of errs, as errors.Is does.
func Errors(errs ...error) func(error) bool {
	return func(err error) bool {
		for _, e := range errs {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
}

// Retry calls f and returns what it returns. After an error that r expects it calls f again, up to
// r.Max times, after Step, twice Step and so on up to MaxDelay; after the last of them, or an error
// that r does not expect, it returns the result as it is. A panic is an error, a [*PanicError].
//
// The end of ctx ends a delay at once: the error then wraps both that of ctx and the last error
// of f. What r cannot be is an [*OptionError].
func Retry[T any](ctx context.Context, r Retries, f func(context.Context) (T, error)) (T, error) {
	var (
		result T
		p      pause
		delay  time.Duration
	)
	if err := r.check(f, f == nil); err != nil {
		return result, err
	}
	r.setDefaults()
	err := ctx.Err()
	if err != nil {
		return result, err
	}
	for n := 1; ; n++ {
		err = Try(ctx, func(ctx context.Context) (err error) {
			result, err = f(ctx)
			return err
		})
		if err == nil || r.On == nil || !r.On(err) || r.Max > 0 && n > r.Max {
			return result, err
		}
		delay = min(delay+r.Step, r.MaxDelay)
		if r.OnRetry != nil {
			r.OnRetry(n, delay, err)
		}
		if end := p.wait(ctx, delay); end != nil {
			return result, fmt.Errorf("retry %s: %w after %d calls, the last: %w", r.name(f), end, n, err)
		}
	}
}

func (r *Retries) name(f any) string {
	if r.Name != "" {
		return r.Name
	}
	return FuncName(f)
}

func (r *Retries) check(f any, isNil bool) error {
	refuse := func(name string, value any, want string) error {
		return &OptionError{Call: r.name(f), Name: name, Value: value, Want: want}
	}
	switch {
	case isNil:
		return &OptionError{Call: r.Name, Name: "function", Value: "nil", Want: "a function"}
	case r.Step < 0 || r.Step > MaxInterval:
		return refuse("Step", r.Step, wantDelay)
	case r.MaxDelay < 0 || r.MaxDelay > MaxInterval:
		return refuse("MaxDelay", r.MaxDelay, wantDelay)
	}
	return nil
}

func (r *Retries) setDefaults() {
	if r.Step == 0 {
		r.Step = 10 * time.Second
	}
	if r.MaxDelay == 0 {
		r.MaxDelay = 60 * time.Second
	}
}
