// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package looping_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

func TestLC12DynamicDoneWithTrue(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		wantValue(t, looping.Dynamic(ctx, func(context.Context) (time.Duration, error) {
			return 0, looping.DoneWith(true)
		}), true)
	})
}

func TestLC15DynamicDoneWithFalse(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		wantValue(t, looping.Dynamic(ctx, func(context.Context) (time.Duration, error) {
			return time.Hour, looping.DoneWith(false)
		}), false)
	})
}

func TestLC16DynamicErrorEndsTheLoop(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d := newDiary()
		err := looping.Dynamic(ctx, func(context.Context) (time.Duration, error) { d.note(); return time.Hour, errBoom })
		if err != errBoom {
			t.Errorf("Dynamic = %v, want the error itself", err)
		}
		d.want(t, 0)
		d.wantNow(t, 0)
	})
}

// Upstream an error leads to the next call at once, without end.
func TestLC17DynamicGoesOnAfterErrors(t *testing.T) {
	for name, c := range map[string]struct {
		max, returned, want time.Duration
	}{
		"a delay beside the error": {returned: 3 * time.Second, want: 3 * time.Second},
		"none, but a bound":        {max: 5 * time.Second, want: 5 * time.Second},
		"neither":                  {want: time.Second},
		"one beyond the bound":     {max: 5 * time.Second, returned: 7 * time.Second, want: 5 * time.Second},
		"Longest without a bound":  {returned: looping.Longest, want: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				d := newDiary()
				var errs []error
				call := looping.Call{GoOn: true, Max: c.max, OnError: func(err error) { errs = append(errs, err) }}
				wantErr(t, call.Dynamic(ctx, func(context.Context) (time.Duration, error) {
					if d.note() == 2 {
						return 0, looping.Done
					}
					return c.returned, errBoom
				}), nil)
				d.want(t, 0, c.want, 2*c.want)
				if !slices.Equal(errs, []error{errBoom, errBoom}) {
					t.Errorf("errors %v, want two", errs)
				}
			})
		})
	}
}

// dynamic runs Dynamic with a function that returns delays in turn, and then Done.
func dynamic(ctx context.Context, c looping.Call, delays ...time.Duration) (*diary, error) {
	d := newDiary()
	return d, c.Dynamic(ctx, func(context.Context) (time.Duration, error) {
		n := d.note()
		if n == len(delays) {
			return 0, looping.Done
		}
		return delays[n], nil
	})
}

func TestLC18DynamicDelays(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d, err := dynamic(ctx, looping.Call{}, time.Second, 500*time.Millisecond, 0, -time.Second, 2*time.Second)
		wantErr(t, err, nil)
		d.want(t, 0, time.Second, 1500*time.Millisecond, 1500*time.Millisecond, 1500*time.Millisecond, 3500*time.Millisecond)
	})
}

func TestLC19LongestWithoutMax(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d, err := dynamic(ctx, looping.Call{Name: "poll"}, time.Second, looping.Longest)
		if e, ok := errors.AsType[*looping.OptionError](err); !ok || e.Call != "poll" || e.Name != "Max" {
			t.Errorf("Dynamic = %v, want an OptionError that names poll and Max", err)
		}
		d.want(t, 0, time.Second)
	})
}

func TestLC20LongestIsMax(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d, err := dynamic(ctx, looping.Call{Max: 5 * time.Second}, looping.Longest)
		wantErr(t, err, nil)
		d.want(t, 0, 5*time.Second)
	})
}

func TestLC21MaxBoundsDelays(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d, err := dynamic(ctx, looping.Call{Max: 5 * time.Second}, 11*time.Second, time.Second)
		wantErr(t, err, nil)
		d.want(t, 0, 5*time.Second, 6*time.Second)
	})
}

func TestLC22DynamicInitialDelay(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d, err := dynamic(ctx, looping.Call{InitialDelay: 3 * time.Second}, time.Second)
		wantErr(t, err, nil)
		d.want(t, 3*time.Second, 4*time.Second)
	})
}

func TestDynamicTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		d, err := dynamic(ctx, looping.Call{Timeout: 2500 * time.Millisecond, InitialDelay: time.Second}, time.Second, time.Second)
		wantErr(t, err, looping.ErrTimeout)
		d.want(t, time.Second, 2*time.Second)
		d.wantNow(t, 2500*time.Millisecond)
	})
}

func TestDynamicEndsWithContext(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Minute, cancel)
		d, err := dynamic(ctx, looping.Call{}, time.Second, time.Hour)
		wantErr(t, err, context.Canceled)
		d.want(t, 0, time.Second)
		d.wantNow(t, time.Minute)
		d, err = dynamic(ctx, looping.Call{}, 0)
		wantErr(t, err, context.Canceled)
		d.want(t)
	})
}
