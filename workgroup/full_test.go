// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/workgroup"
)

func TestFullAndFail(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 2, WhenFull: workgroup.Fail}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		goes(t, g, "a", sleeper(time.Second))
		goes(t, g, "b", sleeper(2*time.Second))
		_, err := g.Go(ctx, "c", sleeper(0))
		wantErr(t, err, workgroup.ErrFull)
		if want := "work group test: c: work group is full"; err.Error() != want {
			t.Errorf("Go = %v, want %s", err, want)
		}
		time.Sleep(1500 * time.Millisecond)
		goes(t, g, "c", sleeper(time.Second))
		wantMembers(t, g, 2, 0, 0)
	})
}

func TestFullAndQueue(t *testing.T) {
	o := workgroup.Options{Limit: 2, WhenFull: workgroup.Queue, QueueLimit: 3}
	bubble(t, o, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		var began notes
		for i := range 5 {
			goes(t, g, fmt.Sprint(i), func(ctx context.Context) error {
				began.add(i, " ", time.Since(base))
				return sleeper(time.Second)(ctx)
			})
			time.Sleep(time.Millisecond)
		}
		wantMembers(t, g, 2, 3, 0)
		_, err := g.Go(ctx, "more", sleeper(0))
		wantErr(t, err, workgroup.ErrFull)
		wantErr(t, g.Shutdown(ctx), nil) // what is queued runs
		want := []string{"0 0s", "1 1ms", "2 1s", "3 1.001s", "4 2s"}
		began.want(t, want)
	})
}

func TestFullAndBlock(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 1}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		goes(t, g, "first", sleeper(3*time.Second))
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := g.Go(short, "impatient", func(context.Context) error { t.Error("called"); return nil })
		wantErr(t, err, context.DeadlineExceeded)
		wantTook(t, base, time.Second)
		_, err = g.Go(short, "late", func(context.Context) error { t.Error("called"); return nil })
		wantErr(t, err, context.DeadlineExceeded)
		h := goes(t, g, "patient", sleeper(time.Second))
		wantTook(t, base, 3*time.Second)
		wantErr(t, h.Wait(ctx), nil)
		wantTook(t, base, 4*time.Second)
	})
}

// A member that waits for its group gives its place to what is queued.
func TestAMemberDrainsAFullGroup(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 1, WhenFull: workgroup.Queue}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		h := goes(t, g, "drainer", func(ctx context.Context) error {
			time.Sleep(time.Second)
			return g.Shutdown(ctx)
		})
		goes(t, g, "a", sleeper(time.Minute))
		goes(t, g, "b", sleeper(time.Minute))
		wantErr(t, h.Wait(ctx), nil)
		wantTook(t, base, 2*time.Minute+time.Second)
		wantMembers(t, g, 0, 0, 0)
	})
}
