// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"time"
)

// An Overrun says that [Every] could not start calls when they were due: a call outlasted its interval,
// or the process stood still.
type Overrun struct {
	Call     string // name of the loop
	Interval time.Duration
	Took     time.Duration // how long the call took; 0 if the process stood still
	Late     time.Duration // how much later than due a call starts by that
	Skipped  int           // starts left out, with PhaseLocked or after a standstill
}

// beats are when the calls of one Every are due. A ticker keeps them apart without a calculation for
// each: a beat that passes during a call is in its channel afterwards, the value being the time it was
// due. A timer set anew after each call takes longer, and the delays of waking would add up.
type beats struct {
	call     *Call
	interval time.Duration
	f        func(context.Context) error
	ticker   *time.Ticker
	due      time.Time     // of the call that runs, or of the last one
	late     time.Duration // how much later than due it began
	wait     bool          // for a beat before the next call
	begun    bool
}

// begin starts the ticker. A first delay is the ticker's too, to make no second timer.
func (b *beats) begin() {
	if b.wait = b.call.InitialDelay > 0; b.wait {
		b.ticker = time.NewTicker(b.call.InitialDelay)
	} else {
		b.due, b.ticker = time.Now(), time.NewTicker(b.interval)
	}
}

// before is called when a call is due, or ctx has ended: then it returns the error of ctx.
//
//go:noinline
func (b *beats) before(ctx context.Context) error {
	if err := ended(ctx, b.due); err != nil {
		b.ticker.Stop()
		return err
	}
	b.late = time.Since(b.due)
	switch {
	case b.wait && !b.begun:
		b.rebase()
	case b.late >= b.interval:
		b.standstill()
	}
	b.begun = true
	return nil
}

// after is called when a call has returned. It says whether the loop is over, and with what.
//
//go:noinline
func (b *beats) after(ctx context.Context, err error) (over bool, result error) {
	if err != nil {
		if over, result = b.call.settle(ctx, b.f, err); over {
			b.ticker.Stop()
			return true, result
		}
	}
	select {
	case beat := <-b.ticker.C:
		b.outlasted(beat)
	default:
		b.wait = true
	}
	return false, nil
}

// ended returns the error of ctx if that has ended, or has a deadline that t is not before: then it
// waits for the end, which comes in that moment.
//
// It does not ask for the cause of the end: that takes a lock which whoever cancels ctx holds until
// all that wait have been woken. A stop of 100,000 loops took twice as long with it.
func ended(ctx context.Context, t time.Time) error {
	if deadline, ok := ctx.Deadline(); ok && !t.Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err()
}

// rebase counts beats from now.
func (b *beats) rebase() {
	b.due, b.late = time.Now(), 0
	b.ticker.Reset(b.interval)
}

// standstill reports a start that comes an interval late or more.
func (b *beats) standstill() {
	missed := b.late / b.interval
	b.report(Overrun{Late: b.late, Skipped: int(missed)})
	if b.call.PhaseLocked {
		b.due, b.late = b.due.Add(missed*b.interval), b.late-missed*b.interval
		return
	}
	b.rebase()
}

// outlasted decides what follows a call during which the next one was due, at beat.
func (b *beats) outlasted(beat time.Time) {
	now := time.Now()
	took := now.Sub(b.due) - b.late
	switch b.wait = false; {
	case b.call.PhaseLocked:
		b.skip(now, took)
	case took > b.interval:
		b.report(Overrun{Took: took, Late: took - b.interval})
		b.rebase()
	default: // it began late, or took just as long
		b.due = beat
	}
}

// skip leaves out the beats that have passed; one that is due in this very moment has not.
func (b *beats) skip(now time.Time, took time.Duration) {
	since := now.Sub(b.due)
	skipped := since / b.interval
	if b.wait = since%b.interval > 0; !b.wait {
		b.due = now
		skipped--
	}
	if skipped > 0 {
		b.report(Overrun{Took: took, Late: skipped * b.interval, Skipped: int(skipped)})
	}
}

func (b *beats) report(o Overrun) {
	o.Call, o.Interval = b.call.name(b.f), b.interval
	if b.call.OnOverrun != nil {
		b.call.OnOverrun(o)
		return
	}
	b.call.logger().Warn("looping call outlasted its interval", "call", o.Call, "interval", o.Interval,
		"took", o.Took, "late", o.Late, "skipped", o.Skipped)
}
