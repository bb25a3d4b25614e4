// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
)

var _ interface {
	service.Service
	service.Starter
	service.Shutdowner
	service.Resetter
	service.Checker
	service.Namer
} = (*service.Group)(nil)

var errBroken = errors.New("broken")

func TestGroupStartsInOrderAndStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t,
			&actor{name: "db", log: log, startFor: time.Second, drainFor: time.Second},
			&actor{name: "api", log: log, startFor: time.Second, drainFor: time.Second},
		)
		served := running(t, g)
		if err := g.Shutdown(servicetest.Draining(t.Context(), service.Replace)); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		log.want(t, `
			0s db start
			1s api start
			1s db serve
			2s api serve
			2s api shutdown replace
			3s api ended
			3s db shutdown replace
			4s db ended
		`)
	})
}

func TestGroupAfterIsConcurrentWhereItMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t, // an After may name what comes later in the list
			service.After(&actor{name: "api", log: log, drainFor: time.Second}, "db", "bus"),
			&actor{name: "db", log: log, startFor: time.Second, drainFor: 2 * time.Second},
			service.Named("bus", &actor{name: "b", log: log, startFor: 2 * time.Second, drainFor: time.Second}),
		)
		served := running(t, g)
		if got := time.Since(log.begun); got != 2*time.Second {
			t.Errorf("started after %v, want 2s", got)
		}
		g.Shutdown(t.Context())
		<-served
		if got := time.Since(log.begun); got != 5*time.Second {
			t.Errorf("stopped after %v, want 5s", got)
		}
		for _, line := range []string{"0s db start", "0s b start", "1s db serve", "2s api start",
			"2s api shutdown none", "3s db shutdown none", "3s b shutdown none", "4s b ended", "5s db ended"} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("no %q in:\n%s", line, log)
			}
		}
	})
}

func TestNewGroupRefuses(t *testing.T) {
	named := func(name string, after ...string) service.Service {
		svc := service.Named(name, service.Func(func(context.Context) error { return nil }))
		if after == nil {
			return svc
		}
		return service.After(svc, after...)
	}
	for name, c := range map[string]struct {
		svcs []service.Service
		want string
		typ  any
	}{
		"a nil service": {
			svcs: []service.Service{named("a"), nil},
			want: "service 1: <nil>: want a Service",
			typ:  &service.OptionError{},
		},
		"a nil pointer": {
			svcs: []service.Service{(*actor)(nil)},
			want: "service 0: <nil>: want a Service",
			typ:  &service.OptionError{},
		},
		"an unknown name": {
			svcs: []service.Service{named("api", "db"), named("bus")},
			want: "api.after: db: want a service of the group: api, bus",
			typ:  &service.OptionError{},
		},
		"a name that two have": {
			svcs: []service.Service{named("api", "db"), named("db"), named("db")},
			want: "api.after: db: want a name that one service of the group has alone",
			typ:  &service.OptionError{},
		},
		"a circle": {
			svcs: []service.Service{named("x", "a"), named("a", "b"), named("b", "c"), named("c", "a")},
			want: "service order is a circle: a after b after c after a",
			typ:  &service.CycleError{},
		},
		"a circle of one, in two wrappers": {
			svcs: []service.Service{service.After(named("a", "a"), "b"), named("b")},
			want: "service order is a circle: a after a",
			typ:  &service.CycleError{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := service.NewGroup(c.svcs...)
			if err == nil || err.Error() != c.want || reflect.TypeOf(err) != reflect.TypeOf(c.typ) {
				t.Errorf("NewGroup: %T %v, want %T %v", err, err, c.typ, c.want)
			}
		})
	}
}

func TestGroupRollsBackWhatStarted(t *testing.T) {
	start := func(ctx context.Context, g *service.Group) error { return g.Start(ctx) }
	for name, c := range map[string]struct {
		third *actor // starts when db and bus are ready, at 2s
		start func(ctx context.Context, g *service.Group) error
		want  string
		fails string        // what became of api
		at    time.Duration // when the others are drained
	}{
		"a Start that fails": {
			third: &actor{startErr: errBroken},
			start: start,
			want:  "start api: broken",
			at:    2 * time.Second,
		},
		"a Start that takes too long": {
			third: &actor{startFor: time.Hour},
			start: start,
			want:  "start api: not ready within 1m0s: context deadline exceeded",
			fails: "1m2s api start: context deadline exceeded",
			at:    62 * time.Second,
		},
		"the end of the context in mid-start": {
			third: &actor{startFor: time.Hour},
			start: func(ctx context.Context, g *service.Group) error {
				ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Second, errBroken)
				defer cancel()
				return g.Start(ctx)
			},
			want:  "broken",
			fails: "3s api start: context deadline exceeded",
			at:    3 * time.Second,
		},
		"a Shutdown in mid-start": {
			third: &actor{startFor: time.Hour},
			start: func(ctx context.Context, g *service.Group) error {
				time.AfterFunc(3*time.Second, func() {
					if err := g.Shutdown(servicetest.Draining(ctx, service.Stop)); err != nil {
						panic(err)
					}
				})
				return g.Start(ctx)
			},
			want:  "stopped while it started",
			fails: "3s api start: context canceled",
			at:    3 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				c.third.name, c.third.log = "api", log
				g := newGroup(t,
					&actor{name: "db", log: log, startFor: time.Second, drainFor: time.Second},
					&actor{name: "bus", log: log, startFor: time.Second, drainFor: time.Second},
					c.third,
					&actor{name: "never", log: log},
				)
				if err := c.start(t.Context(), g); err == nil || err.Error() != c.want {
					t.Errorf("Start: %v, want %v", err, c.want)
				}
				log.want(t, fmt.Sprintf(`
					0s db start
					1s bus start
					1s db serve
					2s api start
					2s bus serve
					%s
					%v bus shutdown stop
					%v bus ended
					%[3]v db shutdown stop
					%v db ended
				`, c.fails, c.at, c.at+time.Second, c.at+2*time.Second))
			})
		})
	}
}

// A Start that comes to its end after all must be served and drained: its service may rely on that.
func TestGroupRollsBackAStartThatDoesNotSeeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		late := service.Named("late", &starter{actor: actor{name: "late", log: log}, takes: 5 * time.Second})
		g := newGroup(t, &actor{name: "db", log: log, drainFor: time.Second}, late)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		log.want(t, `
			0s db serve
			0s db start
			0s late start
			5s db shutdown stop
			5s late ended
			5s late serve
			5s late shutdown stop
			6s db ended
		`)
	})
}

// A starter is an actor whose Start takes its time whatever its context says.
type starter struct {
	actor
	takes time.Duration
	quick atomic.Bool // not any more
}

func (s *starter) Start(ctx context.Context) error {
	if err := s.actor.Start(context.Background()); err != nil {
		return err
	}
	if !s.quick.Load() {
		time.Sleep(s.takes)
	}
	return nil
}

func TestGroupGivesUpAStartThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		hung := &starter{actor: actor{name: "hung", log: log}, takes: time.Hour}
		g := newGroup(t, &actor{name: "db", log: log}, hung)
		g.StartTimeout, g.ShutdownTimeout = 10*time.Second, 5*time.Second
		err := g.Start(t.Context())
		if got := time.Since(log.begun); got != 16*time.Second {
			t.Errorf("Start took %v, want 16s", got)
		}
		const want = "start hung: not ready within 10s: context deadline exceeded; shutdown timeout: cut db, hung: still running hung"
		if err == nil || err.Error() != want || !errors.Is(err, service.ErrShutdownTimeout) {
			t.Errorf("Start: %v, want %v", err, want)
		}
		if s := g.State(); s != service.StateFailed {
			t.Errorf("state %v, want failed", s)
		}
		// It must not be started twice at once.
		if err := g.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "still running since it was stopped: hung") {
			t.Errorf("Start while the last one hangs: %v", err)
		}
		time.Sleep(time.Hour)
		hung.quick.Store(true)
		served := running(t, g)
		g.Shutdown(t.Context())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestGroupServesFromTheMomentOfReady(t *testing.T) {
	serving := make(chan struct{})
	g := newGroup(t,
		service.Func(func(ctx context.Context) error {
			close(serving)
			<-ctx.Done()
			return nil
		}),
		&actor{name: "client", log: newTranscript(), onStart: func() { <-serving }},
	)
	served := running(t, g)
	g.Shutdown(t.Context())
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestGroupOfGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		inner := newGroup(t,
			&actor{name: "a", log: log, drainFor: time.Second},
			&actor{name: "b", log: log, startFor: time.Minute, drainFor: time.Hour},
		)
		if got := inner.Name(); got != "a+b" {
			t.Errorf("Name = %q, want a+b", got)
		}
		g := newGroup(t, service.Named("inner", inner))
		started := make(chan error, 1)
		go func() { started <- g.Start(t.Context()) }()
		time.Sleep(time.Second)
		// The inner group starts: the deadline and the reason must reach what it has started.
		ctx, cancel := context.WithTimeout(servicetest.Draining(t.Context(), service.Shrink), time.Second/2)
		defer cancel()
		err := g.Shutdown(ctx)
		if err == nil || err.Error() != "shutdown timeout: cut inner" {
			t.Errorf("Shutdown: %v", err)
		}
		<-started
		log.want(t, `
			0s a serve
			0s a start
			0s b start
			1s a shutdown shrink
			1s b start: context canceled
			1.5s a ended
		`)
	})
}

func TestGroupContexts(t *testing.T) {
	type key struct{}
	seen := make(chan context.Context, 2)
	g := newGroup(t, &contextual{seen})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	if err := g.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel() // bounds Start alone
	start, serve := <-seen, <-seen
	if start.Value(key{}) != "value" || serve.Value(key{}) != "value" {
		t.Error("Start and Serve do not have the values of the context of Start")
	}
	if start.Err() == nil || serve.Err() != nil {
		t.Errorf("after its end: Start's %v, Serve's %v", start.Err(), serve.Err())
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if serve.Err() == nil {
		t.Error("Serve's context did not end with a Shutdown that the service does not have")
	}
}

// contextual shows its contexts.
type contextual struct{ seen chan context.Context }

func (c *contextual) Start(ctx context.Context) error {
	c.seen <- ctx
	return nil
}

func (c *contextual) Serve(ctx context.Context) error {
	c.seen <- ctx
	<-ctx.Done()
	return ctx.Err()
}

func TestGroupWithoutMembers(t *testing.T) {
	g := newGroup(t)
	if err := <-running(t, g); err != nil {
		t.Error(err)
	}
	if s := g.State(); s != service.StateStopped {
		t.Errorf("state %v, want stopped", s)
	}
}
