// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

func seconds(s ...float64) []time.Duration {
	var d []time.Duration
	for _, v := range s {
		d = append(d, time.Duration(v*1e9))
	}
	return d
}

// vector is what a back-off waits that always fails, with r = 0.8 and all else at its default.
var vector = seconds(1.6, 2.4, 3.6, 5.4, 8.1, 12.15, 18.225, 27.3375, 41.00625, 61.509375, 92.2640625)

// backoff runs Backoff and returns what it waited between calls.
func backoff(ctx context.Context, c looping.Call, p looping.Pace, f func(n int) (bool, error)) (sleeps []time.Duration, err error) {
	d := newDiary()
	err = c.Backoff(ctx, p, func(context.Context) (bool, error) { return f(d.note()) })
	for i := 1; i < len(d.starts); i++ {
		sleeps = append(sleeps, d.starts[i]-d.starts[i-1])
	}
	return sleeps, err
}

func fails(int) (bool, error) { return false, nil }

func constant(r float64) func() float64 { return func() float64 { return r } }

func wantSleeps(t *testing.T, got, want []time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("sleeps %v, want %v", got, want)
	}
}

func TestLC23BackoffVector(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		sleeps, err := backoff(ctx, looping.Call{Name: "join"}, looping.Pace{Random: constant(0.8)}, fails)
		wantErr(t, err, looping.ErrTimeout)
		if got, want := err.Error(), "looping call join: timeout after 4m33.5921875s of failures"; got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		wantSleeps(t, sleeps, vector)
		d.wantNow(t, 273592187500) // the sum: the delay beyond the timeout is not waited for
	})
}

func TestLC24BackoffUsesTheAbsoluteValue(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		sleeps, err := backoff(ctx, looping.Call{}, looping.Pace{Random: constant(-0.8)}, fails)
		wantErr(t, err, looping.ErrTimeout)
		wantSleeps(t, sleeps, vector)
	})
}

func TestLC25BackoffSuccess(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		sleeps, err := backoff(ctx, looping.Call{}, looping.Pace{Random: constant(1)}, func(n int) (bool, error) {
			if n == 3 {
				return true, looping.DoneWith("value")
			}
			return true, nil
		})
		wantValue(t, err, "value")
		wantSleeps(t, sleeps, seconds(1, 1, 1))
	})
}

func TestLC26BackoffDoneAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		_, err := backoff(ctx, looping.Call{}, looping.Pace{}, func(int) (bool, error) { return false, looping.Done })
		wantErr(t, err, nil)
		d.wantNow(t, 0)
	})
}

func TestLC27BackoffVectorWithMax(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := looping.Pace{Random: constant(0.8), Max: time.Minute}
		sleeps, err := backoff(ctx, looping.Call{}, p, fails)
		wantErr(t, err, looping.ErrTimeout)
		wantSleeps(t, sleeps, append(slices.Clone(vector[:9]), seconds(60, 60, 60)...))
	})
}

func TestBackoffSuccessBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := looping.Pace{Start: 2 * time.Second, Timeout: 10 * time.Second, Random: constant(1)}
		sleeps, err := backoff(ctx, looping.Call{}, p, func(n int) (bool, error) { return n == 2, nil })
		wantErr(t, err, looping.ErrTimeout)
		wantSleeps(t, sleeps, seconds(4, 6, 2, 4, 6))
	})
}

func TestBackoffShortestDelay(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := looping.Pace{Start: time.Second, Min: 1500 * time.Millisecond, Random: constant(0.1)}
		sleeps, err := backoff(ctx, looping.Call{}, p, func(n int) (bool, error) {
			if n == 8 {
				return false, errBoom
			}
			return false, nil
		})
		wantErr(t, err, errBoom)
		// 0.2, 0.3, 0.45, 0.675, 1.0125 are below; the interval itself is 1.5^n
		wantSleeps(t, sleeps, seconds(1.5, 1.5, 1.5, 1.5, 1.5, 1.51875, 2.278125, 3.4171875))
	})
}

func TestBackoffWithoutEnd(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := looping.Pace{Timeout: -1, Random: constant(0.75)}
		sleeps, err := backoff(ctx, looping.Call{}, p, func(n int) (bool, error) {
			if n == 3000 { // beyond what the interval can grow to
				return false, looping.Done
			}
			return false, nil
		})
		wantErr(t, err, nil)
		if last := sleeps[len(sleeps)-1]; last != 300*time.Second {
			t.Errorf("last delay %v, want Max", last)
		}
	})
}

func TestBackoffErrorsAreFailuresWithGoOn(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		n := 0
		c := looping.Call{GoOn: true, OnError: func(error) { n++ }}
		sleeps, err := backoff(ctx, c, looping.Pace{Random: constant(0.8)}, func(int) (bool, error) { return true, errBoom })
		wantErr(t, err, looping.ErrTimeout)
		wantSleeps(t, sleeps, vector)
		if n != 12 {
			t.Errorf("%d errors reported, want 12", n)
		}
	})
}

func TestBackoffTimeoutOfTheLoop(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		c := looping.Call{Name: "join", Timeout: 5 * time.Second, InitialDelay: time.Second}
		sleeps, err := backoff(ctx, c, looping.Pace{Random: constant(0.8)}, fails)
		wantErr(t, err, looping.ErrTimeout)
		wantSleeps(t, sleeps, seconds(1.6))
		d.wantNow(t, 5*time.Second)
	})
}

// The default r is normally distributed: its mean is Jitter, its standard deviation 0.1.
func TestBackoffRandom(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		const n = 20_000
		sleeps, err := backoff(ctx, looping.Call{}, looping.Pace{Jitter: 2}, func(i int) (bool, error) {
			if i == n {
				return true, looping.Done
			}
			return true, nil
		})
		wantErr(t, err, nil)
		var sum, squares float64
		for _, s := range sleeps {
			sum, squares = sum+s.Seconds(), squares+s.Seconds()*s.Seconds()
		}
		mean := sum / n
		variance := squares/n - mean*mean
		// Ten standard errors on either side.
		if mean < 1.99 || mean > 2.01 || variance < 0.009 || variance > 0.011 {
			t.Errorf("mean %v, variance %v, want 2 and 0.01", mean, variance)
		}
	})
}
