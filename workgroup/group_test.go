// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/looping"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
	"github.com/mainstay-go/mainstay/workgroup"
)

var (
	_ service.Service    = (*workgroup.Group)(nil)
	_ service.Starter    = (*workgroup.Group)(nil)
	_ service.Shutdowner = (*workgroup.Group)(nil)
	_ service.Namer      = (*workgroup.Group)(nil)
)

func TestConform(t *testing.T) {
	servicetest.Conform(t, func() service.Service {
		g := newGroup(t, workgroup.Options{})
		goes(t, g, "work", sleeper(time.Millisecond))
		if _, err := g.Every(t.Context(), looping.Call{}, time.Second, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		return g
	})
}

func TestRefuses(t *testing.T) {
	g := newGroup(t, workgroup.Options{})
	made := func(name string, o workgroup.Options) error {
		_, err := workgroup.New(name, o)
		return err
	}
	_, noWork := g.Go(t.Context(), "resize", nil)
	for want, err := range map[string]error{
		`work group : name: "": want a name`:                      made("", workgroup.Options{}),
		"work group x: Limit: -1: want 0 or above":                made("x", workgroup.Options{Limit: -1}),
		"work group x: WhenFull: 7: want Block, Fail or Queue":    made("x", workgroup.Options{WhenFull: 7}),
		"work group x: QueueLimit: -1: want 0 or above":           made("x", workgroup.Options{QueueLimit: -1}),
		"work group x: KeepErrors: -1: want 0 or above":           made("x", workgroup.Options{KeepErrors: -1}),
		"work group test: resize: function: nil: want a function": noWork,
	} {
		if _, ok := errors.AsType[*workgroup.OptionError](err); !ok || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	_, noTimer := g.Every(t.Context(), looping.Call{Name: "poll"}, time.Second, nil)
	_, noDynamic := g.Dynamic(t.Context(), looping.Call{Name: "poll"}, nil)
	_, noBackoff := g.Backoff(t.Context(), looping.Call{Name: "poll"}, looping.Pace{}, nil)
	_, noInterval := g.Every(t.Context(), looping.Call{Name: "poll"}, 0, func(context.Context) error { return nil })
	for _, err := range []error{noTimer, noDynamic, noBackoff, noInterval} {
		if e, ok := errors.AsType[*looping.OptionError](err); !ok || e.Call != "poll" {
			t.Errorf("error %v, want an OptionError of poll", err)
		}
	}
	if s := g.Status(); len(s.Members) > 0 {
		t.Errorf("members %+v, want none", s.Members)
	}
}

// Timers end before work is touched, and what they would start does not begin.
func TestTimersStopBeforeWork(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		var events notes
		note := func(what string) { events.add(what, " ", time.Since(base)) }
		timer, err := g.Every(ctx, looping.Call{}, time.Second, func(context.Context) error {
			note("call")
			time.Sleep(800 * time.Millisecond)
			return nil
		})
		wantErr(t, err, nil)
		timer.Link(func(*workgroup.Handle) { note("timer ends") })
		work := goes(t, g, "work", sleeper(5*time.Second))
		work.Link(func(*workgroup.Handle) { note("work ends") })
		time.Sleep(1500 * time.Millisecond)
		wantErr(t, g.Shutdown(ctx), nil)
		want := []string{"call 0s", "call 1s", "timer ends 1.8s", "work ends 5s"}
		events.want(t, want)
	})
}

func TestMembersThatStopTheirGroup(t *testing.T) {
	o := workgroup.Options{Limit: 3, WhenFull: workgroup.Queue}
	bubble(t, o, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		stop := func(ctx context.Context) error { time.Sleep(time.Second); return g.Shutdown(ctx) }
		goes(t, g, "a", stop)
		goes(t, g, "b", stop) // they do not wait for each other
		_, err := g.Every(ctx, looping.Call{}, time.Second, stop)
		wantErr(t, err, nil)
		goes(t, g, "c", sleeper(time.Minute))
		synctest.Wait()
		wantErr(t, g.Wait(ctx), nil)
		wantTook(t, base, time.Minute)
	})
}

func TestHandleStop(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 1, WhenFull: workgroup.Queue}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		h := goes(t, g, "long", sleeper(time.Hour))
		queued := goes(t, g, "queued", sleeper(0))
		queued.Stop()
		wantErr(t, queued.Wait(ctx), workgroup.ErrCanceled)
		synctest.Wait()
		base := time.Now()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wantErr(t, h.Wait(short), context.DeadlineExceeded)
		h.Stop()
		wantErr(t, h.Wait(ctx), context.Canceled)
		wantTook(t, base, time.Second)
		h.Stop() // has no effect
		if errs := g.Errors(); errs != nil {
			t.Errorf("errors %v, want none", errs)
		}
	})
}

func TestWaitForItself(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		handles := make(chan *workgroup.Handle, 1)
		h := goes(t, g, "self", func(ctx context.Context) error {
			h := <-handles
			return h.Wait(ctx)
		})
		handles <- h
		if err := h.Wait(ctx); err == nil || !strings.Contains(err.Error(), "self: waits for itself") {
			t.Errorf("Wait = %v, want an error", err)
		}
	})
}

func TestLinksAreCalledOnceEach(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 1, WhenFull: workgroup.Queue}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		var told notes
		link := func(name string) func(h *workgroup.Handle) {
			return func(h *workgroup.Handle) { told.add(name, " ", h.Name(), ": ", h.Err()) }
		}
		h := goes(t, g, "work", func(context.Context) error { time.Sleep(time.Second); return errBoom })
		queued := goes(t, g, "queued", sleeper(0))
		h.Link(link("first"))
		h.Link(func(*workgroup.Handle) { panic("in a link") })
		h.Link(link("second"))
		queued.Link(link("third"))
		queued.Cancel()
		err := g.Wait(ctx)
		h.Link(link("late"))
		want := []string{
			"third queued: work group test: queued: canceled before it began",
			"first work: boom", "second work: boom", "late work: boom",
		}
		told.want(t, want)
		if want := "work group test: work: boom; work group test: work: panic: in a link"; err == nil || err.Error() != want {
			t.Errorf("Wait = %v, want %s", err, want)
		}
	})
}

func TestErrorsAreCollected(t *testing.T) {
	var out bytes.Buffer
	o := workgroup.Options{KeepErrors: 3, Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "stack" && strings.Contains(a.Value.String(), "TestErrorsAreCollected") {
				return slog.Attr{}
			}
			return a
		},
	}))}
	bubble(t, o, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		for i, f := range []func(context.Context) error{
			func(context.Context) error { return errors.New("dropped") },
			func(context.Context) error { return errBoom },
			func(context.Context) error { panic("oops") },
			func(context.Context) error { runtime.Goexit(); return nil },
			func(context.Context) error { return nil },
			func(context.Context) error { return fmt.Errorf("well: %w", looping.Done) },
		} {
			h := goes(t, g, fmt.Sprint("work ", i), f)
			<-h.Done()
			synctest.Wait()
		}
		want := []string{
			"work group test: work 1: boom",
			"work group test: work 2: panic: oops",
			"work group test: work 3: runtime.Goexit called",
		}
		var got []string
		for _, err := range g.Errors() {
			got = append(got, err.Error())
		}
		if !slices.Equal(got, want) {
			t.Errorf("errors %q, want %q", got, want)
		}
		wantErr(t, g.Wait(ctx), errBoom)
	})
	const want = `level=ERROR msg="work failed" group=test work="work 0" err=dropped
level=ERROR msg="work failed" group=test work="work 1" err=boom
level=ERROR msg="work failed" group=test work="work 2" err="panic: oops"
level=ERROR msg="work failed" group=test work="work 3" err="runtime.Goexit called"
`
	if out.String() != want {
		t.Errorf("logged\n%s, want\n%s", out.String(), want)
	}
}

// The calls of a timer with a timeout end with it, with its reason.
func TestTimerTimeout(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		h, err := g.Every(ctx, looping.Call{Name: "poll", Timeout: 15 * time.Second}, 10*time.Second, func(ctx context.Context) error {
			if time.Since(base) < 10*time.Second {
				return nil
			}
			<-ctx.Done()
			wantErr(t, context.Cause(ctx), looping.ErrTimeout)
			return ctx.Err()
		})
		wantErr(t, err, nil)
		wantErr(t, h.Wait(ctx), looping.ErrTimeout)
		wantTook(t, base, 15*time.Second)
	})
}

func TestBackoffTimer(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		base := time.Now()
		p := looping.Pace{Timeout: 10 * time.Second, Random: func() float64 { return 0.8 }}
		h, err := g.Backoff(ctx, looping.Call{}, p, func(context.Context) (bool, error) { return false, nil })
		wantErr(t, err, nil)
		wantErr(t, h.Wait(ctx), looping.ErrTimeout)
		wantTook(t, base, 7600*time.Millisecond)
		if errs := g.Errors(); len(errs) != 1 {
			t.Errorf("errors %v, want the timeout", errs)
		}
	})
}

// Who waits without a deadline says for whom.
func TestALongWaitNamesWhoIsLate(t *testing.T) {
	var out bytes.Buffer
	o := workgroup.Options{Logger: slog.New(slog.NewTextHandler(&out, nil))}
	bubble(t, o, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		goes(t, g, "deaf", func(context.Context) error { time.Sleep(70 * time.Second); return nil })
		wantErr(t, g.Stop(ctx), nil)
	})
	if n := strings.Count(out.String(), "for=[deaf]"); n != 2 {
		t.Errorf("logged\n%swant a line after 30 s and after 60 s", out.String())
	}
}

func TestInspect(t *testing.T) {
	bubble(t, workgroup.Options{Limit: 1, WhenFull: workgroup.Queue}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		goes(t, g, "a", sleeper(time.Hour))
		time.Sleep(time.Second)
		goes(t, g, "b", sleeper(time.Hour))
		got, err := json.Marshal(g.Inspect())
		want := `{"workgroup":{"name":"test","limit":1,"running":1,"queued":1,"timers":0,"stopping":false,"members":[` +
			`{"name":"a","kind":"goroutine","state":"running","since":"2000-01-01T00:00:00Z"},` +
			`{"name":"b","kind":"goroutine","state":"queued","since":"2000-01-01T00:00:01Z"}],"errors":[]}}`
		if string(got) != want || err != nil {
			t.Errorf("Inspect = %s, %v, want %s", got, err, want)
		}
	})
}

func TestServe(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		for range 2 { // a group that was stopped can be started again
			wantErr(t, g.Start(ctx), nil)
			wantErr(t, g.Start(ctx), nil) // is open: nothing happens
			served := make(chan error)
			serving, cancel := context.WithCancel(ctx)
			go func() { served <- g.Serve(serving) }()
			h := goes(t, g, "work", sleeper(time.Hour))
			base := time.Now()
			time.AfterFunc(time.Minute, cancel)
			wantErr(t, <-served, nil)
			wantTook(t, base, time.Minute)
			wantErr(t, h.Err(), context.Canceled)
			_, err := g.Go(ctx, "more", sleeper(0))
			wantErr(t, err, workgroup.ErrStopped)
		}
		wantErr(t, g.Start(ctx), nil)
		release := make(chan struct{})
		goes(t, g, "deaf", func(context.Context) error { <-release; return nil })
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wantErr(t, g.Stop(short), context.DeadlineExceeded)
		if err := g.Start(ctx); err == nil || !strings.Contains(err.Error(), "still running deaf") {
			t.Errorf("Start = %v, want one that names deaf", err)
		}
		close(release)
	})
}

// Work that adds its successor for ever does not carry the contexts of all that were before.
func TestContextsDoNotPileUp(t *testing.T) {
	bubble(t, workgroup.Options{}, func(t *testing.T, ctx context.Context, g *workgroup.Group) {
		depth := 0
		var step func(ctx context.Context) error
		step = func(ctx context.Context) error {
			if depth++; depth == 1000 {
				if n := strings.Count(fmt.Sprint(ctx), "WithValue"); n > 5 {
					t.Errorf("a context of %d parts, want a few", n)
				}
				return nil
			}
			_, err := g.Go(ctx, "step", step)
			return err
		}
		goes(t, g, "step", step)
		wantErr(t, g.Wait(ctx), nil)
		if depth != 1000 {
			t.Errorf("%d steps, want 1000", depth)
		}
	})
}

// All that happens at once, with the race detector: whatever was added ends, and nothing hangs.
func TestAddingAndStoppingAtRandom(t *testing.T) {
	for range 50 {
		g, err := workgroup.New("busy", workgroup.Options{Limit: 3, WhenFull: workgroup.Block, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		handles := make(chan *workgroup.Handle, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		adders := make(chan struct{})
		for i := range 8 {
			go func() {
				defer func() { adders <- struct{}{} }()
				for n := range 100 {
					h, err := g.Go(ctx, "work", func(ctx context.Context) error { runtime.Gosched(); return ctx.Err() })
					if err != nil {
						if !errors.Is(err, workgroup.ErrStopped) {
							t.Error(err)
						}
						return
					}
					if handles <- h; (n+i)%7 == 0 {
						h.Stop()
					}
				}
			}()
		}
		<-(<-handles).Done()
		stop := g.Stop
		if len(handles)%2 == 0 {
			stop = g.Shutdown
		}
		if err := stop(ctx); err != nil {
			t.Error(err)
		}
		if s := g.Status(); len(s.Members) > 0 {
			t.Errorf("members %+v after the stop", s.Members)
		}
		for range 8 {
			<-adders
		}
		close(handles)
		for h := range handles {
			if h.State() != workgroup.Ended {
				t.Errorf("%s is %s after the stop", h.Name(), h.State())
			}
		}
		cancel()
	}
}

func ExampleGroup() {
	g, err := workgroup.New("conductor", workgroup.Options{Limit: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	h, err := g.Go(ctx, "resize", func(context.Context) error { return errors.New("no such server") })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Wait(ctx))
	fmt.Println(g.Shutdown(ctx))
	_, err = g.Go(ctx, "late", func(context.Context) error { return nil })
	fmt.Println(err)
	// Output:
	// no such server
	// <nil>
	// work group conductor: late: work group is stopped
}
