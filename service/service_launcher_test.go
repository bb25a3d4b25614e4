// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// launch runs svcs under a launcher that leaves the signals alone. The channel gets what Run returned.
func launch(t *testing.T, opts service.Options, svcs ...service.Service) (*service.ServiceLauncher, <-chan error) {
	t.Helper()
	opts.Signals = service.SignalsIgnored
	if opts.Logger == nil {
		opts.Logger, _ = newLogger()
	}
	l := service.NewServiceLauncher(opts)
	if err := l.Add(svcs...); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	return l, ended
}

// await waits until a launcher is in a state, and for all that follows from it at once.
func await(t *testing.T, l *service.ServiceLauncher, s service.State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := l.Await(ctx, s); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// wantExit compares an error of Run with an exit code and a text, empty for none.
func wantExit(t *testing.T, err error, code int, text string) {
	t.Helper()
	if got := service.ExitCode(err); got != code || (err == nil) != (text == "") || err != nil && err.Error() != text {
		t.Errorf("Run: %v, exit code %d; want %q, %d", err, got, text, code)
	}
}

func TestSVC12StopLetsServicesCleanUpAndIsHarmlessAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		l, ended := launch(t, service.Options{}, &actor{name: "api", log: log, drainFor: 5 * time.Second})
		await(t, l, service.StateRunning)
		second := make(chan error, 1)
		go func() { second <- l.Stop(t.Context()) }()
		for range 2 {
			if err := l.Stop(t.Context()); err != nil {
				t.Errorf("Stop: %v", err)
			}
		}
		wantExit(t, <-ended, 0, "")
		if err := <-second; err != nil {
			t.Errorf("a second Stop at once: %v", err)
		}
		log.want(t, `
			0s api serve
			0s api shutdown stop
			0s api start
			5s api ended
		`)
		if s := l.State(); s != service.StateStopped {
			t.Errorf("state %v, want stopped", s)
		}
	})
}

func TestSVC13And14NoneAndOneWorkerRunInThisProcess(t *testing.T) {
	for _, workers := range []int{0, 1} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			var pid int
			var worker service.Worker
			opts := service.Options{Name: "prog", Workers: workers, Signals: service.SignalsIgnored}
			err := service.Launch(t.Context(), opts, service.Func(func(ctx context.Context) error {
				pid, worker = os.Getpid(), service.WorkerOf(ctx)
				return nil
			}))
			wantExit(t, err, 0, "")
			if want := (service.Worker{Set: "prog", Count: 1, Generation: 1}); pid != os.Getpid() || worker != want {
				t.Errorf("ran in process %d as %+v, want %d as %+v", pid, worker, os.Getpid(), want)
			}
		})
	}
}

func TestSVC15And17And19WhatALauncherRefuses(t *testing.T) {
	job := service.Func(func(context.Context) error { return nil })
	for name, c := range map[string]struct {
		opts service.Options
		svcs []service.Service
		want string
		typ  error
	}{
		"a negative number of workers": {
			service.Options{Workers: -1}, []service.Service{job},
			"workers: -1: want 0 to 4096, or service.Auto", &service.OptionError{},
		},
		"several workers": {
			service.Options{Workers: 3}, []service.Service{job},
			"workers: 3: want 0 or 1 in a program without worker processes", &service.OptionError{},
		},
		"an unknown restart method": {
			service.Options{RestartMethod: 7}, []service.Service{job},
			"restart_method: 7: want RestartReload or RestartMutate", &service.OptionError{},
		},
		"no services": {
			service.Options{}, nil,
			"services: none: want at least one service", &service.OptionError{},
		},
		"services in a circle": {
			service.Options{}, []service.Service{service.After(service.Named("a", job), "a")},
			"service order is a circle: a after a", &service.CycleError{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, ended := launch(t, c.opts, c.svcs...)
			err := <-ended
			wantExit(t, err, service.ExitFailed, c.want)
			if ee, ok := errors.AsType[*service.ExitError](err); !ok || reflect.TypeOf(ee.Err) != reflect.TypeOf(c.typ) {
				t.Errorf("Run: %T around %T, want %T", err, errors.Unwrap(err), c.typ)
			}
		})
	}
	t.Run("no service at all", func(t *testing.T) {
		l := service.NewServiceLauncher(service.Options{})
		err := l.Add(job, nil)
		if _, ok := errors.AsType[*service.OptionError](err); !ok || err.Error() != "service 1: <nil>: want a Service" {
			t.Errorf("Add(nil): %v", err)
		}
	})
}

func TestSVC18AServiceIsAdded(t *testing.T) {
	l := service.NewServiceLauncher(service.Options{Signals: service.SignalsIgnored})
	if err := l.Add(&actor{name: "api", log: newTranscript()}); err != nil {
		t.Fatal(err)
	}
	if s := l.State(); s != service.StateNew {
		t.Errorf("state %v before Run, want new", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantExit(t, l.Run(ctx), 0, "")
	if err := l.Add(&actor{}); err == nil {
		t.Error("Add after Run: no error")
	}
	wantExit(t, l.Run(ctx), service.ExitFailed, "a ServiceLauncher runs once")
}

func TestLauncherEnds(t *testing.T) {
	for name, c := range map[string]struct {
		svc  *actor
		stop bool // after a minute, within 10 s
		code int
		text string
		took time.Duration
	}{
		"when its services are done": {
			svc: &actor{serveFor: time.Second}, took: time.Second,
		},
		"with the error of a service": {
			svc: &actor{serveFor: time.Second, serveErr: errBroken}, took: time.Second,
			code: service.ExitFailed, text: "serve api: broken",
		},
		"when one does not start": {
			svc: &actor{startFor: time.Second, startErr: errBroken}, took: time.Second,
			code: service.ExitFailed, text: "start api: broken",
		},
		"when asked to": {
			svc: &actor{drainFor: time.Second}, stop: true, took: 61 * time.Second,
		},
		"when asked to in mid-start": {
			svc: &actor{startFor: time.Hour}, stop: true, took: time.Minute,
		},
		"with a service cut": {
			svc: &actor{drainFor: time.Hour}, stop: true, took: 70 * time.Second,
			code: service.ExitCut, text: "shutdown timeout: cut api",
		},
		"with a service given up": {
			svc: &actor{drainFor: time.Hour, deaf: time.Hour}, stop: true, took: 71 * time.Second,
			code: service.ExitCut, text: "shutdown timeout: cut api: still running api",
		},
		"with a service that fails to drain": {
			svc: &actor{drainErr: errBroken}, stop: true, took: time.Minute,
			code: service.ExitFailed, text: "shutdown api: broken",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				c.svc.name, c.svc.log = "api", log
				opts := service.Options{ShutdownTimeout: 10 * time.Second, StartTimeout: 2 * time.Minute}
				l, ended := launch(t, opts, c.svc)
				if c.stop {
					time.AfterFunc(time.Minute, func() { l.Stop(context.Background()) })
				}
				wantExit(t, <-ended, c.code, c.text)
				if got := time.Since(log.begun); got != c.took {
					t.Errorf("took %v, want %v", got, c.took)
				}
				time.Sleep(2 * time.Hour)
				want := service.StateStopped
				if c.code != 0 {
					want = service.StateFailed
				}
				if s := l.State(); s != want {
					t.Errorf("state %v, want %v", s, want)
				}
			})
		})
	}
}

// THS-05 and THS-06 ask for the alarm to fire when a stop is slower than the timeout and only then.
// The alarm is the deadline of Shutdown's context here.
func TestTHS05And06TheDeadlineComesForSlowStopsOnly(t *testing.T) {
	for _, slow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			svc := &actor{name: "api", log: newTranscript(), drainFor: 9 * time.Second}
			if slow {
				svc.drainFor = 11 * time.Second
			}
			l, ended := launch(t, service.Options{ShutdownTimeout: 10 * time.Second}, svc)
			await(t, l, service.StateRunning)
			l.Stop(t.Context())
			if err := <-ended; errors.Is(err, service.ErrShutdownTimeout) != slow {
				t.Errorf("slow %v: %v", slow, err)
			}
		})
	}
}

func TestLauncherStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		l := service.NewServiceLauncher(service.Options{Signals: service.SignalsIgnored})
		l.Add(&actor{name: "api", log: log, drainFor: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wantExit(t, l.Run(ctx), 0, "")
		log.want(t, `
			0s api serve
			0s api start
			1m0s api shutdown stop
			1m1s api ended
		`)
	})
}

func TestLauncherStoppedBeforeItRuns(t *testing.T) {
	log := newTranscript()
	l := service.NewServiceLauncher(service.Options{Signals: service.SignalsIgnored})
	l.Add(&actor{name: "api", log: log})
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantExit(t, l.Run(t.Context()), 0, "")
	log.want(t, "")
	if err := l.Reload(t.Context()); err == nil {
		t.Error("Reload of what has ended: no error")
	}
}

func TestLauncherWithAContextThatHasEnded(t *testing.T) {
	log := newTranscript()
	l := service.NewServiceLauncher(service.Options{Signals: service.SignalsIgnored})
	l.Add(&actor{name: "api", log: log})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantExit(t, l.Run(ctx), 0, "")
	log.want(t, "")
}

// What others need to know of a failure they learn when it happens, not when all has drained.
func TestLauncherOfAServiceThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		logger, lines := newLogger()
		opts := service.Options{Logger: logger, ShutdownTimeout: time.Minute,
			Hooks: []service.Hooks{{Stopping: func() { log.add("stopping") }}}}
		l, ended := launch(t, opts,
			&actor{name: "db", log: log, drainFor: 30 * time.Second},
			&actor{name: "api", log: log, serveFor: time.Second, serveErr: errBroken})
		await(t, l, service.StateDraining)
		if !lines.has(`level=ERROR msg="service failed" error="serve api: broken"`) {
			t.Errorf("not logged: %q", lines.get())
		}
		if st := l.Status(); st.State != "stopping" {
			t.Errorf("status %+v", st)
		}
		if err := l.Reload(t.Context()); err == nil {
			t.Error("Reload of what ends: no error")
		}
		if err := l.Stop(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Stop: %v", err)
		}
		wantExit(t, <-ended, service.ExitFailed, "serve api: broken")
		log.want(t, `
			0s api serve
			0s api start
			0s db serve
			0s db start
			1s api ended
			1s db shutdown stop
			1s stopping
			31s db ended
		`)
	})
}

func TestLauncherStopsWithoutHavingRun(t *testing.T) {
	l, ended := launch(t, service.Options{Workers: -1}, &actor{name: "api", log: newTranscript()})
	<-ended
	if err := l.Stop(t.Context()); service.ExitCode(err) != service.ExitFailed {
		t.Errorf("Stop: %v, want what Run returned", err)
	}
	if err := l.Await(t.Context(), service.StateRunning); err == nil || !strings.Contains(err.Error(), "is failed, not running: workers: -1") {
		t.Errorf("Await: %v", err)
	}
}

func TestLauncherStopCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := launch(t, service.Options{}, &actor{name: "api", log: newTranscript(), drainFor: time.Minute / 2})
		await(t, l, service.StateRunning)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		wantExit(t, <-ended, 0, "") // the stop went on
	})
}

func TestLaunchersWithoutSignalsMayBeMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*service.ServiceLauncher
		var ends []<-chan error
		for range 3 {
			l, ended := launch(t, service.Options{}, &actor{name: "api", log: newTranscript()})
			all, ends = append(all, l), append(ends, ended)
		}
		for _, l := range slices.Backward(all) {
			await(t, l, service.StateRunning)
			if err := l.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		for _, ended := range ends {
			wantExit(t, <-ended, 0, "")
		}
	})
}
