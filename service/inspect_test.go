// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

// A showing is a service that shows something of itself.
type showing struct {
	service.Service
	show func() map[string]any
}

func (s *showing) Inspect() map[string]any { return s.show() }

// shows returns a service of that name that serves until it is cancelled.
func shows(name string, show func() map[string]any) service.Service {
	idle := service.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	return service.Named(name, &showing{idle, show})
}

// always returns what shows one value.
func always(kind string, value any) func() map[string]any {
	return func() map[string]any { return map[string]any{kind: value} }
}

// lines prints inspections, one a line and without pids.
func lines(all []control.Inspection) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%s/%d gen %d %s: %s%s\n", s.Set, s.Worker, s.Generation, s.Service, s.Value, s.Error)
	}
	return b.String()
}

func TestInspectFindsWhatServicesWrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, err := service.NewGroup(shows("a", always("tasks", 1)), shows("b", always("other", 2)))
		if err != nil {
			t.Fatal(err)
		}
		defined := service.Define("made", func(context.Context) (service.Service, error) {
			return shows("not its name", always("tasks", []string{"x"})), nil
		})
		failing := service.Define("absent", func(context.Context) (service.Service, error) { return nil, errors.New("not yet") })
		ordered := service.After(shows("c", always("tasks", nil)), "made")
		opts := service.Options{Name: "prog", Inspect: map[string]func() any{
			"config": func() any { return map[string]int{"n": 7} }, "tasks": func() any { return "own" }, "none": nil,
		}}
		l, ended := launch(t, opts, service.Named("jobs", inner), defined, ordered, service.Named("mute", service.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })))
		await(t, l, service.StateRunning)
		got, err := l.Inspect(t.Context(), "tasks")
		want := "prog/0 gen 1 : \"own\"\n" +
			"prog/0 gen 1 jobs/a: 1\n" +
			"prog/0 gen 1 made: [\"x\"]\n" +
			"prog/0 gen 1 c: null\n"
		if lines(got) != want || err != nil {
			t.Errorf("Inspect = %s%v, want %s", lines(got), err, want)
		}
		for _, s := range got {
			if s.Pid != os.Getpid() {
				t.Errorf("pid %d, want that of this process", s.Pid)
			}
		}
		if got, err := l.Inspect(t.Context(), "config"); lines(got) != "prog/0 gen 1 : {\"n\":7}\n" || err != nil {
			t.Errorf("Inspect = %s%v", lines(got), err)
		}
		if kinds, err := l.Kinds(t.Context()); fmt.Sprint(kinds) != "[config other tasks]" || err != nil {
			t.Errorf("Kinds = %v, %v", kinds, err)
		}
		_, err = l.Inspect(t.Context(), "task")
		if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != http.StatusNotFound ||
			e.Message != `kind: "task": nothing here shows that; want config or other or tasks` {
			t.Errorf("Inspect of an unknown kind: %v", err)
		}
		l.Stop(t.Context())
		<-ended

		l, ended = launch(t, service.Options{}, failing)
		<-ended
		if _, err := l.Inspect(t.Context(), "tasks"); err == nil || !strings.Contains(err.Error(), "there is nothing to inspect") {
			t.Errorf("Inspect of a program without anything = %v", err)
		}
	})
}

// One service that misbehaves does not hide the others, and is named.
func TestInspectOfServicesThatMisbehave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		hung := make(chan struct{})
		l, ended := launch(t, service.Options{Name: "prog"},
			shows("panics", func() map[string]any { panic("of the inspection") }),
			shows("hangs", func() map[string]any { asked.Add(1); <-hung; return map[string]any{"tasks": "late"} }),
			shows("odd", always("tasks", math.NaN())),
			shows("encodes with a panic", always("tasks", panicking{})),
			shows("large", always("tasks", strings.Repeat("x", 40<<20))),
			shows("well", always("tasks", "fine")))
		await(t, l, service.StateRunning)
		begun := time.Now()
		got, err := l.Inspect(t.Context(), "tasks")
		if took := time.Since(begun); took != 2*time.Second || err != nil {
			t.Errorf("Inspect took %v, %v, want the 2 s that one is waited for", took, err)
		}
		want := "prog/0 gen 1 panics: panic: of the inspection\n" +
			"prog/0 gen 1 hangs: no answer in time\n" +
			"prog/0 gen 1 odd: json: unsupported value: NaN\n" +
			"prog/0 gen 1 encodes with a panic: panic: of the encoding\n" +
			"prog/0 gen 1 large: value of 41943042 bytes, at most 33554432 are shown\n" +
			"prog/0 gen 1 well: \"fine\"\n"
		if lines(got) != want {
			t.Errorf("Inspect = %s, want %s", lines(got), want)
		}
		for range 5 {
			go l.Inspect(t.Context(), "tasks")
		}
		time.Sleep(time.Second)
		if n := asked.Load(); n != 1 {
			t.Errorf("%d calls of an Inspect that hangs, want 1", n)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second/2, func() { cancel(errBroken) })
		if got, err := l.Inspect(ctx, "tasks"); got != nil || !errors.Is(err, errBroken) {
			t.Errorf("Inspect of a caller who goes = %v, %v", got, err)
		}
		close(hung)
		synctest.Wait()
		if got, _ := l.Inspect(t.Context(), "tasks"); !strings.Contains(lines(got), `hangs: "late"`) || asked.Load() != 2 {
			t.Errorf("Inspect = %s after %d calls, want the service asked again", lines(got), asked.Load())
		}
		l.Stop(t.Context())
		<-ended
	})
}

type panicking struct{}

func (panicking) MarshalJSON() ([]byte, error) { panic("of the encoding") }

func ExampleInspector() {
	jobs := shows("jobs", func() map[string]any {
		return map[string]any{"tasks": []string{"reap", "sync"}}
	})
	l := service.NewServiceLauncher(service.Options{Name: "demo", Signals: service.SignalsIgnored})
	if err := l.Add(jobs); err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	if err := l.Await(ctx, service.StateRunning); err != nil {
		panic(err)
	}
	shown, err := l.Inspect(ctx, "tasks") // as control.Client.Inspect does from outside
	for _, s := range shown {
		fmt.Printf("%s, worker %d, %s: %s\n", s.Set, s.Worker, s.Service, s.Value)
	}
	stop()
	fmt.Println(err, <-ended)
	// Output:
	// demo, worker 0, jobs: ["reap","sync"]
	// <nil> <nil>
}
