// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
)

func TestGroupErrorOfAMemberEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t,
			&actor{name: "db", log: log, drainFor: time.Second},
			&actor{name: "api", log: log, serveFor: time.Minute, serveErr: errBroken},
			&actor{name: "rpc", log: log, drainFor: time.Second},
		)
		err := <-running(t, g)
		se, ok := errors.AsType[*service.ServiceError](err)
		if !ok || se.Service != "api" || se.Op != "serve" || !errors.Is(err, errBroken) {
			t.Errorf("Serve: %v, want serve api: broken", err)
		}
		log.want(t, `
			0s api serve
			0s api start
			0s db serve
			0s db start
			0s rpc serve
			0s rpc start
			1m0s api ended
			1m0s rpc shutdown stop
			1m1s db shutdown stop
			1m1s rpc ended
			1m2s db ended
		`)
		want := []service.MemberState{
			{Name: "db", State: service.StateStopped},
			{Name: "api", State: service.StateFailed, Err: se},
			{Name: "rpc", State: service.StateStopped},
		}
		if got := g.States(); !reflect.DeepEqual(got, want) {
			t.Errorf("States = %v, want %v", got, want)
		}
	})
}

func TestGroupFirstErrorCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t,
			&actor{name: "db", log: log, drainErr: errors.New("disk full")},
			&actor{name: "api", log: log, serveFor: time.Second, serveErr: errBroken},
		)
		if err := <-running(t, g); err == nil || err.Error() != "serve api: broken" {
			t.Errorf("Serve: %v, want the first error alone", err)
		}
		if err := g.Shutdown(t.Context()); err == nil || err.Error() != "shutdown db: disk full" {
			t.Errorf("Shutdown: %v, want the error of the drain", err)
		}
	})
}

func TestGroupNilEndsAMemberAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t,
			&actor{name: "first", log: log, serveFor: time.Second},
			&actor{name: "second", log: log, serveFor: time.Minute},
		)
		served := running(t, g)
		time.Sleep(2 * time.Second)
		want := []service.MemberState{
			{Name: "first", State: service.StateStopped},
			{Name: "second", State: service.StateRunning},
		}
		if got := g.States(); !reflect.DeepEqual(got, want) {
			t.Errorf("States = %v, want %v", got, want)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v, want nil when all are done", err)
		}
		if s := g.State(); s != service.StateStopped {
			t.Errorf("state %v, want stopped", s)
		}
	})
}

func TestGroupShutdownCutsAtTheEndOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t,
			service.Named("ticker", service.Func(func(ctx context.Context) error {
				<-ctx.Done() // has no Shutdown, and nothing that could be cut
				log.add("ticker ended")
				return ctx.Err()
			})),
			&actor{name: "db", log: log},
			&actor{name: "api", log: log, drainFor: time.Hour},
		)
		served := running(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := g.Shutdown(ctx)
		const want = "shutdown timeout: cut db, api"
		if !errors.Is(err, service.ErrShutdownTimeout) || !sameWords(err.Error(), want) {
			t.Errorf("Shutdown: %v, want %v", err, want)
		}
		if got := time.Since(log.begun); got != 10*time.Second {
			t.Errorf("Shutdown took %v, want 10s", got)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v, want nil: all have ended", err)
		}
		for _, line := range []string{"0s api shutdown none", "10s api ended", "10s db ended", "10s ticker ended"} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("no %q in:\n%s", line, log)
			}
		}
		if strings.Contains(log.String(), "db shutdown") {
			t.Errorf("Shutdown called when the time was up:\n%s", log)
		}
	})
}

// sameWords reports whether two texts have the same words, in any order: services are cut at once.
func sameWords(a, b string) bool {
	count := map[string]int{}
	for _, w := range strings.Fields(strings.ReplaceAll(a, ",", "")) {
		count[w]++
	}
	for _, w := range strings.Fields(strings.ReplaceAll(b, ",", "")) {
		count[w]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestX02GroupGivesUpWhatIgnoresItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t, &actor{name: "deaf", log: log, drainFor: time.Hour, deaf: time.Hour})
		served := running(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := g.Shutdown(ctx)
		const want = "shutdown timeout: cut deaf: still running deaf"
		if !errors.Is(err, service.ErrShutdownTimeout) || err.Error() != want {
			t.Errorf("Shutdown: %v, want %v", err, want)
		}
		if got, want := time.Since(log.begun), 10*time.Second+service.KillDelay; got != want {
			t.Errorf("Shutdown took %v, want %v", got, want)
		}
		if err := <-served; !errors.Is(err, service.ErrShutdownTimeout) {
			t.Errorf("Serve: %v, want an error that says what still runs", err)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestGroupServeEndsWithItsContext(t *testing.T) {
	for name, c := range map[string]struct {
		deaf time.Duration
		want string
		took time.Duration
	}{
		"a member that sees it":      {0, "", 0},
		"a member that takes long":   {service.KillDelay - 1, "", service.KillDelay - 1},
		"a member that takes longer": {service.KillDelay + 1, "shutdown timeout: still running slow", service.KillDelay},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				g := newGroup(t, &actor{name: "slow", log: log, deaf: c.deaf})
				if err := g.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				err := g.Serve(ctx)
				if got := fmt.Sprint(err); c.want != "" && got != c.want || c.want == "" && err != nil {
					t.Errorf("Serve: %v, want %q", err, c.want)
				}
				if got := time.Since(log.begun); got != c.took {
					t.Errorf("Serve took %v, want %v", got, c.took)
				}
				if strings.Contains(log.String(), "shutdown") {
					t.Errorf("drained although it was to stop now:\n%s", log)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestGroupShutdownAgainMayOnlyEndItSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t, &actor{name: "api", log: log, drainFor: time.Hour})
		served := running(t, g)
		first := make(chan error, 1)
		go func() { first <- g.Shutdown(servicetest.Draining(t.Context(), service.Shrink)) }()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(servicetest.Draining(t.Context(), service.Stop), time.Minute)
		defer cancel()
		second := g.Shutdown(ctx)
		if err := <-first; !errors.Is(err, service.ErrShutdownTimeout) || !errors.Is(second, service.ErrShutdownTimeout) {
			t.Errorf("Shutdown: %v and %v, want both to say what was cut", err, second)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		log.want(t, `
			0s api serve
			0s api shutdown shrink
			0s api start
			1m1s api ended
		`)
		if got := time.Since(log.begun); got != 61*time.Second {
			t.Errorf("took %v, want 61s", got)
		}
	})
}

func TestGroupRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		g := newGroup(t, &actor{name: "api", log: log}, &actor{name: "done", log: log, serveFor: time.Second})
		if err := g.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown before Start: %v", err)
		}
		if err := g.Serve(t.Context()); err == nil {
			t.Error("Serve before Start: no error")
		}
		for range 3 {
			served := running(t, g)
			if err := g.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "started already") {
				t.Errorf("Start of what runs: %v", err)
			}
			time.Sleep(time.Minute)
			for range 2 {
				if err := g.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
		if got := strings.Count(log.String(), "api shutdown"); got != 3 {
			t.Errorf("%d shutdowns, want 3:\n%s", got, log)
		}
		if strings.Contains(log.String(), "done shutdown") {
			t.Errorf("Shutdown of a service that was done:\n%s", log)
		}
	})
}

func TestGroupAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, &actor{name: "api", log: newTranscript(), startFor: time.Second, serveFor: time.Minute, serveErr: errBroken})
		if s := g.State(); s != service.StateNew {
			t.Errorf("state %v, want new", s)
		}
		seen := make(chan error, 8)
		await := func(ctx context.Context, states ...service.State) {
			for _, s := range states {
				go func() { seen <- g.Await(ctx, s) }()
			}
		}
		await(t.Context(), service.StateStarting, service.StateRunning, service.StateDraining, service.StateFailed)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		synctest.Wait()
		served := running(t, g)
		await(ctx, service.StateStopped)
		<-served
		await(t.Context(), service.StateStopped)
		synctest.Wait()
		close(seen)
		var errs []string
		for err := range seen {
			if err != nil {
				errs = append(errs, err.Error())
			}
		}
		want := []string{
			"group api is running, not stopped: context deadline exceeded",
			"group api is failed, not stopped: serve api: broken",
		}
		if !reflect.DeepEqual(errs, want) {
			t.Errorf("errors of Await: %q, want %q", errs, want)
		}
	})
}

// methods is a service whose Reset and Check are functions.
type methods struct {
	actor
	reset, check func(ctx context.Context) error
}

func (m *methods) Reset(ctx context.Context) error { return m.reset(ctx) }
func (m *methods) Check(ctx context.Context) error { return m.check(ctx) }

func TestGroupResetsAllAtOnceAndChecksInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		member := func(name string, err error) service.Service {
			m := &methods{actor: actor{name: name, log: newTranscript()}}
			call := func(method string) func(context.Context) error {
				return func(context.Context) error {
					time.Sleep(time.Second)
					log.add("%s %s", method, name)
					return err
				}
			}
			m.reset, m.check = call("reset"), call("check")
			return service.Named(name, m)
		}
		g := newGroup(t, member("a", errBroken), &actor{name: "plain", log: newTranscript()}, member("b", errBroken))
		if err := g.Reset(t.Context()); err != nil || log.String() != "" {
			t.Errorf("Reset of what does not run: %v\n%s", err, log)
		}
		if err := g.Check(t.Context()); err == nil || err.Error() != "check a: broken; check b: broken" {
			t.Errorf("Check: %v", err)
		}
		log.want(t, "1s check a\n2s check b")

		served := running(t, g)
		log = newTranscript()
		if err := g.Reset(t.Context()); err == nil || err.Error() != "reset a: broken; reset b: broken" || !errors.Is(err, errBroken) {
			t.Errorf("Reset: %v", err)
		}
		if got := time.Since(log.begun); got != time.Second {
			t.Errorf("Reset took %v, want 1s", got)
		}
		g.Shutdown(t.Context())
		<-served
	})
}
