// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

// failing returns a function that fails with err n times and then returns its number of calls.
func failing(n int, err error) func(context.Context) (int, error) {
	calls := 0
	return func(context.Context) (int, error) {
		if calls++; calls <= n {
			return 0, err
		}
		return calls, nil
	}
}

// retries are what OnRetry was told.
type retries struct {
	looping.Retries
	delays []time.Duration
}

func counted(r looping.Retries) *retries {
	c := &retries{Retries: r}
	c.OnRetry = func(n int, delay time.Duration, err error) {
		c.delays = append(c.delays, delay)
		if n != len(c.delays) || err == nil {
			panic(fmt.Sprintf("retry %d after %v, want %d", n, err, len(c.delays)))
		}
	}
	return c
}

func TestLC28RetryWithoutExpectedErrors(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := counted(looping.Retries{})
		got, err := looping.Retry(ctx, r.Retries, failing(0, nil))
		if got != 1 || err != nil || r.delays != nil {
			t.Errorf("Retry = %d, %v after delays %v, want 1 at once", got, err, r.delays)
		}
		if _, err := looping.Retry(ctx, r.Retries, failing(1, errBoom)); err != errBoom || r.delays != nil {
			t.Errorf("Retry = %v after delays %v, want %v at once", err, r.delays, errBoom)
		}
	})
}

func TestLC29RetryExpectedErrors(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		r := counted(looping.Retries{On: looping.Errors(errOther, errBoom), Max: 3, Step: 2 * time.Second})
		got, err := looping.Retry(ctx, r.Retries, failing(2, fmt.Errorf("wrapped: %w", errBoom)))
		if got != 3 || err != nil {
			t.Errorf("Retry = %d, %v, want 3", got, err)
		}
		wantSleeps(t, r.delays, seconds(2, 4)) // the last is twice the step, as upstream's test has it
		d.wantNow(t, 6*time.Second)
	})
}

func TestLC30RetryMax(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := counted(looping.Retries{On: looping.Errors(errBoom), Max: 2, Step: time.Second})
		if _, err := looping.Retry(ctx, r.Retries, failing(100, errBoom)); err != errBoom {
			t.Errorf("Retry = %v, want %v itself", err, errBoom)
		}
		wantSleeps(t, r.delays, seconds(1, 2))
	})
}

func TestLC31RetryUnexpectedError(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := counted(looping.Retries{On: looping.Errors(errBoom)})
		if _, err := looping.Retry(ctx, r.Retries, failing(1, errOther)); err != errOther || r.delays != nil {
			t.Errorf("Retry = %v after delays %v, want %v at once", err, r.delays, errOther)
		}
	})
}

// FIX-01 upstream: no real time is spent.
func TestRetryDelaysGrow(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := counted(looping.Retries{On: looping.Errors(errBoom), Max: 3, Step: 2 * time.Second})
		_, err := looping.Retry(ctx, r.Retries, failing(100, errBoom))
		wantErr(t, err, errBoom)
		wantSleeps(t, r.delays, seconds(2, 4, 6))

		r = counted(looping.Retries{On: looping.Errors(errBoom), Max: 8})
		_, err = looping.Retry(ctx, r.Retries, failing(100, errBoom))
		wantErr(t, err, errBoom)
		wantSleeps(t, r.delays, seconds(10, 20, 30, 40, 50, 60, 60, 60))
	})
}

// Upstream the counter lives with the decorator and is never reset.
func TestX13RetryCountsPerCall(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := looping.Retries{On: looping.Errors(errBoom), Max: 2, Step: time.Second}
		for range 2 {
			d := newDiary()
			if got, err := looping.Retry(ctx, r, failing(2, errBoom)); got != 3 || err != nil {
				t.Errorf("Retry = %d, %v, want 3", got, err)
			}
			d.wantNow(t, 3*time.Second)
		}
		d := newDiary()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				want := time.Duration(i%3*(i%3+1)/2) * time.Second
				if got, err := looping.Retry(ctx, r, failing(i%3, errBoom)); got != i%3+1 || err != nil {
					t.Errorf("Retry = %d, %v, want %d", got, err, i%3+1)
				}
				d.wantNow(t, want)
			})
		}
		wg.Wait()
	})
}

func TestRetryEndsWithContext(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
		defer cancel()
		d := newDiary()
		r := looping.Retries{Name: "connect", On: func(error) bool { return true }}
		_, err := looping.Retry(ctx, r, failing(100, errBoom))
		wantErr(t, err, errBoom)
		wantErr(t, err, context.DeadlineExceeded)
		if got, want := err.Error(), "retry connect: context deadline exceeded after 2 calls, the last: boom"; got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		d.wantNow(t, 25*time.Second)
		if _, err := looping.Retry(ctx, r, failing(0, nil)); err != context.DeadlineExceeded {
			t.Errorf("Retry = %v, want no call", err)
		}
	})
}

func TestRetryOfAPanic(t *testing.T) {
	r := looping.Retries{On: looping.Errors(errBoom)}
	_, err := looping.Retry(t.Context(), r, func(context.Context) (int, error) { panic(errBoom) })
	if p, ok := errors.AsType[*looping.PanicError](err); !ok || p.Value != errBoom {
		t.Errorf("Retry = %v, want the panic, at once", err)
	}
}

func TestRetryRefuses(t *testing.T) {
	f := failing(0, nil)
	for name, c := range map[string]struct {
		r    looping.Retries
		f    func(context.Context) (int, error)
		want string
	}{
		"nothing to call":       {looping.Retries{Name: "connect"}, nil, "looping call connect: function: nil: want a function"},
		"a step below 0":        {looping.Retries{Name: "connect", Step: -1}, f, "looping call connect: Step: -1ns: want 0 to 100 years"},
		"a bound below 0":       {looping.Retries{Name: "connect", MaxDelay: -time.Second}, f, "looping call connect: MaxDelay: -1s: want 0 to 100 years"},
		"a step beyond reason":  {looping.Retries{Name: "connect", Step: 1 << 62}, f, "looping call connect: Step: 1281023h53m38.427387904s: want 0 to 100 years"},
		"a bound beyond reason": {looping.Retries{Name: "connect", MaxDelay: 1 << 62}, f, "looping call connect: MaxDelay: 1281023h53m38.427387904s: want 0 to 100 years"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := looping.Retry(t.Context(), c.r, c.f)
			if _, ok := errors.AsType[*looping.OptionError](err); !ok || err.Error() != c.want || n != 0 {
				t.Errorf("Retry = %d, %v, want %s", n, err, c.want)
			}
		})
	}
}
