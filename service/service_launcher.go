// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/proc"
)

var (
	errStopping = errors.New("the launcher is stopping")
	errRanOnce  = errors.New("a ServiceLauncher runs once")
)

// A ServiceLauncher runs services as one [Group] in this process. Make one with [NewServiceLauncher].
// All methods may be called from many goroutines.
type ServiceLauncher struct {
	state   lifecycle
	reloads chan asking   // to the loop; no buffer is needed, callers wait or give up at settled
	stopc   chan struct{} // closed by the first Stop
	settled chan struct{} // closed when the outcome is known
	ended   chan struct{} // closed when Run is about to return
	desk    desk

	mu         sync.Mutex
	opts       Options
	svcs       []Service
	began      bool // Run was called
	stopped    bool // Stop was called
	group      *Group
	started    time.Time
	generation int
	turning    bool                // a reload is under way
	operations []control.Operation // the last ones, the latest first
	err        error               // of Run, once settled
}

// NewServiceLauncher returns a launcher without services. Options are checked by Run.
func NewServiceLauncher(opts Options) *ServiceLauncher {
	opts.setDefaults()
	return &ServiceLauncher{
		opts:       opts,
		generation: 1,
		reloads:    make(chan asking),
		stopc:      make(chan struct{}),
		settled:    make(chan struct{}),
		ended:      make(chan struct{}),
	}
}

// Add adds services before Run. A nil one is an [*OptionError], and nothing of svcs is kept then.
func (l *ServiceLauncher) Add(svcs ...Service) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began {
		return errors.New("services are added before Run")
	}
	for i, svc := range svcs {
		if absent(svc) {
			return &OptionError{fmt.Sprintf("service %d", len(l.svcs)+i), svc, "a Service"}
		}
	}
	l.svcs = append(l.svcs, svcs...)
	return nil
}

// Run starts the services, in the order of a [Group], and blocks until they have ended: by
// themselves, by a signal if [Options] let this launcher have them, by Stop, or by the end of ctx,
// which is a graceful stop too. A stop that cut nothing and services that are done return nil.
// Everything else is an [*ExitError], which [Exit] understands, around the cause: a [*ServiceError],
// [ErrShutdownTimeout], [ErrInterrupted], or what kept the launcher from running at all. A launcher
// runs once.
//
// In the probe of a reload Run hands over the plan and ends the process.
func (l *ServiceLauncher) Run(ctx context.Context) error {
	l.mu.Lock()
	began := l.began
	l.began = true
	l.mu.Unlock()
	if began {
		return &ExitError{ExitFailed, errRanOnce}
	}
	err := l.run(ctx)
	if err != nil {
		l.state.set(StateFailed, err)
	} else {
		l.state.set(StateStopped, nil)
	}
	close(l.ended)
	return err
}

// run is the life of the launcher.
func (l *ServiceLauncher) run(ctx context.Context) (err error) {
	if err := l.opts.validate(); err != nil {
		return l.settle(err)
	}
	if l.opts.Check || l.opts.Signals == SignalsOwned && proc.Self().Role() != proc.Alone {
		return l.settle(l.asChild(ctx))
	}
	if l.opts.Signals == SignalsIgnored {
		return l.obey(ctx, nil)
	}
	sigs, err := own(l.opts.Name)
	if err != nil {
		return l.settle(err)
	}
	defer func() { sigs.release(err) }()
	return l.obey(ctx, sigs.commands())
}

// obey runs the services until they have ended, and does what commands say meanwhile.
func (l *ServiceLauncher) obey(ctx context.Context, commands <-chan command) error {
	g, err := l.newGroup()
	if err != nil {
		return l.settle(err)
	}
	ctl, err := openControl(ctx, &l.opts, hereTarget{l})
	if err != nil {
		return l.settle(err)
	}
	defer ctl.close()
	release := holdListeners()
	defer release()
	s := newServiceLoop(ctx, l, g)
	s.release = release
	s.run(ctx, commands)
	return l.settle(s.finish())
}

// asChild is Run where nothing is to be run: the plan goes to the launcher or is printed.
func (l *ServiceLauncher) asChild(ctx context.Context) error {
	p := NewProcessLauncher(l.opts)
	p.inProcess = true
	if err := p.Add(Set{Name: l.opts.Name, Services: l.svcs, Workers: 1}); err != nil {
		return err
	}
	return p.Run(ctx)
}

// newGroup makes the group of all services.
func (l *ServiceLauncher) newGroup() (*Group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.svcs) == 0:
		return nil, &OptionError{"services", "none", "at least one service"}
	case l.opts.Workers > 1 && l.opts.Workers != Auto:
		return nil, &OptionError{"workers", l.opts.Workers, "0 or 1 in a program without worker processes"}
	}
	g, err := NewGroup(l.svcs...)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(l.opts.Hooks, func(h Hooks) bool { return h.AfterInit != nil }) {
		g.prelude = l.opts.afterInit
	}
	l.group, l.started = g, time.Now()
	return g, nil
}

// settle makes the outcome known to whoever waits for it, and returns it.
func (l *ServiceLauncher) settle(err error) error {
	if _, ok := errors.AsType[*ExitError](err); err != nil && !ok {
		err = &ExitError{ExitFailed, err}
	}
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
	close(l.settled)
	return err
}

// Stop stops gracefully, within ShutdownTimeout, and returns what Run returns, when Run does; or the
// error of ctx if that ends sooner, which abandons waiting and not the stop. Calling it again waits
// for the same stop. A launcher that has not run yet will not: its Run returns nil at once.
func (l *ServiceLauncher) Stop(ctx context.Context) error {
	if began := l.askStop(); !began {
		return nil
	}
	return l.wait(ctx, l.ended)
}

// askStop begins a stop and reports whether Run was called.
func (l *ServiceLauncher) askStop() (began bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.stopped = true
		close(l.stopc)
	}
	return l.began
}

// wait waits for a moment at which the outcome is known, and returns it.
func (l *ServiceLauncher) wait(ctx context.Context, moment <-chan struct{}) error {
	select {
	case <-moment:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Reload does what HUP does, by the restart method: with a new plan, the services drain and start
// again on the same listeners, or are Reset. It waits until that is complete, or for the end of ctx,
// which abandons waiting and not the reload. An error says that the plan was refused and nothing has
// changed, that a Reset failed, or that the launcher has ended.
func (l *ServiceLauncher) Reload(ctx context.Context) error {
	_, err := l.reload(ctx)
	return err
}

// reload puts the request to the loop and waits for its outcome.
func (l *ServiceLauncher) reload(ctx context.Context) (control.Outcome, error) {
	l.mu.Lock()
	began := l.began
	l.mu.Unlock()
	if !began {
		return control.Outcome{}, errNotRunning
	}
	answer := make(chan reloaded, 1) // the loop must not wait for a caller that has gone
	select {
	case l.reloads <- asking{askerOf(ctx), answer}:
	case <-l.settled:
		return control.Outcome{}, errNotRunning
	case <-ctx.Done():
		return control.Outcome{}, context.Cause(ctx)
	}
	select {
	case r := <-answer: // the loop answers all before it settles
		return r.outcome, r.err
	case <-ctx.Done():
		return control.Outcome{}, context.Cause(ctx)
	}
}

// State returns where the launcher stands. A reload goes from running through draining and starting.
func (l *ServiceLauncher) State() State {
	s, _ := l.state.get()
	return s
}

// Await waits until the launcher is in state s, if only for a moment. It returns an error when ctx
// ends, and when the launcher has ended in another state.
func (l *ServiceLauncher) Await(ctx context.Context, s State) error {
	if err := l.state.await(ctx, s); err != nil {
		return fmt.Errorf("launcher %s is %w", l.opts.Name, err)
	}
	return nil
}

// programName is how this program is called.
func programName() string { return filepath.Base(cmp.Or(os.Args[0], "mainstay")) }
