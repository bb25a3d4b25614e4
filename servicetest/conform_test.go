// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
)

// model is a service that does everything right, in parts that a test can break.
type model struct {
	mu   sync.Mutex
	quit chan struct{} // made by Start, closed by Shutdown

	start, serve, shutdown, reset, check func(ctx context.Context) error
}

func newModel() *model {
	m := &model{quit: make(chan struct{})}
	m.start = func(ctx context.Context) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.quit = make(chan struct{})
		return ctx.Err()
	}
	m.serve = func(ctx context.Context) error {
		select {
		case <-m.quitting():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.shutdown = func(ctx context.Context) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		select {
		case <-m.quit:
		default:
			close(m.quit)
		}
		return nil
	}
	m.reset = func(ctx context.Context) error { return nil }
	m.check = func(ctx context.Context) error { return nil }
	return m
}

func (m *model) quitting() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.quit
}

func (m *model) Start(ctx context.Context) error    { return m.start(ctx) }
func (m *model) Serve(ctx context.Context) error    { return m.serve(ctx) }
func (m *model) Shutdown(ctx context.Context) error { return m.shutdown(ctx) }
func (m *model) Reset(ctx context.Context) error    { return m.reset(ctx) }
func (m *model) Check(ctx context.Context) error    { return m.check(ctx) }

func TestConform(t *testing.T) {
	group := func() service.Service {
		g, err := service.NewGroup(newModel(), service.Named("second", newModel()))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for name, newService := range map[string]func() service.Service{
		"a service with all methods": func() service.Service { return newModel() },
		"a service in wrappers":      func() service.Service { return service.After(service.Named("wrapped", newModel())) },
		"a defined service": func() service.Service {
			return service.Define("defined", func(context.Context) (service.Service, error) { return newModel(), nil })
		},
		"a group": group,
		"a function": func() service.Service {
			return service.Func(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		},
		"a job": func() service.Service {
			return service.Func(func(ctx context.Context) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) { servicetest.Conform(t, newService) })
	}
}

// Every clause is broken by a service that does wrong what the clause is about.
func TestConformFails(t *testing.T) {
	broken := errors.New("broken")
	breaks := func(context.Context) error { return broken }
	hangs := func(context.Context) error {
		time.Sleep(time.Hour)
		return nil
	}
	tested := map[string]bool{}
	for name, c := range map[string]struct {
		clause string
		spoil  func(m *model)
		want   string
	}{
		"does not start":          {"serves until it is drained", func(m *model) { m.start = breaks }, "Start: broken"},
		"hangs in Start":          {"serves until it is drained", func(m *model) { m.start = hangs }, "Start did not return"},
		"fails at once":           {"serves until it is drained", func(m *model) { m.serve = breaks }, "Serve: broken"},
		"cannot be drained":       {"drains for every reason", func(m *model) { m.shutdown = breaks }, "Shutdown: broken"},
		"does not see its drain":  {"drains for every reason", func(m *model) { m.shutdown = m.reset }, "Serve did not return"},
		"hangs in Shutdown":       {"drains for every reason", func(m *model) { m.shutdown = hangs }, "Shutdown did not return"},
		"cannot be stopped twice": {"is stopped twice", func(m *model) { m.shutdown = once(m.shutdown, breaks) }, "Shutdown: broken"},
		"forgets a stop before Serve": {"is stopped before it serves", func(m *model) {
			serve := m.serve
			m.serve = func(ctx context.Context) error {
				m.start(ctx) // and so begins anew
				return serve(ctx)
			}
		}, "Serve did not return"},
		"hangs in Start when stopped": {"is stopped while it starts", func(m *model) {
			m.start = hangs
		}, "Start did not return"},
		"starts once": {"starts again", func(m *model) { m.start = once(m.start, breaks) }, "Start: broken"},
		"does not see that it is cancelled": {"ends when cancelled", func(m *model) {
			m.serve = func(context.Context) error { <-m.quitting(); return nil }
		}, "Serve did not return"},
		"does not see that it was cancelled before": {"serves nothing once cancelled", func(m *model) {
			m.serve = func(context.Context) error { <-m.quitting(); return nil }
		}, "Serve did not return"},
		"does not see that its Start is cancelled": {"sees that its Start is cancelled", func(m *model) {
			m.start = hangs
		}, "Start did not return"},
		"cannot be reset":   {"is reset and checked", func(m *model) { m.reset = breaks }, "Reset: broken"},
		"cannot be checked": {"is reset and checked", func(m *model) { m.check = breaks }, "Check before Start: broken"},
		"leaves a goroutine": {"is reset and checked", func(m *model) {
			m.reset = func(context.Context) error {
				go hangs(context.Background())
				return nil
			}
		}, "goroutines of the service are left"},
	} {
		tested[c.clause] = true
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel()
				end := m.shutdown
				c.spoil(m)
				told := fails(t, func(r *recorder) { servicetest.Hold(r, c.clause, m) })
				if !strings.Contains(told, c.want) {
					t.Errorf("told %q, want %q in it", told, c.want)
				}
				end(t.Context())
				time.Sleep(2 * time.Hour)
			})
		})
	}
	for _, clause := range servicetest.Clauses() {
		if !tested[clause] {
			t.Errorf("nothing breaks the clause %q", clause)
		}
	}
}

// once returns a method that is first, and second from its second call on.
func once(first, second func(context.Context) error) func(context.Context) error {
	var mu sync.Mutex
	methods := []func(context.Context) error{first, second}
	return func(ctx context.Context) error {
		mu.Lock()
		method := methods[0]
		methods = slices.Clone(methods[len(methods)-1:])
		mu.Unlock()
		return method(ctx)
	}
}
