// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/handover"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// reload begins a reload, or, while the services start or another is under way, notes that there is to
// be one: the files may have changed since that one read them. Any number of requests make one more.
func (s *serviceLoop) reload(a asking) {
	if s.stopping {
		s.refuse(a, errStopping)
		return
	}
	if a.answer != nil || !slices.Contains(s.waiting, a) { // a storm of HUP is one
		s.waiting = append(s.waiting, a)
	}
	s.again = true
	if s.turn == nil && s.ready == nil {
		s.reloadAgain()
	}
}

// reloadAgain begins the reload that is to be, if there is one.
func (s *serviceLoop) reloadAgain() {
	if !s.again || s.stopping {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.planTimeout())
	t := &turn{
		outcome: control.Outcome{Action: "reload", Generation: s.l.generation + 1},
		begun:   time.Now(),
		callers: s.waiting,
		cancel:  cancel,
	}
	s.turn, s.waiting, s.again = t, nil, false
	s.setTurning(true)
	s.journal.notify("reloading")
	s.log(slog.LevelInfo, "reloading")
	s.off(func() func() {
		next, err := orGiveUp(ctx, "the plan", func() (nextOptions, error) { return s.l.nextOptions(ctx) })
		if err == nil {
			_, err = orGiveUp(ctx, "Configure", func() (struct{}, error) { return struct{}{}, next.configure(ctx) })
		}
		return func() { s.planned(t, next, err) }
	})
}

// planTimeout bounds the making of a plan, and Reset: one that hangs must not block reloads for ever.
func (s *serviceLoop) planTimeout() time.Duration {
	if t := s.l.opts.StartTimeout; t > 0 {
		return t
	}
	return defaultStartTimeout
}

// planned goes over to new options, unless they were refused.
func (s *serviceLoop) planned(t *turn, next nextOptions, err error) {
	if s.turn != t {
		return
	}
	if err != nil {
		s.finishTurn(err)
		return
	}
	opts := next.opts
	s.l.mu.Lock()
	s.l.opts = opts
	s.l.mu.Unlock()
	s.journal.lines.put(func(int) { s.journal.logger = opts.Logger }) // which only that queue looks at
	if next.how == RestartMutate {
		s.reset(t)
		return
	}
	t.restart = true
	t.release = handover.Local().Hold()
	s.l.state.set(StateDraining, nil)
	s.life.shutdown(Replace, opts.ShutdownTimeout)
}

// reset has the services take over new options in place.
func (s *serviceLoop) reset(t *turn) {
	t.outcome.Action = "mutate"
	t.cancel() // that of the plan
	var ctx context.Context
	ctx, t.cancel = context.WithTimeout(s.ctx, s.planTimeout())
	life := s.life
	s.off(func() func() {
		err := life.reset(ctx)
		return func() {
			if s.turn == t {
				s.finishTurn(err)
			}
		}
	})
}

// finishTurn ends the reload under way and begins the one that was asked for meanwhile.
func (s *serviceLoop) finishTurn(err error) {
	t := s.turn
	t.cancel()
	if t.release != nil {
		t.release()
	}
	t.outcome.Millis = time.Since(t.begun).Milliseconds()
	if err == nil {
		s.log(slog.LevelInfo, t.outcome.Action+" done", "generation", t.outcome.Generation, "millis", t.outcome.Millis)
		s.hooks(func(h Hooks) func() {
			if h.Reloaded == nil {
				return nil
			}
			return func() { h.Reloaded(t.outcome.Generation) }
		})
	} else {
		t.outcome.Generation, t.outcome.Error = s.l.generation, err.Error()
		s.log(slog.LevelError, t.outcome.Action+" failed", "error", err)
	}
	s.turn = nil
	s.l.mu.Lock()
	s.l.generation, s.l.turning = t.outcome.Generation, false
	s.l.mu.Unlock()
	s.remember(control.Operation{Outcome: t.outcome, By: askers(t.callers), At: t.begun})
	if !s.stopping {
		s.journal.notify("ready") // a refused reload ends with it too
	}
	for _, c := range t.callers {
		c.tell(reloaded{t.outcome, err})
	}
	s.reloadAgain()
}

// refuse answers who asked for a reload that there is none.
func (s *serviceLoop) refuse(a asking, why error) {
	out := control.Outcome{Action: "reload", Generation: s.l.generation, Error: why.Error()}
	s.remember(control.Operation{Outcome: out, By: a.by, At: time.Now()})
	a.tell(reloaded{err: why})
}

// remember adds an operation to those that status shows.
func (s *serviceLoop) remember(op control.Operation) {
	const most = 16
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.operations = slices.Insert(s.l.operations, 0, op)
	s.l.operations = s.l.operations[:min(len(s.l.operations), most)]
}

// askers says who asked for one reload.
func askers(all []asking) (by string) {
	for _, a := range all {
		by = core.JoinBy(by, a.by)
	}
	return by
}

// giveUpReloads tells everybody who waits for a reload that it will not be.
func (s *serviceLoop) giveUpReloads(err error) {
	if s.turn != nil {
		s.turn.restart = false
		s.finishTurn(err)
	}
	for _, a := range s.waiting {
		s.refuse(a, err)
	}
	s.waiting, s.again = nil, false
}

func (s *serviceLoop) setTurning(on bool) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.turning = on
}

// nextOptions are what a reload goes over to.
type nextOptions struct {
	opts     Options
	how      RestartMethod
	snapshot proc.Snapshot // nil without a probe
}

// configure has main's part of this process take over the files.
func (n *nextOptions) configure(ctx context.Context) error {
	switch {
	case n.opts.Configure == nil || n.opts.Reload != nil:
		if n.snapshot != nil {
			proc.Self().SetSnapshot(n.snapshot) // which status shows
		}
		return nil
	case n.snapshot == nil:
		return n.opts.Configure(ctx, n.how)
	}
	return proc.Self().Recall(n.snapshot, func() error { return n.opts.Configure(ctx, n.how) })
}

// nextOptions makes the options of a reload without touching what runs: by Options.Reload, else by a
// probe. A launcher that leaves the signals alone is not what main runs up to, and where there are no
// worker processes there is no probe: the options stay as they are then.
func (l *ServiceLauncher) nextOptions(ctx context.Context) (nextOptions, error) {
	l.mu.Lock()
	next := nextOptions{opts: l.opts, how: l.opts.RestartMethod}
	l.mu.Unlock()
	opts := &next.opts
	if opts.Reload == nil && opts.Signals == SignalsIgnored {
		return next, nil
	}
	if opts.Reload != nil {
		made, err := opts.Reload(ctx)
		if err != nil {
			return next, err
		}
		if made.Logger == nil {
			made.Logger = opts.Logger
		}
		made.setDefaults()
		opts.StartTimeout, opts.ShutdownTimeout = made.StartTimeout, made.ShutdownTimeout
		opts.RestartMethod, opts.Logger = made.RestartMethod, made.Logger
		next.how = opts.RestartMethod
		return next, joinErrors(made.validate(), oneProcess(opts.Name, made.Workers))
	}
	p, err := opts.nextPlan(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return next, nil
	case err != nil:
		return next, err
	}
	next.snapshot = p.Snapshot
	if opts.Configure != nil && next.how == RestartMutate {
		return next, nil // what is not mutable stays
	}
	opts.RestartMethod, opts.ShutdownTimeout = p.RestartMethod, time.Duration(p.Core.StopTimeout)
	for _, set := range p.Core.Sets {
		opts.StartTimeout = time.Duration(set.StartTimeout)
		if !p.InProcess {
			err = oneProcess(opts.Name, max(set.Workers, 2))
		}
	}
	if opts.Configure == nil {
		next.how = opts.RestartMethod
	}
	return next, err
}

// oneProcess refuses a number of workers that an in-process program cannot go over to.
func oneProcess(name string, workers int) error {
	if workers <= 1 {
		return nil
	}
	return fmt.Errorf("%w: %s%s", &OptionError{"workers", workers, "0 or 1"}, name, noScale)
}

// listenerHolds counts the launchers of this process that hold its listeners.
var listenerHolds struct {
	sync.Mutex
	n int
}

// holdListeners keeps the listeners of stopped services open until they start again. The function that
// it returns ends that, once.
func holdListeners() (release func()) {
	listenerHolds.Lock()
	defer listenerHolds.Unlock()
	listenerHolds.n++
	proc.Self().Table().Hold(true)
	return sync.OnceFunc(releaseListeners)
}

// releaseListeners ends holdListeners; the last launcher closes the listeners that nobody uses.
func releaseListeners() {
	listenerHolds.Lock()
	defer listenerHolds.Unlock()
	if listenerHolds.n--; listenerHolds.n == 0 {
		proc.Self().Table().Hold(false)
		proc.Self().Table().Keep(nil)
	}
}

// tidyListeners closes the listeners that nobody uses while they are held: a reload left them behind.
func tidyListeners() {
	listenerHolds.Lock()
	defer listenerHolds.Unlock()
	proc.Self().Table().Hold(false) // held, those that are used would go too
	proc.Self().Table().Keep(nil)
	proc.Self().Table().Hold(true)
}
