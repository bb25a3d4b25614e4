// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

// everyRunning runs Every, whose calls take the times in runs and then end it, and returns when they
// began and what was reported.
func everyRunning(ctx context.Context, c looping.Call, interval time.Duration, runs ...time.Duration) (*diary, []looping.Overrun, error) {
	d := newDiary()
	var overruns []looping.Overrun
	c.Name = "poll"
	c.OnOverrun = func(o looping.Overrun) { overruns = append(overruns, o) }
	err := c.Every(ctx, interval, func(context.Context) error {
		n := d.note()
		if n == len(runs) {
			return looping.Done
		}
		time.Sleep(runs[n])
		return nil
	})
	return d, overruns, err
}

func TestEveryWithoutOverrunKeepsItsPhase(t *testing.T) {
	for _, locked := range []bool{false, true} {
		bubble(t, func(t *testing.T, ctx context.Context) {
			d, overruns, err := everyRunning(ctx, looping.Call{PhaseLocked: locked}, 10*time.Second,
				seconds(0, 9.999999999, 1, 10, 3)...)
			wantErr(t, err, nil)
			d.want(t, seconds(0, 10, 20, 30, 40, 50)...)
			if overruns != nil {
				t.Errorf("overruns %+v, want none", overruns)
			}
		})
	}
}

func TestEveryAfterOverruns(t *testing.T) {
	runs := seconds(1, 12, 0, 35, 0, 40, 0)
	for name, c := range map[string]struct {
		locked   bool
		starts   []time.Duration
		overruns []looping.Overrun
	}{
		"the next call comes at once and counts from there": {
			starts: seconds(0, 10, 22, 32, 67, 77, 117, 127),
			overruns: []looping.Overrun{
				{Took: 12 * time.Second, Late: 2 * time.Second},
				{Took: 35 * time.Second, Late: 25 * time.Second},
				{Took: 40 * time.Second, Late: 30 * time.Second},
			},
		},
		"locked, it comes at the next boundary": {
			locked: true,
			starts: seconds(0, 10, 30, 40, 80, 90, 130, 140), // 130 is the boundary at which a call ended
			overruns: []looping.Overrun{
				{Took: 12 * time.Second, Late: 10 * time.Second, Skipped: 1},
				{Took: 35 * time.Second, Late: 30 * time.Second, Skipped: 3},
				{Took: 40 * time.Second, Late: 30 * time.Second, Skipped: 3},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				d, got, err := everyRunning(ctx, looping.Call{PhaseLocked: c.locked}, 10*time.Second, runs...)
				wantErr(t, err, nil)
				d.want(t, c.starts...)
				for i := range c.overruns {
					c.overruns[i].Call, c.overruns[i].Interval = "poll", 10*time.Second
				}
				if !slices.Equal(got, c.overruns) {
					t.Errorf("overruns\n%+v, want\n%+v", got, c.overruns)
				}
			})
		})
	}
}

func TestEveryAfterInitialDelay(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d, _, err := everyRunning(ctx, looping.Call{InitialDelay: 3 * time.Second}, 10*time.Second, seconds(0, 11, 0)...)
		wantErr(t, err, nil)
		d.want(t, seconds(3, 13, 24, 34)...)
		d, _, err = everyRunning(ctx, looping.Call{InitialDelay: 30 * time.Second, PhaseLocked: true}, 10*time.Second, seconds(0, 11, 0)...)
		wantErr(t, err, nil)
		d.want(t, seconds(30, 40, 60, 70)...)
	})
}

func TestContextEndsEvery(t *testing.T) {
	for name, c := range map[string]struct {
		call  looping.Call
		end   time.Duration // of the context
		runs  []time.Duration
		want  []time.Duration
		ended time.Duration
	}{
		"before the first call":         {end: 0, ended: 0},
		"in the first delay":            {call: looping.Call{InitialDelay: time.Hour}, end: 5 * time.Second, ended: 5 * time.Second},
		"at the end of the first delay": {call: looping.Call{InitialDelay: 5 * time.Second}, end: 5 * time.Second, ended: 5 * time.Second},
		"in a wait":                     {end: 15 * time.Second, runs: seconds(0, 0), want: seconds(0, 10), ended: 15 * time.Second},
		"when a call is due":            {end: 20 * time.Second, runs: seconds(0, 0), want: seconds(0, 10), ended: 20 * time.Second},
		"in a call":                     {end: 12 * time.Second, runs: seconds(0, 4), want: seconds(0, 10), ended: 14 * time.Second},
		"in a call that outlasts":       {end: 12 * time.Second, runs: seconds(0, 14), want: seconds(0, 10), ended: 24 * time.Second},
	} {
		for kind, with := range map[string]func(context.Context, time.Duration) (context.Context, context.CancelFunc){
			"deadline": context.WithTimeout,
			"cancel": func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				if d == 0 {
					cancel()
				} else {
					time.AfterFunc(d-time.Nanosecond, cancel) // a cancel has no order with a start in its moment
				}
				return ctx, cancel
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T, ctx context.Context) {
					ctx, cancel := with(ctx, c.end)
					defer cancel()
					began := time.Now()
					d, _, err := everyRunning(ctx, c.call, 10*time.Second, append(c.runs, seconds(0, 0, 0, 0)...)...)
					if err == nil || err != ctx.Err() {
						t.Errorf("Every = %v, want %v", err, ctx.Err())
					}
					d.want(t, c.want...)
					if got := time.Since(began).Round(time.Microsecond); got != c.ended {
						t.Errorf("ended after %v, want %v", got, c.ended)
					}
				})
			})
		}
	}
}

// A call that gives up because its context ended is no failure; any other error is, also then.
func TestErrorsOfACallAtTheEnd(t *testing.T) {
	cause := errors.New("told to")
	for name, c := range map[string]struct {
		err  func(ctx context.Context) error
		want error
	}{
		"that of its context":      {func(ctx context.Context) error { return ctx.Err() }, context.Canceled},
		"the cause of its context": {context.Cause, context.Canceled},
		"its own":                  {func(context.Context) error { return errBoom }, errBoom},
		"done":                     {func(context.Context) error { return looping.Done }, nil},
		"none":                     {func(context.Context) error { return nil }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(time.Second, func() { cancel(cause) })
				err := looping.Every(ctx, time.Minute, func(ctx context.Context) error {
					<-ctx.Done()
					return c.err(ctx)
				})
				if err != c.want {
					t.Errorf("Every = %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A call that runs at the timeout of its loop learns it from its context, with the reason.
func TestTimeoutEndsARunningCall(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		err := looping.Call{Timeout: 15 * time.Second}.Every(ctx, 10*time.Second, func(ctx context.Context) error {
			if d.note() == 1 {
				<-ctx.Done()
				wantErr(t, context.Cause(ctx), looping.ErrTimeout)
				return ctx.Err()
			}
			return nil
		})
		wantErr(t, err, looping.ErrTimeout)
		d.wantNow(t, 15*time.Second)

		ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // earlier than that of the loop
		defer cancel()
		_, _, err = everyRunning(ctx, looping.Call{Timeout: 15 * time.Second}, 10*time.Second, seconds(0, 0)...)
		if err != context.DeadlineExceeded {
			t.Errorf("Every = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestPanicIsAnErrorOfItsCall(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		err := looping.Call{Name: "poll"}.Every(ctx, time.Second, func(context.Context) error { panic("boom") })
		p, ok := errors.AsType[*looping.PanicError](err)
		if !ok || err.Error() != "poll: panic: boom" || p.Value != "boom" {
			t.Fatalf("Every = %v, want the panic", err)
		}
		if !strings.Contains(string(p.Stack), "TestPanicIsAnErrorOfItsCall") {
			t.Errorf("stack without its function:\n%s", p.Stack)
		}

		d := newDiary()
		n := 0
		c := looping.Call{GoOn: true, OnError: func(err error) {
			if _, ok := errors.AsType[*looping.PanicError](err); ok {
				n++
			}
		}}
		wantErr(t, c.Every(ctx, time.Second, func(context.Context) error {
			if d.note() < 2 {
				panic(looping.Done) // is no way to say so
			}
			return looping.Done
		}), nil)
		d.want(t, seconds(0, 1, 2)...)
		if n != 2 {
			t.Errorf("%d panics reported, want 2", n)
		}
	})
}

func TestWhatIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var out bytes.Buffer
		c := looping.Call{Name: "poll", GoOn: true, Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == "stack" && strings.Contains(a.Value.String(), "TestWhatIsLogged") {
					return slog.Attr{}
				}
				return a
			},
		}))}
		looping.ForgetLogged()
		n := 0
		wantErr(t, c.Every(ctx, time.Second, func(context.Context) error {
			switch n++; n {
			case 1:
				return errBoom
			case 2:
				panic("boom")
			case 3:
				time.Sleep(1500 * time.Millisecond)
				return nil
			}
			return looping.Done
		}), nil)
		const want = `level=ERROR msg="looping call failed" call=poll err=boom
level=ERROR msg="looping call failed" call=poll err="poll: panic: boom"
level=WARN msg="looping call outlasted its interval" call=poll interval=1s took=1.5s late=500ms skipped=0 unlogged=0
`
		if out.String() != want {
			t.Errorf("logged\n%swant\n%s", out.String(), want)
		}
	})
}

// Many loops that are late at once do not write a line each.
func TestOverrunsAreLoggedInMeasure(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var out bytes.Buffer
		c := looping.Call{Name: "poll", Timeout: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(&out, nil))}
		looping.ForgetLogged()
		wantErr(t, c.Every(ctx, time.Millisecond, func(context.Context) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		}), looping.ErrTimeout)
		logged := out.String()
		if got := strings.Count(logged, "\n"); got != 100 || strings.Count(logged, "unlogged=90\n") != 9 {
			t.Errorf("%d lines in 10 s, want 100, 9 of which count 90 others:\n%.1000s", got, logged)
		}
	})
}

func TestValue(t *testing.T) {
	for name, c := range map[string]struct {
		in   error
		want int
		err  string
	}{
		"a value":              {in: looping.DoneWith(7), want: 7},
		"the end":              {},
		"done, not by a loop":  {in: looping.Done},
		"an error":             {in: errBoom, err: "boom"},
		"a value of elsewhere": {in: looping.DoneWith("seven"), err: "looping: done with a string, want int"},
		"nothing":              {in: looping.DoneWith(nil), err: "looping: done with a <nil>, want int"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := looping.Value[int](c.in)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != c.want || text != c.err {
				t.Errorf("Value(%v) = %d, %v, want %d, %s", c.in, got, err, c.want, c.err)
			}
		})
	}
	if err := looping.DoneWith(7); !errors.Is(err, looping.Done) || err.Error() != "looping: done with 7" {
		t.Errorf("DoneWith = %v, want one that is Done", err)
	}
}

func nothing(context.Context) error { return nil }

func TestLoopsRefuse(t *testing.T) {
	every := func(c looping.Call, interval time.Duration, f func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			err := c.CheckEvery(interval, f)
			if got := c.Every(ctx, interval, f); err == nil || got == nil || got.Error() != err.Error() {
				t.Errorf("Every = %v, CheckEvery = %v, want the same", got, err)
			}
			return err
		}
	}
	dynamic := func(c looping.Call, f func(context.Context) (time.Duration, error)) func(context.Context) error {
		return func(ctx context.Context) error { return c.Dynamic(ctx, f) }
	}
	delay := func(context.Context) (time.Duration, error) { return 0, looping.Done }
	backoff := func(c looping.Call, p looping.Pace) func(context.Context) error {
		return func(ctx context.Context) error {
			return c.Backoff(ctx, p, func(context.Context) (bool, error) { return true, looping.Done })
		}
	}
	poll := looping.Call{Name: "poll"}
	for name, c := range map[string]struct {
		loop func(context.Context) error
		want string // after the name
	}{
		"an interval of 0":              {every(poll, 0, nothing), "interval: 0s: want 100µs to 100 years"},
		"an interval below 0":           {every(poll, -time.Second, nothing), "interval: -1s: want 100µs to 100 years"},
		"seconds without a unit":        {every(poll, 86400, nothing), "interval: 86.4µs: want 100µs to 100 years"},
		"an interval beyond a lifetime": {every(poll, math.MaxInt64, nothing), "interval: 2562047h47m16.854775807s: want 100µs to 100 years"},
		"no function":                   {every(poll, time.Second, nil), "function: nil: want a function"},
		"a first delay below 0":         {every(looping.Call{Name: "poll", InitialDelay: -1}, time.Second, nothing), "InitialDelay: -1ns: want 0 to 100 years"},
		"a first delay beyond reason":   {every(looping.Call{Name: "poll", InitialDelay: math.MaxInt64}, time.Second, nothing), "InitialDelay: 2562047h47m16.854775807s: want 0 to 100 years"},
		"a timeout below 0":             {every(looping.Call{Name: "poll", Timeout: -1}, time.Second, nothing), "Timeout: -1ns: want 0 or above"},
		"a bound of a fixed interval":   {every(looping.Call{Name: "poll", Max: 1}, time.Second, nothing), "Max: 1ns: want 0: the interval is fixed"},
		"no dynamic function":           {dynamic(poll, nil), "function: nil: want a function"},
		"boundaries without interval":   {dynamic(looping.Call{Name: "poll", PhaseLocked: true}, delay), "PhaseLocked: true: want false: there is no fixed interval"},
		"a bound below 0":               {dynamic(looping.Call{Name: "poll", Max: -1}, delay), "Max: -1ns: want 0 or 100µs to 100 years"},
		"a bound without a unit":        {dynamic(looping.Call{Name: "poll", Max: 300}, delay), "Max: 300ns: want 0 or 100µs to 100 years"},
		"a dynamic timeout below 0":     {dynamic(looping.Call{Name: "poll", Timeout: -1}, delay), "Timeout: -1ns: want 0 or above"},
		"back-off with boundaries":      {backoff(looping.Call{Name: "poll", PhaseLocked: true}, looping.Pace{}), "PhaseLocked: true: want false: there is no fixed interval"},
		"back-off with another bound":   {backoff(looping.Call{Name: "poll", Max: time.Second}, looping.Pace{}), "Max: 1s: want 0: that of the Pace counts"},
		"a first back-off below 0":      {backoff(poll, looping.Pace{Start: -1}), "Start: -1ns: want 0 or 100µs to 100 years"},
		"a shortest back-off below 0":   {backoff(poll, looping.Pace{Min: -1}), "Min: -1ns: want 0 or 100µs to 100 years"},
		"a longest back-off below 0":    {backoff(poll, looping.Pace{Max: -1}), "Max: -1ns: want 0 or 100µs to 100 years"},
		"a back-off that shrinks":       {backoff(poll, looping.Pace{Jitter: 0.4}), "Jitter: 0.4: want 0 or 0.5 to 100"},
		"a jitter that is no number":    {backoff(poll, looping.Pace{Jitter: math.NaN()}), "Jitter: NaN: want 0 or 0.5 to 100"},
		"bounds in the wrong order":     {backoff(poll, looping.Pace{Min: time.Hour}), "Min: 1h0m0s: want at most Max, 5m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.loop(t.Context())
			e, ok := errors.AsType[*looping.OptionError](err)
			if want := "looping call poll: " + c.want; !ok || e.Call != "poll" || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

// A loop without a name is called like its function.
func TestFuncName(t *testing.T) {
	err := looping.Every(t.Context(), 0, nothing)
	if want := "looping call looping_test.nothing: interval: 0s: want 100µs to 100 years"; err == nil || err.Error() != want {
		t.Errorf("Every = %v, want %s", err, want)
	}
	err = looping.Every(t.Context(), time.Second, nil)
	if want := "looping call without a name: function: nil: want a function"; err == nil || err.Error() != want {
		t.Errorf("Every = %v, want %s", err, want)
	}
	d := newDiary()
	for f, want := range map[any]string{7: "int", d: "*looping_test.diary"} {
		if got := looping.FuncName(f); got != want {
			t.Errorf("FuncName(%v) = %s, want %s", f, got, want)
		}
	}
	if got, want := looping.FuncName(d.note), "looping_test.(*diary).note"; got != want {
		t.Errorf("FuncName = %s, want %s", got, want)
	}
}
