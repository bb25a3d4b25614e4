// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// moment is for how long a service is watched that is expected to go on.
const moment = 10 * time.Millisecond

// promptly is how soon a service must end that was cancelled: launchers give it up after a second, and
// a busy machine is given some more.
const promptly = 10 * time.Second

// Conform holds the services that newService makes to the contract of [service.Service], each clause
// as a subtest with a service of its own: it starts, serves and drains, for every reason; it can be
// stopped twice, before Serve was called and while Start runs, and be started again; it ends when its
// contexts do; its Reset and Check can be called; it leaves no goroutine behind.
//
//	func TestCounter(t *testing.T) {
//		servicetest.Conform(t, func() service.Service { return &Counter{} })
//	}
//
// Run it with the race detector. It takes real time, so it does not run in a bubble of
// testing/synctest.
func Conform(t *testing.T, newService func() service.Service) {
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) { hold(t, newService(), c.check) })
	}
}

// clauses are what Conform checks.
var clauses = []struct {
	name  string
	check func(s *subject)
}{
	{"serves until it is drained", (*subject).drains},
	{"drains for every reason", (*subject).drainsForEveryReason},
	{"is stopped twice", (*subject).stopsTwice},
	{"is stopped before it serves", (*subject).stopsBeforeServe},
	{"is stopped while it starts", (*subject).stopsWhileStarting},
	{"starts again", (*subject).restarts},
	{"ends when cancelled", (*subject).endsWhenCancelled},
	{"serves nothing once cancelled", (*subject).servesNothingOnceCancelled},
	{"sees that its Start is cancelled", (*subject).seesStartCancelled},
	{"is reset and checked", (*subject).resetsAndChecks},
}

// A subject is a service whose methods are called one by one.
type subject struct {
	t     testing.TB
	svc   service.Service
	ctx   context.Context
	label string
}

// hold checks one clause, in a goroutine by whose label leftovers are known.
func hold(t testing.TB, svc service.Service, check func(s *subject)) {
	label := strconv.FormatUint(labels.Add(1), 10)
	done := make(chan struct{})
	go func() {
		defer close(done) // also when the check gives up
		check(&subject{t, svc, labelled(context.Background(), label), label})
	}()
	<-done
	if left := leftovers(label); left != "" && !t.Failed() {
		t.Errorf("goroutines of the service are left:\n%s", left)
	}
}

// call calls a method in a goroutine of its own.
func (s *subject) call(method func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- method() }()
	return result
}

// within waits for the result of a call; ok is false, and the check failed, if it does not come.
func (s *subject) within(what string, result <-chan error) (err error, ok bool) {
	s.t.Helper()
	select {
	case err := <-result:
		return err, true
	case <-time.After(promptly):
		s.t.Errorf("%s did not return within %v", what, promptly)
		return nil, false
	}
}

// start calls Start, if there is one.
func (s *subject) start() bool {
	s.t.Helper()
	st, ok := find[service.Starter](s.svc)
	if !ok {
		return true
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel() // Start's context bounds Start alone
	err, ok := s.within("Start", s.call(func() error { return st.Start(ctx) }))
	if err != nil {
		s.t.Errorf("Start: %v", err)
	}
	return ok && err == nil
}

// serve calls Serve; cancel ends its context.
func (s *subject) serve() (served <-chan error, cancel context.CancelFunc) {
	ctx, cancel := context.WithCancel(s.ctx)
	return s.call(func() error { return s.svc.Serve(ctx) }), cancel
}

// shutdown calls Shutdown, or cancel where there is none.
func (s *subject) shutdown(reason service.DrainReason, cancel context.CancelFunc) bool {
	s.t.Helper()
	sd, ok := find[service.Shutdowner](s.svc)
	if !ok {
		cancel()
		return true
	}
	ctx, stop := context.WithTimeout(Draining(s.ctx, reason), promptly)
	defer stop()
	err, ok := s.within("Shutdown", s.call(func() error { return sd.Shutdown(ctx) }))
	if err != nil {
		s.t.Errorf("Shutdown: %v", err)
	}
	return ok
}

// ends wants Serve to return nil, or that it was cancelled.
func (s *subject) ends(served <-chan error) bool {
	s.t.Helper()
	err, ok := s.within("Serve", served)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.t.Errorf("Serve: %v", err)
	}
	return ok
}

// cycle starts, serves, drains.
func (s *subject) cycle(reason service.DrainReason) bool {
	s.t.Helper()
	if !s.start() {
		return false
	}
	served, cancel := s.serve()
	defer cancel()
	select {
	case err := <-served:
		if err != nil {
			s.t.Errorf("Serve: %v", err)
		}
		return err == nil // done by itself: there is nothing to drain
	case <-time.After(moment):
	}
	return s.shutdown(reason, cancel) && s.ends(served)
}

func (s *subject) drains() { s.cycle(service.Stop) }

func (s *subject) drainsForEveryReason() {
	for _, r := range []service.DrainReason{service.NotDraining, service.Replace, service.Shrink, service.Stop} {
		if !s.cycle(r) {
			s.t.Errorf("reason %v", r)
			return
		}
	}
}

func (s *subject) stopsTwice() {
	if !s.start() {
		return
	}
	served, cancel := s.serve()
	defer cancel()
	second := s.call(func() error {
		s.shutdown(service.Stop, cancel)
		return nil
	})
	s.shutdown(service.Stop, cancel)
	s.within("a second Shutdown", second)
	if s.ends(served) {
		s.shutdown(service.Stop, cancel)
	}
}

func (s *subject) stopsBeforeServe() {
	if !s.start() {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if s.shutdown(service.Stop, cancel) {
		s.ends(s.call(func() error { return s.svc.Serve(ctx) }))
	}
}

func (s *subject) stopsWhileStarting() {
	st, ok := find[service.Starter](s.svc)
	if !ok {
		return
	}
	startCtx, cancelStart := context.WithCancel(s.ctx)
	defer cancelStart()
	started := s.call(func() error { return st.Start(startCtx) })
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.shutdown(service.Stop, cancel)
	cancelStart()
	err, ok := s.within("Start", started)
	if !ok || err != nil {
		return // it gave up, which is well
	}
	served := s.call(func() error { return s.svc.Serve(ctx) })
	s.shutdown(service.Stop, cancel)
	s.ends(served)
}

func (s *subject) restarts() {
	for range 3 {
		if !s.cycle(service.Replace) {
			return
		}
	}
}

func (s *subject) endsWhenCancelled() {
	if !s.start() {
		return
	}
	served, cancel := s.serve()
	time.Sleep(moment)
	cancel()
	s.ends(served)
}

func (s *subject) servesNothingOnceCancelled() {
	if !s.start() {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	s.ends(s.call(func() error { return s.svc.Serve(ctx) }))
}

func (s *subject) seesStartCancelled() {
	st, ok := find[service.Starter](s.svc)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	err, ok := s.within("Start", s.call(func() error { return st.Start(ctx) }))
	if ok && err == nil { // it had nothing to wait for
		s.ends(s.call(func() error { return s.svc.Serve(ctx) }))
	}
}

func (s *subject) resetsAndChecks() {
	if c, ok := find[service.Checker](s.svc); ok {
		if err, _ := s.within("Check", s.call(func() error { return c.Check(s.ctx) })); err != nil {
			s.t.Errorf("Check before Start: %v", err)
		}
	}
	if !s.start() {
		return
	}
	served, cancel := s.serve()
	defer cancel()
	if r, ok := find[service.Resetter](s.svc); ok {
		if err, _ := s.within("Reset", s.call(func() error { return r.Reset(s.ctx) })); err != nil {
			s.t.Errorf("Reset: %v", err)
		}
	}
	if s.shutdown(service.Stop, cancel) {
		s.ends(served)
	}
}

// find looks for an optional interface on svc and on what it wraps, as launchers do.
func find[T any](svc service.Service) (T, bool) {
	for svc != nil {
		if t, ok := svc.(T); ok {
			return t, true
		}
		u, ok := svc.(interface{ Unwrap() service.Service })
		if !ok {
			break
		}
		svc = u.Unwrap()
	}
	var zero T
	return zero, false
}
