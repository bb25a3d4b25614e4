// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/looping"
	"github.com/mainstay-go/mainstay/workgroup"
)

var errBoom = errors.New("boom")

// bubble runs a test in fake time with a group, which is stopped at its end.
func bubble(t *testing.T, o workgroup.Options, test func(t *testing.T, ctx context.Context, g *workgroup.Group)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, o)
		test(t, t.Context(), g)
		if err := g.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func newGroup(t *testing.T, o workgroup.Options) *workgroup.Group {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	g, err := workgroup.New("test", o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// goes adds work and wants it taken.
func goes(t *testing.T, g *workgroup.Group, name string, f func(context.Context) error) *workgroup.Handle {
	t.Helper()
	h, err := g.Go(t.Context(), name, f)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sleeper is work that takes d, or ends with its context.
func sleeper(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wantMembers wants so many goroutines that run, queued ones and timers.
func wantMembers(t *testing.T, g *workgroup.Group, running, queued, timers int) {
	t.Helper()
	synctest.Wait()
	s := g.Status()
	if s.Running != running || s.Queued != queued || s.Timers != timers || len(s.Members) != running+queued+timers {
		t.Errorf("status %+v, want %d running, %d queued, %d timers", s, running, queued, timers)
	}
}

// notes are lines from many goroutines.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprint(args...))
}

func (n *notes) want(t *testing.T, want []string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.list, want) {
		t.Errorf("noted %q, want %q", n.list, want)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error %v, want %v", got, want)
	}
}

func wantTook(t *testing.T, since time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(since); got != want {
		t.Errorf("took %v, want %v", got, want)
	}
}

// Go passes arguments by closures: there is one way to add a timer, and no argument to be taken for a
// delay. The values of the context come along.
func TestTG01TG02DynamicTimer(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(ctx, key{}, "value"))
		got, calls := "", 0
		h, err := g.Dynamic(ctx, looping.Call{Name: "poll"}, func(ctx context.Context) (time.Duration, error) {
			got, _ = ctx.Value(key{}).(string)
			calls++
			return time.Second, ctx.Err()
		})
		wantErr(t, err, nil)
		cancel() // is not the end of the timer
		time.Sleep(2500 * time.Millisecond)
		wantMembers(t, g, 0, 0, 1)
		if m := g.Status().Members[0]; m.Name != "poll" || m.Kind != workgroup.DynamicTimer || m.State != workgroup.Running || h.Name() != "poll" {
			t.Errorf("member %+v, want poll that runs", m)
		}
		if got != "value" || calls != 3 {
			t.Errorf("%d calls with %q, want 3 with the value", calls, got)
		}
	})
}

func TestTG03TG04Timer(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		var starts []time.Duration
		h, err := g.Every(ctx, looping.Call{InitialDelay: time.Second}, 2*time.Second, func(context.Context) error {
			if starts = append(starts, time.Since(base)); len(starts) == 3 {
				return looping.DoneWith("third")
			}
			return nil
		})
		wantErr(t, err, nil)
		wantMembers(t, g, 0, 0, 1)
		if got, err := looping.Value[string](h.Wait(ctx)); got != "third" || err != nil {
			t.Errorf("Wait = %v, %v, want the value", got, err)
		}
		if got, want := fmt.Sprint(starts), "[1s 3s 5s]"; got != want {
			t.Errorf("calls at %s, want %s", got, want)
		}
		wantMembers(t, g, 0, 0, 0)
		if errs := g.Errors(); errs != nil {
			t.Errorf("errors %v, want none: it is done", errs)
		}
	})
}

func TestTG05StopByAMember(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		others := []*workgroup.Handle{goes(t, g, "a", sleeper(time.Hour)), goes(t, g, "b", sleeper(time.Hour))}
		release := make(chan struct{})
		self := goes(t, g, "self", func(ctx context.Context) error {
			time.Sleep(time.Second)
			if err := g.Stop(ctx); err != nil {
				t.Error(err)
			}
			wantTook(t, time.Now(), 0)
			<-release
			return ctx.Err()
		})
		time.Sleep(time.Second)
		wantMembers(t, g, 1, 0, 0) // itself
		for _, h := range others {
			wantErr(t, h.Err(), context.Canceled)
		}
		close(release)
		if err := self.Wait(ctx); err != nil {
			t.Errorf("Wait = %v: its context was cancelled", err)
		}
		wantMembers(t, g, 0, 0, 0)
	})
}

func TestTG06StopNow(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		h := goes(t, g, "second", sleeper(time.Second))
		_, err := g.Every(ctx, looping.Call{}, time.Minute, func(context.Context) error { return nil })
		wantErr(t, err, nil)
		synctest.Wait()
		base := time.Now()
		wantErr(t, g.Stop(ctx), nil)
		wantTook(t, base, 0)
		wantErr(t, h.Err(), context.Canceled)
		wantMembers(t, g, 0, 0, 0)
		if errs := g.Errors(); errs != nil {
			t.Errorf("errors %v, want none: it was stopped", errs)
		}
	})
}

func TestTG07StopGracefully(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		h := goes(t, g, "second", sleeper(time.Second))
		_, err := g.Every(ctx, looping.Call{}, time.Minute, func(context.Context) error { return nil })
		wantErr(t, err, nil)
		synctest.Wait()
		base := time.Now()
		wantErr(t, g.Shutdown(ctx), nil)
		wantTook(t, base, time.Second)
		wantErr(t, h.Err(), nil)
		wantMembers(t, g, 0, 0, 0)
	})
}

func TestTG08CancelBeforeItBegins(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 1, WhenFull: workgroup.Queue}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		first := goes(t, g, "first", sleeper(time.Second))
		never := func(context.Context) error { t.Error("called"); return nil }
		second, third := goes(t, g, "second", never), goes(t, g, "third", never)
		wantMembers(t, g, 1, 2, 0)
		if !second.Cancel() || second.Cancel() {
			t.Error("Cancel: want true, then false")
		}
		wantErr(t, second.Wait(ctx), workgroup.ErrCanceled)
		wantMembers(t, g, 1, 1, 0)
		if n := g.Cancel(); n != 1 {
			t.Errorf("Cancel = %d, want 1", n)
		}
		wantErr(t, third.Wait(ctx), workgroup.ErrCanceled)
		wantErr(t, first.Wait(ctx), nil)
		wantMembers(t, g, 0, 0, 0)
	})
}

func TestTG09CancelAfterItBegan(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		h := goes(t, g, "second", sleeper(time.Second))
		if h.Cancel() || g.Cancel() != 0 {
			t.Error("Cancel took back what had begun")
		}
		wantMembers(t, g, 1, 0, 0)
		wantErr(t, h.Wait(ctx), nil)
	})
}

// Cancel, wait for a time, then stop: that is Shutdown with a deadline after a Cancel.
func TestTG10CancelThenStop(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 1, WhenFull: workgroup.Queue}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		h := goes(t, g, "long", sleeper(300*time.Millisecond))
		queued := goes(t, g, "queued", sleeper(0))
		g.Cancel()
		base := time.Now()
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		err := g.Shutdown(short)
		wantErr(t, err, context.DeadlineExceeded)
		if want := "work group test: still running long: context deadline exceeded"; err.Error() != want {
			t.Errorf("Shutdown = %v, want %s", err, want)
		}
		wantErr(t, h.Wait(ctx), context.Canceled)
		wantTook(t, base, 200*time.Millisecond)
		wantErr(t, queued.Err(), workgroup.ErrCanceled)
		wantMembers(t, g, 0, 0, 0)
	})
}

func TestTG11StopTimers(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		nap := func(context.Context) error { time.Sleep(3 * time.Second); return nil }
		for range 3 {
			_, err := g.Every(ctx, looping.Call{InitialDelay: time.Second}, time.Minute, nap)
			wantErr(t, err, nil)
		}
		work := goes(t, g, "work", sleeper(time.Hour))
		time.Sleep(2 * time.Second)
		base := time.Now()
		wantErr(t, g.StopTimers(ctx), nil)
		wantTook(t, base, 2*time.Second) // calls that run are waited for
		wantMembers(t, g, 1, 0, 0)
		if s := work.State(); s != workgroup.Running {
			t.Errorf("work is %s, want running", s)
		}
		_, err := g.Every(ctx, looping.Call{}, time.Minute, nap)
		wantErr(t, err, nil)
		wantMembers(t, g, 1, 0, 1)
	})
}

// Upstream a timer that was stopped stays in the list until timer_done. Here it leaves by itself, when
// its last call has returned, and nothing grows.
func TestTG12TG13StoppedTimersLeave(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		calls := make(chan error, 2)
		nap := func(ctx context.Context) error {
			calls <- sleeper(time.Minute)(ctx)
			return nil
		}
		every, err := g.Every(ctx, looping.Call{}, time.Hour, nap)
		wantErr(t, err, nil)
		dynamic, err := g.Dynamic(ctx, looping.Call{}, func(ctx context.Context) (time.Duration, error) { return 0, nap(ctx) })
		wantErr(t, err, nil)
		synctest.Wait()
		base := time.Now()
		for _, h := range []*workgroup.Handle{every, dynamic} {
			h.Stop()
			h.Stop()
			if s := h.State(); s != workgroup.Stopping {
				t.Errorf("%s is %s, want stopping", h.Kind(), s)
			}
		}
		wantMembers(t, g, 0, 0, 2)
		wantErr(t, every.Wait(ctx), nil)
		wantErr(t, dynamic.Wait(ctx), nil)
		wantTook(t, base, time.Minute)
		for range cap(calls) {
			if err := <-calls; err != nil {
				t.Errorf("a call was interrupted: %v", err)
			}
		}
		wantMembers(t, g, 0, 0, 0)
		if errs := g.Errors(); errs != nil {
			t.Errorf("errors %v, want none", errs)
		}
	})
}

func TestX14AddingWhileItStops(t *testing.T) {
	for name, stop := range map[string]func(*workgroup.Group, context.Context) error{
		"now":        (*workgroup.Group).Stop,
		"gracefully": (*workgroup.Group).Shutdown,
	} {
		t.Run(name, func(t *testing.T) {
			o := workgroup.Options{Limit: 1, WhenFull: workgroup.Block}
			bubble(t, o, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
				refused := make(chan error, 4)
				add := func(ctx context.Context) error {
					time.Sleep(2 * time.Second) // the stop begins meanwhile
					_, err := g.Go(ctx, "more", sleeper(0))
					refused <- err
					_, err = g.Every(ctx, looping.Call{}, time.Second, func(context.Context) error { return nil })
					refused <- err
					return nil
				}
				_, err := g.Every(ctx, looping.Call{}, time.Hour, func(context.Context) error {
					return add(context.WithoutCancel(ctx))
				})
				wantErr(t, err, nil)
				goes(t, g, "adder", func(context.Context) error { return add(context.WithoutCancel(ctx)) })
				blocked := make(chan error)
				go func() {
					_, err := g.Go(ctx, "blocked", sleeper(0))
					blocked <- err
				}()
				time.Sleep(time.Second)
				base := time.Now()
				stopped := make(chan error)
				go func() { stopped <- stop(g, ctx) }()
				wantErr(t, <-blocked, workgroup.ErrStopped)
				wantTook(t, base, 0)
				wantErr(t, <-stopped, nil)
				wantTook(t, base, time.Second)
				for range cap(refused) {
					wantErr(t, <-refused, workgroup.ErrStopped)
				}
				wantMembers(t, g, 0, 0, 0)
			})
		})
	}
}
