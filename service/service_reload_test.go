// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// reloads makes the options of reloads: each call is answered by the next of its functions, the last
// for ever.
type reloads struct {
	mu    sync.Mutex
	calls int
	fns   []func(ctx context.Context) (service.Options, error)
}

func (r *reloads) next(ctx context.Context) (service.Options, error) {
	r.mu.Lock()
	f := r.fns[min(r.calls, len(r.fns)-1)]
	r.calls++
	r.mu.Unlock()
	return f(ctx)
}

func (r *reloads) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// options is a reload that makes opts.
func options(opts service.Options) func(context.Context) (service.Options, error) {
	return func(context.Context) (service.Options, error) { return opts, nil }
}

func TestReloadStartsAgainWithNewOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		opts := service.Options{Reload: options(service.Options{ShutdownTimeout: 3 * time.Second, StartTimeout: 7 * time.Second})}
		svc := &actor{name: "api", log: log, startFor: 5 * time.Second, drainFor: time.Second}
		var deadlines []time.Duration
		l, ended := launch(t, opts, svc, &deadlined{&deadlines})
		await(t, l, service.StateRunning)
		if err := l.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := l.State(); s != service.StateRunning {
			t.Errorf("state %v when Reload has returned, want running", s)
		}
		svc.drainFor = time.Hour
		begun := time.Now()
		wantExit(t, l.Stop(t.Context()), service.ExitCut, "shutdown timeout: cut api")
		if got := time.Since(begun); got != 3*time.Second {
			t.Errorf("stopped after %v, want the new 3s", got)
		}
		<-ended
		if got, want := fmt.Sprint(deadlines), "[1m0s 7s]"; got != want {
			t.Errorf("start timeouts %v, want %v", got, want)
		}
		log.want(t, `
			0s api start
			5s api serve
			5s api shutdown replace
			6s api ended
			6s api start
			11s api serve
			11s api shutdown stop
			14s api ended
		`)
	})
}

// deadlined writes down how long its Start may take.
type deadlined struct{ list *[]time.Duration }

func (d *deadlined) Start(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	*d.list = append(*d.list, time.Until(deadline))
	return nil
}

func (d *deadlined) Serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestReloadRefusedChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		reload func(context.Context) (service.Options, error)
		want   string
	}{
		"by an error": {
			func(context.Context) (service.Options, error) { return service.Options{}, errBroken }, "broken",
		},
		"for bad options": {
			options(service.Options{RestartMethod: 9}), "restart_method: 9: want RestartReload or RestartMutate",
		},
		"as one process cannot be scaled": {
			options(service.Options{Workers: 3}),
			"workers: 3: want 0 or 1: prog runs its services in one process and cannot be scaled; start it with workers",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				logger, lines := newLogger()
				l, ended := launch(t, service.Options{Name: "prog", Reload: c.reload, Logger: logger}, &actor{name: "api", log: log})
				await(t, l, service.StateRunning)
				if err := l.Reload(t.Context()); err == nil || err.Error() != c.want {
					t.Errorf("Reload: %v, want %v", err, c.want)
				}
				if st := l.Status(); st.State != "running" || st.Generation != 1 || st.Last.Error != c.want {
					t.Errorf("Status: %+v", st)
				}
				log.want(t, "0s api serve\n0s api start")
				l.Stop(t.Context())
				wantExit(t, <-ended, 0, "")
				if !lines.has("level=ERROR") || !lines.has("reload failed") {
					t.Errorf("not logged: %q", lines.get())
				}
			})
		})
	}
}

// A plan that hangs is a refused one, and does not block those after it.
func TestReloadGivesUpAPlanThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := &reloads{fns: []func(context.Context) (service.Options, error){
			func(context.Context) (service.Options, error) {
				time.Sleep(time.Hour)
				return service.Options{}, nil
			},
			options(service.Options{}),
		}}
		l, ended := launch(t, service.Options{Reload: rs.next, StartTimeout: 10 * time.Second}, &actor{name: "api", log: newTranscript()})
		await(t, l, service.StateRunning)
		begun := time.Now()
		err := l.Reload(t.Context())
		if err == nil || err.Error() != "the plan did not return: context deadline exceeded" || time.Since(begun) != 10*time.Second+service.KillDelay {
			t.Errorf("Reload: %v after %v", err, time.Since(begun))
		}
		if err := l.Reload(t.Context()); err != nil {
			t.Errorf("the next Reload: %v", err)
		}
		l.Stop(t.Context())
		wantExit(t, <-ended, 0, "")
		time.Sleep(2 * time.Hour)
	})
}

func TestReloadThatDoesNotStartAgainEndsTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &actor{name: "api", log: newTranscript()}
		l, ended := launch(t, service.Options{}, svc)
		await(t, l, service.StateRunning)
		svc.startErr = errBroken
		if err := l.Reload(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Reload: %v", err)
		}
		wantExit(t, <-ended, service.ExitFailed, "start api: broken")
	})
}

func TestReloadCutsWhatDoesNotDrainInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, lines := newLogger()
		log := newTranscript()
		l, ended := launch(t, service.Options{Logger: logger, ShutdownTimeout: time.Second}, &actor{name: "api", log: log, drainFor: time.Hour})
		await(t, l, service.StateRunning)
		if err := l.Reload(t.Context()); err != nil {
			t.Errorf("Reload: %v", err)
		}
		if st := l.Status(); st.State != "running" || st.Last.Cut != 1 {
			t.Errorf("Status: %+v, last %+v", st, st.Last)
		}
		if err := l.Stop(t.Context()); !errors.Is(err, service.ErrShutdownTimeout) {
			t.Errorf("Stop: %v", err)
		}
		<-ended
		if !lines.has(`msg="services were cut in a reload" services=[api]`) {
			t.Errorf("not logged: %q", lines.get())
		}
	})
}

// What still runs after a drain cannot be started again: it would run twice.
func TestReloadOfWhatIgnoresItsEndFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := launch(t, service.Options{ShutdownTimeout: time.Second},
			&actor{name: "api", log: newTranscript(), drainFor: time.Hour, deaf: time.Hour})
		await(t, l, service.StateRunning)
		if err := l.Reload(t.Context()); err == nil {
			t.Error("Reload: no error")
		}
		wantExit(t, <-ended, service.ExitFailed, "group api: still running since it was stopped: api")
		time.Sleep(2 * time.Hour)
	})
}

func TestMutateResetsInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		m := &methods{actor: actor{name: "api", log: log}}
		m.reset = func(context.Context) error { log.add("api reset"); return nil }
		logger, _ := newLogger()
		rs := &reloads{fns: []func(context.Context) (service.Options, error){
			options(service.Options{RestartMethod: service.RestartMutate, StartTimeout: time.Second}),
		}}
		var generations []int
		opts := service.Options{RestartMethod: service.RestartMutate, Reload: rs.next, Logger: logger,
			Hooks: []service.Hooks{{Reloaded: func(g int) { generations = append(generations, g) }}}}
		l, ended := launch(t, opts, m)
		await(t, l, service.StateRunning)
		time.Sleep(time.Second)
		if err := l.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		m.reset = func(context.Context) error { return errBroken }
		if err := l.Reload(t.Context()); err == nil || err.Error() != "reset api: broken" {
			t.Errorf("Reload: %v", err)
		}
		m.reset = func(context.Context) error {
			time.Sleep(time.Hour)
			return nil
		}
		begun := time.Now()
		if err := l.Reload(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second+service.KillDelay {
			t.Errorf("Reload with a Reset that hangs: %v after %v", err, time.Since(begun))
		}
		if st := l.Status(); st.State != "running" || st.Last.Action != "mutate" || st.Generation != 2 || rs.count() != 3 {
			t.Errorf("Status: %+v, last %+v, %d plans", st, st.Last, rs.count())
		}
		l.Stop(t.Context())
		wantExit(t, <-ended, 0, "")
		if got := fmt.Sprint(generations); got != "[2]" {
			t.Errorf("Reloaded hook: %v, want [2]", got)
		}
		if got := strings.Count(log.String(), "start"); got != 1 {
			t.Errorf("%d starts, want 1:\n%s", got, log)
		}
		time.Sleep(2 * time.Hour)
	})
}

// Any number of requests during a reload are one more: it reads the files after the last of them.
func TestReloadsCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := &reloads{fns: []func(context.Context) (service.Options, error){
			func(context.Context) (service.Options, error) {
				time.Sleep(time.Second)
				return service.Options{}, nil
			},
		}}
		log := newTranscript()
		l, ended := launch(t, service.Options{Reload: rs.next}, &actor{name: "api", log: log, startFor: time.Second})
		var wg sync.WaitGroup
		request := func() {
			for range 5 {
				wg.Go(func() {
					if err := l.Reload(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
		synctest.Wait()
		request() // before it runs
		await(t, l, service.StateRunning)
		synctest.Wait()
		request() // while the plan is made
		time.Sleep(1500 * time.Millisecond)
		request() // while it starts again
		wg.Wait()
		if got := rs.count(); got != 2 {
			t.Errorf("%d reloads, want 2", got)
		}
		if got := time.Since(log.begun); got != 5*time.Second {
			t.Errorf("took %v, want 5s", got)
		}
		l.Stop(t.Context())
		wantExit(t, <-ended, 0, "")
		if st := l.Status(); st.Generation != 3 {
			t.Errorf("generation %d, want 3", st.Generation)
		}
	})
}

func TestStopWinsOverAReload(t *testing.T) {
	for name, at := range map[string]time.Duration{
		"while the plan is made":  time.Second / 2,
		"while services drain":    3 * time.Second / 2,
		"while they start again":  5 * time.Second / 2,
		"with one more asked for": time.Second / 4,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				plan := func(ctx context.Context) (service.Options, error) {
					select {
					case <-time.After(time.Second):
						return service.Options{}, nil
					case <-ctx.Done():
						return service.Options{}, ctx.Err()
					}
				}
				l, ended := launch(t, service.Options{Reload: plan}, &actor{name: "api", log: log, startFor: time.Second, drainFor: time.Second})
				await(t, l, service.StateRunning)
				answers := make(chan error, 2)
				go func() { answers <- l.Reload(t.Context()) }()
				go func() { answers <- l.Reload(t.Context()) }()
				time.Sleep(at)
				stopped := make(chan error, 1)
				go func() { stopped <- l.Stop(t.Context()) }()
				for range 2 {
					if err := <-answers; err == nil || !strings.Contains(err.Error(), "the launcher is stopping") {
						t.Errorf("Reload: %v", err)
					}
				}
				if err := l.Reload(t.Context()); err == nil {
					t.Error("Reload during the stop: no error")
				}
				wantExit(t, <-ended, 0, "")
				if err := <-stopped; err != nil {
					t.Errorf("Stop: %v", err)
				}
				if got, most := time.Since(log.begun), time.Second+at+time.Second; got > most {
					t.Errorf("took %v, want at most %v:\n%s", got, most, log)
				}
			})
		})
	}
}

func TestReloadCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := launch(t, service.Options{}, &actor{name: "api", log: newTranscript(), startFor: time.Minute / 2})
		synctest.Wait()
		if err := l.Reload(t.Context()); err != nil {
			t.Errorf("Reload while it starts: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Reload(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Reload: %v", err)
		}
		await(t, l, service.StateRunning)
		synctest.Wait()
		if st := l.Status(); st.Generation != 3 {
			t.Errorf("generation %d, want 3: the reload goes on", st.Generation)
		}
		l.Stop(t.Context())
		<-ended
	})
}

// Services that end by themselves during a reload end the program as always.
func TestServicesEndDuringAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := func(ctx context.Context) (service.Options, error) {
			<-ctx.Done()
			return service.Options{}, ctx.Err()
		}
		l, ended := launch(t, service.Options{Reload: plan}, &actor{name: "api", log: newTranscript(), serveFor: time.Second, serveErr: errBroken})
		await(t, l, service.StateRunning)
		if err := l.Reload(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Reload: %v", err)
		}
		wantExit(t, <-ended, service.ExitFailed, "serve api: broken")
	})
}
