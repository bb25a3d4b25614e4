// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
)

// counter counts until it is stopped, and takes a while to finish.
type counter struct {
	finish time.Duration // how long Shutdown takes
	reason service.DrainReason
	starts int
	leak   bool
	quit   chan struct{}
}

func (c *counter) Start(ctx context.Context) error {
	c.starts++
	c.quit = make(chan struct{})
	if c.leak {
		quit := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(quit) })
		go func() { <-quit }()
	}
	return nil
}

func (c *counter) Serve(ctx context.Context) error {
	select {
	case <-c.quit:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *counter) Shutdown(ctx context.Context) error {
	c.reason = service.Draining(ctx)
	select {
	case <-time.After(c.finish):
		close(c.quit)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestStartRunsUntilTheTestEnds(t *testing.T) {
	c := &counter{}
	t.Run("inner", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := servicetest.Start(t, c)
			if got := fmt.Sprint(r.States()); got != "[{counter running <nil>}]" {
				t.Errorf("States = %v", got)
			}
		})
	})
	if c.reason != service.Stop {
		t.Errorf("drained with reason %v, want stop", c.reason)
	}
}

func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		finish time.Duration
		want   string
		took   time.Duration
	}{
		"in time":  {time.Second, "<nil>", time.Second},
		"too late": {time.Hour, "shutdown timeout: cut counter", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := &counter{finish: c.finish}
				r := servicetest.Start(t, svc)
				begun := time.Now()
				err := r.Drain(service.Shrink, 10*time.Second)
				if fmt.Sprint(err) != c.want || time.Since(begun) != c.took || svc.reason != service.Shrink {
					t.Errorf("Drain: %v after %v for %v, want %v after %v", err, time.Since(begun), svc.reason, c.want, c.took)
				}
			})
		})
	}
}

func TestRunnerCancelReloadStopWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &counter{finish: time.Hour}
		r := servicetest.Start(t, svc)
		if err := r.Cancel(); err != nil {
			t.Errorf("Cancel: %v", err)
		}
		if svc.reason != service.NotDraining {
			t.Errorf("drained for %v although it was cancelled", svc.reason)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		svc := &counter{finish: time.Second}
		r := servicetest.Start(t, svc)
		if err := r.Reload(); err != nil || svc.starts != 2 || svc.reason != service.Replace {
			t.Errorf("Reload: %v, %d starts, drained for %v", err, svc.starts, svc.reason)
		}
		for range 2 {
			if err := r.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
		}
		r.Await(service.StateStopped)
	})
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		r := servicetest.Start(t, service.Func(func(ctx context.Context) error {
			time.Sleep(time.Minute)
			return broken
		}))
		if err := r.Wait(); !errors.Is(err, broken) || service.ExitCode(err) != service.ExitFailed {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestStartWithOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		svc := &counter{finish: time.Hour}
		r := servicetest.StartWith(t, service.Options{ShutdownTimeout: 5 * time.Second}, svc)
		err := r.Stop()
		if !errors.Is(err, service.ErrShutdownTimeout) || time.Since(begun) != 5*time.Second {
			t.Errorf("Stop: %v after %v, want it cut after 5s", err, time.Since(begun))
		}
	})
}

// A recorder stands in for a test that is expected to fail.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Failed() bool     { return r.errors != nil }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatal(args ...any) { panic(fatal(fmt.Sprint(args...))) }

// fatal is what a recorder panics with where a test would end.
type fatal string

// fails runs f with a recorder, with its cleanups, and returns what a test would have been told.
func fails(t *testing.T, f func(r *recorder)) (told string) {
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil {
				r.errors = append(r.errors, string(p.(fatal)))
			}
		}()
		f(r)
	}()
	for _, cleanup := range r.cleanups {
		cleanup()
	}
	return strings.Join(r.errors, "\n")
}

func TestStartFailsTheTest(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(r *recorder)
		want string
	}{
		"that has no service": {
			func(r *recorder) { servicetest.Start(r, nil) },
			"service 0: <nil>: want a Service",
		},
		"of a service that does not start": {
			func(r *recorder) {
				servicetest.Start(r, service.Define("db", func(context.Context) (service.Service, error) {
					return nil, errors.New("no route")
				}))
			},
			"is failed, not running: construct db: no route",
		},
		"of a service that is not drained in time at the end": {
			func(r *recorder) { servicetest.Start(r, &counter{finish: time.Hour}) },
			"stop at the end of the test: shutdown timeout: cut counter",
		},
		"of a service that leaves a goroutine": {
			func(r *recorder) { servicetest.Start(r, &counter{leak: true}) },
			"runner_test.go", // where it was started
		},
		"that waits for what does not come": {
			func(r *recorder) { servicetest.Start(r, &counter{}).Await(service.StateDraining) },
			"is running, not draining",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if told := fails(t, c.run); !strings.Contains(told, c.want) {
					t.Errorf("told %q, want %q in it", told, c.want)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}
