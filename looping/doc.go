// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package looping calls a function again and again: at a fixed interval, after delays that the function
chooses, or ever more rarely while it fails. It also retries one call.

	err := looping.Every(ctx, 10*time.Second, func(ctx context.Context) error {
		return agent.ReportState(ctx)
	})

[Every], [Dynamic] and [Backoff] run in the goroutine that calls them, until the function returns an
error, or [Done], or ctx ends. So a loop is a service with one line, in package service:

	service.Named("report", service.Func(func(ctx context.Context) error {
		return looping.Every(ctx, 10*time.Second, report)
	}))

[Call] has what can be chosen: a first delay, an overall timeout, going on after errors, boundaries
that are kept. Its methods are the same loops. [Retry] calls once, and again after the errors it was
told to expect; what it counts belongs to that one call.

# How a loop ends

  - The function returns [Done]: the loop returns nil. With a value, by [DoneWith], the loop returns
    the error of DoneWith, from which [Value] takes the value.
  - The function returns another error, or panics: the loop returns that error, a [*PanicError] for a
    panic. With Call.GoOn it is reported instead, and the loop goes on.
  - ctx ends: a wait ends at once, a running call is not interrupted but sees it in its own context.
    The loop returns ctx.Err(), also if the call failed by the end of its context; context.Cause tells
    why ctx ended.
  - Call.Timeout is over: the same, with an error that wraps [ErrTimeout].
  - What the loop was given cannot be: an [*OptionError] that names the call and the value, before the
    first call.

No call begins once the context has ended, nor at its deadline. A function that does not return keeps
its loop, since nothing ends a goroutine from outside; it should heed its context.

# When the next call starts

Every measures from start to start: a call starts one interval after the start of the one before. How
late a timer woke the loop does not add up over the calls. A call that took longer than the interval is
followed by the next at once, and the intervals count from there. With Call.PhaseLocked all starts stay
on multiples of the interval after the first, and those that pass while a call runs are left out. Both
are reported, to Call.OnOverrun or the log, as an [Overrun]; so is a start that came an interval late
because the process stood still.

Dynamic and Backoff measure from the end of a call.

# Clocks

All is measured on the monotonic clock: setting the wall clock, by hours too, changes no wait and no
timeout. That clock stands still while a machine is suspended: a wait goes on where it was, and no
start counts as missed. It does not stand still while the process is stopped (SIGSTOP, a debugger, a
paused container): then the start that was due comes at once, once, and is reported as late.
*/
package looping
