// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"time"
)

// MinInterval and MaxInterval bound an interval. What is shorter is most likely a number without a
// unit (86400 is 86.4 µs), what is longer a product that overflowed.
const (
	MinInterval = 100 * time.Microsecond
	MaxInterval = 100 * 365 * 24 * time.Hour
)

// A Call says how a function is called in a loop. The zero value is what [Every], [Dynamic] and
// [Backoff] use. It may be copied, and used for several loops at a time: it has no state.
type Call struct {
	// Name is what errors and log lines call the loop; empty for the name of the function.
	Name string

	// InitialDelay is waited before the first call; 0 calls at once.
	InitialDelay time.Duration

	// Timeout ends the loop this long after its start, InitialDelay included, with an error that wraps
	// ErrTimeout; 0 is without end. The context of a call that runs at that time is cancelled.
	Timeout time.Duration

	// GoOn keeps the loop going after an error or a panic of the function, which goes to OnError.
	GoOn bool

	// PhaseLocked keeps the starts of Every on multiples of the interval after the first one.
	PhaseLocked bool

	// Max bounds what the function of Dynamic returns; 0 is without bound.
	Max time.Duration

	// OnError is called, between two calls, with each error that GoOn lets pass; nil logs it.
	OnError func(error)

	// OnOverrun is called before the call after an overrun; nil logs it, of all loops of the process at
	// most ten a second, with the number of those in between. Every alone has overruns.
	OnOverrun func(Overrun)

	// Logger takes what no function above takes; nil for slog.Default().
	Logger *slog.Logger
}

// plain is the Call of the functions of the package.
var plain Call

// CheckEvery returns the [*OptionError] that Every would return before its first call, or nil: for
// those who want to know before they start a goroutine.
func (c Call) CheckEvery(interval time.Duration, f func(context.Context) error) error {
	return c.checkEvery(interval, f)
}

func (c *Call) checkEvery(interval time.Duration, f func(context.Context) error) error {
	switch {
	case f == nil:
		return c.refuse("function", "nil", "a function")
	case interval < MinInterval || interval > MaxInterval:
		return c.refuseFor(f, "interval", interval, wantInterval)
	case c.Max != 0:
		return c.refuseFor(f, "Max", c.Max, "0: the interval is fixed")
	}
	return c.check(f)
}

// CheckDynamic is CheckEvery for Dynamic.
func (c Call) CheckDynamic(f func(context.Context) (time.Duration, error)) error {
	switch {
	case f == nil:
		return c.refuse("function", "nil", "a function")
	case c.PhaseLocked:
		return c.refuseFor(f, "PhaseLocked", true, "false: there is no fixed interval")
	case c.Max != 0 && (c.Max < MinInterval || c.Max > MaxInterval):
		return c.refuseFor(f, "Max", c.Max, "0 or "+wantInterval)
	}
	return c.check(f)
}

// check looks at what is the same in all loops.
func (c *Call) check(f any) error {
	switch {
	case c.InitialDelay < 0 || c.InitialDelay > MaxInterval:
		return c.refuseFor(f, "InitialDelay", c.InitialDelay, wantDelay)
	case c.Timeout < 0:
		return c.refuseFor(f, "Timeout", c.Timeout, "0 or above")
	}
	return nil
}

const (
	wantInterval = "100µs to 100 years"
	wantDelay    = "0 to 100 years"
)

func (c *Call) refuse(name string, value any, want string) error {
	return &OptionError{Call: c.Name, Name: name, Value: value, Want: want}
}

func (c *Call) refuseFor(f any, name string, value any, want string) error {
	return &OptionError{Call: c.name(f), Name: name, Value: value, Want: want}
}

// name is the loop's name, for a function f.
func (c *Call) name(f any) string {
	if c.Name != "" {
		return c.Name
	}
	return FuncName(f)
}

// FuncName returns the name of a function as the runtime knows it, without the path of its package:
// what a loop is called that was given no name.
func FuncName(f any) string {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Func || v.IsNil() {
		return fmt.Sprintf("%T", f)
	}
	name := runtime.FuncForPC(v.Pointer()).Name()
	return strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], "-fm")
}

func (c *Call) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

// until runs a loop within Timeout. The loop is given a Call without one.
func (c *Call) until(ctx context.Context, f any, loop func(context.Context, *Call) error) error {
	timeout := fmt.Errorf("looping call %s: %w after %v", c.name(f), ErrTimeout, c.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, timeout)
	defer cancel()
	within := *c
	within.Timeout = 0
	err := loop(ctx, &within)
	if err != nil && err == ctx.Err() && context.Cause(ctx) == timeout {
		return timeout
	}
	return err
}

// settle decides what the error of a call means: whether the loop has ended, and with what.
func (c *Call) settle(ctx context.Context, f any, err error) (over bool, result error) {
	switch p, panicked := err.(*PanicError); {
	case panicked:
		p.Call = c.name(f)
	case errors.Is(err, Done):
		if v, ok := errors.AsType[*doneError](err); ok {
			return true, v
		}
		return true, nil
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		return true, ctx.Err()
	}
	if !c.GoOn {
		return true, err
	}
	c.reportError(f, err)
	return false, nil
}

func (c *Call) reportError(f any, err error) {
	if c.OnError != nil {
		c.OnError(err)
		return
	}
	attrs := []any{"call", c.name(f), "err", err}
	if p, ok := err.(*PanicError); ok {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	c.logger().Error("looping call failed", attrs...)
}

// Try calls f once: a panic becomes its error, a [*PanicError].
func Try(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return f(ctx)
}

// A pause waits between two calls; one timer serves all its waits.
type pause struct{ timer *time.Timer }

// wait returns nil after d, or the error of ctx as soon as that ends. A wait that would end at the
// deadline of ctx, or later, ends with ctx.
func (p *pause) wait(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		<-ctx.Done()
	}
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	select {
	case <-p.timer.C:
	case <-ctx.Done():
		p.timer.Stop()
	}
	return ctx.Err()
}
