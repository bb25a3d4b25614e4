// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

var (
	errBoom  = errors.New("boom")
	errOther = errors.New("other")
)

// bubble runs a test in fake time.
func bubble(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, t.Context()) })
}

// A diary is when calls began, since it was made.
type diary struct {
	base   time.Time
	starts []time.Duration
}

func newDiary() *diary { return &diary{base: time.Now()} }

// note adds a start and returns how many there have been before it.
func (d *diary) note() int {
	d.starts = append(d.starts, time.Since(d.base))
	return len(d.starts) - 1
}

func (d *diary) want(t *testing.T, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(d.starts, want) {
		t.Errorf("calls at %v, want %v", d.starts, want)
	}
}

// wantAfter wants that exactly d has passed since base.
func (d *diary) wantNow(t *testing.T, want time.Duration) {
	t.Helper()
	if got := time.Since(d.base); got != want {
		t.Errorf("ended after %v, want %v", got, want)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error %v, want %v", got, want)
	}
}

// wantValue wants that a loop ended with a value.
func wantValue[T comparable](t *testing.T, loop error, want T) {
	t.Helper()
	if got, err := looping.Value[T](loop); got != want || err != nil {
		t.Errorf("Value = %v, %v, want %v", got, err, want)
	}
}

func TestLC01DoneWithTrue(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		wantValue(t, looping.Every(ctx, time.Second, func(context.Context) error { return looping.DoneWith(true) }), true)
	})
}

func TestLC02DoneWithFalse(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		wantValue(t, looping.Every(ctx, time.Second, func(context.Context) error { return looping.DoneWith(false) }), false)
	})
}

// The clock of a loop is the monotonic one, in any goroutine: there is no main thread, and nothing to
// switch it on by. A time without a monotonic reading would follow the wall clock when that is set.
// Times in a bubble have none, so this test takes a moment.
func TestLC03LC04LC13X12ClockIsMonotonic(t *testing.T) {
	var times []time.Time
	note := func(ctx context.Context) error {
		d, _ := ctx.Deadline()
		times = append(times, d)
		return looping.Done
	}
	ctx, c := t.Context(), looping.Call{Timeout: time.Hour}
	wantErr(t, c.Every(ctx, time.Second, note), nil)
	wantErr(t, c.Dynamic(ctx, func(ctx context.Context) (time.Duration, error) { return 0, note(ctx) }), nil)
	wantErr(t, c.Backoff(ctx, looping.Pace{}, func(ctx context.Context) (bool, error) { return true, note(ctx) }), nil)
	c.InitialDelay = time.Millisecond
	dues, err := looping.DueTimes(ctx, c, 2*time.Millisecond, 3)
	wantErr(t, err, nil)
	for _, at := range append(times, dues...) {
		if at == at.Round(0) { // which strips the reading
			t.Errorf("%v has no monotonic reading", at)
		}
	}
	if len(times) != 3 || len(dues) != 3 {
		t.Errorf("%d deadlines, %d starts, want 3 of each", len(times), len(dues))
	}
}

func TestLC05ErrorEndsTheLoop(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		err := looping.Every(ctx, time.Second, func(context.Context) error {
			if d.note() == 2 {
				return errBoom
			}
			return nil
		})
		if err != errBoom {
			t.Errorf("Every = %v, want the error itself", err)
		}
		d.want(t, 0, time.Second, 2*time.Second)
	})
}

func TestLC06GoesOnAfterErrors(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		var errs []error
		c := looping.Call{GoOn: true, OnError: func(err error) { errs = append(errs, err) }}
		wantValue(t, c.Every(ctx, time.Second, func(context.Context) error {
			switch d.note() {
			case 0, 1:
				return errBoom
			}
			return looping.DoneWith(false)
		}), false)
		d.want(t, 0, time.Second, 2*time.Second)
		if !slices.Equal(errs, []error{errBoom, errBoom}) {
			t.Errorf("errors %v, want two", errs)
		}
	})
}

// A loop is a call, not an object that can be started twice: each has its own state, and so have loops
// that run from one Call at a time.
func TestLC07LC14LoopsShareNothing(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := looping.Call{InitialDelay: time.Second, Timeout: 10 * time.Second, Max: 0}
		dynamic := func(n int) func(context.Context) (time.Duration, error) {
			return func(context.Context) (time.Duration, error) {
				if n--; n < 0 {
					return 0, looping.Done
				}
				return time.Second, nil
			}
		}
		ends := make(chan time.Duration, 3)
		base := time.Now()
		for i := range 3 {
			go func() {
				if err := c.Dynamic(ctx, dynamic(i)); err != nil {
					t.Error(err)
				}
				ends <- time.Since(base)
			}()
		}
		for i := range 3 {
			if got, want := <-ends, time.Duration(1+i)*time.Second; got != want {
				t.Errorf("end %d after %v, want %v", i, got, want)
			}
		}
		n := 0
		d := newDiary()
		err := c.Every(ctx, time.Second, func(ctx context.Context) error {
			d.note()
			if n++; n == 2 {
				return looping.Done
			}
			return c.Every(ctx, time.Second, func(context.Context) error { return looping.Done })
		})
		wantErr(t, err, nil)
		d.want(t, time.Second, 2*time.Second)
	})
}

// What stop is upstream is the end of the context here.
func TestLC08StopTwice(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		d := newDiary()
		time.AfterFunc(2500*time.Millisecond, func() { cancel(); cancel() })
		err := looping.Every(ctx, time.Second, func(context.Context) error { d.note(); return nil })
		if err != context.Canceled {
			t.Errorf("Every = %v, want %v", err, context.Canceled)
		}
		d.want(t, 0, time.Second, 2*time.Second)
		d.wantNow(t, 2500*time.Millisecond)
	})
}

func TestLC09RepeatsUntilDone(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		err := looping.Every(ctx, time.Second, func(context.Context) error {
			if d.note() == 4 {
				return fmt.Errorf("enough: %w", looping.Done)
			}
			return nil
		})
		if err != nil {
			t.Errorf("Every = %v, want nil", err)
		}
		d.want(t, 0, time.Second, 2*time.Second, 3*time.Second, 4*time.Second)
	})
}

func TestLC10IntervalsAreFromStartToStart(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		const interval = 1010 * time.Millisecond
		runs := []time.Duration{990 * time.Millisecond, 2 * time.Second, interval, 0}
		d := newDiary()
		var ends []time.Duration
		var overruns []looping.Overrun
		c := looping.Call{Name: "poll", OnOverrun: func(o looping.Overrun) { overruns = append(overruns, o) }}
		wantErr(t, c.Every(ctx, interval, func(context.Context) error {
			n := d.note()
			time.Sleep(runs[n])
			ends = append(ends, time.Since(d.base))
			if n == 3 {
				return looping.Done
			}
			return nil
		}), nil)
		var sleeps []time.Duration
		for i := range 3 {
			sleeps = append(sleeps, d.starts[i+1]-ends[i])
		}
		if want := []time.Duration{20 * time.Millisecond, 0, 0}; !slices.Equal(sleeps, want) {
			t.Errorf("sleeps %v, want %v", sleeps, want)
		}
		want := []looping.Overrun{{Call: "poll", Interval: interval, Took: 2 * time.Second, Late: 990 * time.Millisecond}}
		if !slices.Equal(overruns, want) {
			t.Errorf("overruns %+v, want %+v", overruns, want)
		}
	})
}

func TestLC11TimeoutOfTheLoop(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		c := looping.Call{Name: "poll", Timeout: 300 * time.Millisecond}
		err := c.Every(ctx, 100*time.Millisecond, func(context.Context) error { d.note(); return nil })
		wantErr(t, err, looping.ErrTimeout)
		if got, want := err.Error(), "looping call poll: timeout after 300ms"; got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		d.want(t, 0, 100*time.Millisecond, 200*time.Millisecond) // none at the deadline
		d.wantNow(t, 300*time.Millisecond)
	})
}
