// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping

import (
	"context"
	"time"
)

// beats are when the calls of one Every are due. A ticker keeps them apart, whose beats carry the time
// they were due: a timer set anew after each call takes longer, and the delays of waking would add up.
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
		b.ticker = time.NewTicker(b.interval)
		b.due = time.Now() // in this order, so that the next beat is not later than due and an interval
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
	b.wait = true
	if since := time.Since(b.due); since >= b.interval {
		b.outlasted(since)
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
	b.ticker.Reset(b.interval)
	b.due, b.late = time.Now(), 0
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

// outlasted decides what follows a call that ends when the next one has been due, since being the time
// from when it was due itself.
func (b *beats) outlasted(since time.Duration) {
	took := since - b.late
	switch {
	case b.call.PhaseLocked:
		b.skip(since, took)
	case took > b.interval:
		b.report(Overrun{Took: took, Late: took - b.interval})
		b.rebase()
		b.wait = false
	}
	// Else it began late, or took just as long: the next beat is in the channel.
}

// skip leaves out the beats that have passed; one that is due in this very moment has not.
func (b *beats) skip(since, took time.Duration) {
	select {
	case <-b.ticker.C: // it has one beat for all that have passed
	default:
	}
	skipped := since / b.interval
	if since%b.interval == 0 {
		b.due, b.wait = b.due.Add(since), false
		skipped--
	}
	if skipped > 0 {
		b.report(Overrun{Took: took, Late: skipped * b.interval, Skipped: int(skipped)})
	}
}
