// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// patience bounds every wait that has no bound of its own. It only runs out when a test fails.
const patience = time.Minute

// A Runner is services under a launcher for the length of a test. Its methods may be called from any
// goroutine, but those that may end the test only from that of the test.
type Runner struct {
	t        testing.TB
	launcher *service.ServiceLauncher
	group    *tap
	label    string
	done     chan struct{} // closed when the launcher has ended
	err      error         // of the launcher, after done
}

// Start runs svcs under a launcher and returns when they are ready; if they do not become ready the
// test ends. When the test ends they are stopped, if they still run, and it is an error of the test if
// that fails, if they ended with an error before, or if a goroutine that they started is left.
func Start(t testing.TB, svcs ...service.Service) *Runner {
	t.Helper()
	return StartWith(t, service.Options{}, svcs...)
}

// StartWith is Start with options for the launcher: timeouts, hooks, a Reload. Its signals are ignored
// whatever opts say, and it logs to the test if they have no Logger.
func StartWith(t testing.TB, opts service.Options, svcs ...service.Service) *Runner {
	t.Helper()
	g, err := service.NewGroup(svcs...)
	if err != nil {
		t.Fatal(err)
	}
	g.StartTimeout, g.ShutdownTimeout = opts.StartTimeout, opts.ShutdownTimeout
	opts.Signals = service.SignalsIgnored
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	r := &Runner{
		t:        t,
		launcher: service.NewServiceLauncher(opts),
		group:    &tap{Group: g},
		label:    strconv.FormatUint(labels.Add(1), 10),
		done:     make(chan struct{}),
	}
	if err := r.launcher.Add(r.group); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	go func() {
		defer close(r.done)
		r.err = r.launcher.Run(labelled(context.WithoutCancel(t.Context()), r.label))
	}()
	r.Await(service.StateRunning)
	return r
}

// labels numbers the runners of this process.
var labels atomic.Uint64

// Await waits until the services are in state s, if only for a moment. The test ends if they end in
// another state, or after a minute.
func (r *Runner) Await(s service.State) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), patience)
	defer cancel()
	if err := r.launcher.Await(ctx, s); err != nil {
		r.t.Fatal(err)
	}
}

// States returns the state of each service, in the order given to [Start].
func (r *Runner) States() []service.MemberState { return r.group.States() }

// Drain drains the services as a launcher would for that reason, with a deadline so far from now, and
// waits until they have ended. The error is that of [service.Group.Shutdown], nil if they ended in
// time, or that of a service that failed meanwhile. At the deadline they are cancelled; one that even
// then does not end is in the error.
func (r *Runner) Drain(reason service.DrainReason, timeout time.Duration) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(Draining(context.WithoutCancel(r.t.Context()), reason), timeout)
	defer cancel()
	err := r.group.Shutdown(ctx)
	r.wait()
	if err == nil {
		err = r.err
	}
	return err
}

// Cancel stops the services at once, without a drain, and waits until they have ended. The error names
// those that do not end within a second, and otherwise is that of a service that failed.
func (r *Runner) Cancel() error {
	r.t.Helper()
	for !r.group.cancel() { // Serve is about to be called, unless the launcher ends
		select {
		case <-r.done:
			return r.err
		case <-time.After(time.Millisecond):
		}
	}
	r.wait()
	return r.err
}

// Reload does what HUP does in a program without worker processes: the services drain, with reason
// Replace, and are started again, or are Reset if the options say mutate.
func (r *Runner) Reload() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), patience)
	defer cancel()
	return r.launcher.Reload(ctx)
}

// Stop stops the services gracefully and waits until they have ended. The error is that of the
// launcher. Calling it again does nothing more.
func (r *Runner) Stop() error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), 2*patience)
	defer cancel()
	return r.launcher.Stop(ctx)
}

// Wait waits until the services have ended by themselves and returns the launcher's error, a
// [*service.ServiceError] in it if that of a service.
func (r *Runner) Wait() error {
	r.t.Helper()
	r.wait()
	return r.err
}

// wait waits for the launcher.
func (r *Runner) wait() {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(2 * patience):
		r.t.Fatalf("the services do not end: %v", r.States())
	}
}

// close is the end of the test.
func (r *Runner) close() {
	select {
	case <-r.done: // the test has seen how it ended, or had no wish to
	default:
		if err := r.Stop(); err != nil {
			r.t.Errorf("stop at the end of the test: %v", err)
		}
		<-r.done
	}
	if left := leftovers(r.label); left != "" {
		r.t.Errorf("goroutines of the services are left:\n%s", left)
	}
}

// A tap is a group that can be cancelled from outside.
type tap struct {
	*service.Group
	stop atomic.Pointer[context.CancelFunc]
}

func (g *tap) Start(ctx context.Context) error {
	g.stop.Store(nil)
	return g.Group.Start(ctx)
}

func (g *tap) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.stop.Store(&cancel)
	return g.Group.Serve(ctx)
}

// cancel ends Serve's context, and reports whether Serve was called.
func (g *tap) cancel() bool {
	stop := g.stop.Load()
	if stop == nil {
		return false
	}
	(*stop)()
	return true
}
