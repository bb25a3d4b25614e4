// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// A shell performs what core decides for a ProcessLauncher, and tells it what became of it. Its loop
// is one goroutine, which alone touches state and editions; it never blocks: whatever may, runs in a
// goroutine of its own that posts an event when it is done, and all of these are waited for.
type shell struct {
	l       *ProcessLauncher
	opts    *Options
	journal *journal // log, hooks and notifications, off the loop
	spawner *proc.Spawner
	started time.Time

	state    core.State
	editions map[int]*edition // by generation: those that workers may still be spawned of
	timer    *time.Timer
	quit     *core.Action
	hurried  bool // a second TERM has come
	desk     desk // asks Options.Inspect
	taken    int  // the generation that Options.Configure has heard of

	events  chan core.Event // to the loop; no buffer is needed, posters wait or give up at done
	views   chan func()     // run on the loop, to look at its state
	done    chan struct{}   // closed when the loop has ended
	work    sync.WaitGroup  // goroutines that the loop started
	prepare context.CancelFunc

	ending   context.Context // ends with the loop
	end      context.CancelFunc
	starting context.Context // ends when a stop begins: nothing is started any more
	halt     context.CancelCauseFunc

	mu       sync.Mutex
	children map[uint64]*child // by incarnation
	waiters  map[uint64]*waiting
	request  uint64
	ledger   ledger // of the workers that are gone
}

// newShell prepares to run a plan: the first edition is the launcher's own.
func newShell(l *ProcessLauncher, p *plan) (*shell, error) {
	first, err := newEdition(p, nil)
	if err != nil {
		return nil, err
	}
	spawner, err := proc.NewSpawner()
	if err != nil {
		first.close()
		return nil, fmt.Errorf("worker processes: %w", err)
	}
	s := &shell{
		l: l, opts: &l.opts, spawner: spawner, started: time.Now(),
		editions: map[int]*edition{1: first},
		timer:    time.NewTimer(time.Hour),
		events:   make(chan core.Event),
		views:    make(chan func()),
		done:     make(chan struct{}),
		children: make(map[uint64]*child),
		waiters:  make(map[uint64]*waiting),
		taken:    1,
	}
	s.ending, s.end = context.WithCancel(context.Background())
	s.starting, s.halt = context.WithCancelCause(s.ending)
	s.state.Seed = uint64(time.Now().UnixNano())
	return s, nil
}

// run is the life of the launcher: it returns when no worker is left.
func (s *shell) run(ctx context.Context) (err error) {
	defer s.spawner.Close()
	defer s.closeEditions()
	strange := proc.Strange()
	commands := (<-chan command)(nil)
	if s.opts.Signals == SignalsOwned {
		sigs, taken := own(s.opts.Name)
		if taken != nil {
			return taken
		}
		defer func() { sigs.release(err) }()
		commands = sigs.commands()
	}
	if err := enter(s.opts.Name); err != nil {
		return err
	}
	defer leave(s.opts.Name)
	ctl, err := s.serveControl(ctx)
	if err != nil {
		return err
	}
	s.journal = newJournal(s.opts)
	defer s.journal.close()
	defer holdListeners()()
	defer s.closeListeners()
	s.warnStrange(strange)

	s.l.mu.Lock()
	s.l.shell = s
	s.l.mu.Unlock()
	s.loop(ctx, commands)
	s.finish(ctl)
	return s.verdict()
}

// loop feeds the core until it says quit.
func (s *shell) loop(ctx context.Context, commands <-chan command) {
	cancelled := ctx.Done()
	beats := time.NewTicker(listenEvery)
	defer beats.Stop()
	first := s.editions[1].plan.Core
	s.step(core.Event{Kind: core.EventBegin, Plan: &first})
	balance := time.NewTicker(balanceEvery)
	defer balance.Stop()
	for s.quit == nil {
		select {
		case e := <-s.events:
			s.step(e)
		case c := <-commands:
			s.command(c)
		case f := <-s.views:
			f()
		case <-beats.C:
			s.listenForBeats()
		case <-s.timer.C:
			s.step(core.Event{Kind: core.EventTick})
		case <-balance.C:
			s.balance()
		case <-cancelled:
			cancelled = nil
			s.step(core.Event{Kind: core.EventStop, By: "end of the context"})
		}
	}
}

// step gives one event to the core and performs what it decides.
func (s *shell) step(e core.Event) {
	e.At = scoreboard.Monotonic()
	next, actions := core.Step(s.state, e)
	s.state = next
	for _, a := range actions {
		s.perform(a)
	}
	s.l.state.set(launcherStates[s.state.Phase], nil)
	s.tellProgress()
	if wake := s.state.Wake(); wake != 0 {
		s.timer.Reset(time.Duration(max(wake-scoreboard.Monotonic(), 0)))
	} else {
		s.timer.Stop()
	}
}

// launcherStates are the public names of the core's phases. A launcher is stopped once Run returns.
var launcherStates = map[core.Phase]State{
	core.Starting: StateStarting, core.Running: StateRunning, core.Stopping: StateDraining, core.Stopped: StateDraining,
}

// command turns a signal into an event.
func (s *shell) command(c command) {
	by := commandNames[c]
	switch c {
	case cmdStop:
		was := s.state.Stop.Forced
		s.step(core.Event{Kind: core.EventTerm, By: by})
		s.hurried = s.hurried || s.state.Stop.Forced && !was
	case cmdKill:
		s.step(core.Event{Kind: core.EventKill, By: by})
	case cmdTerminalLost:
		s.step(core.Event{Kind: core.EventStop, By: by})
	case cmdReload:
		s.step(core.Event{Kind: core.EventReload, By: by})
	case cmdMore:
		s.step(core.Event{Kind: core.EventMore, Count: 1, By: by})
	case cmdFewer:
		s.step(core.Event{Kind: core.EventMore, Count: -1, By: by})
	case cmdReopen:
		s.reopen()
	case cmdReport:
		s.report()
	}
}

// post gives the loop an event, from any goroutine but the loop's.
func (s *shell) post(e core.Event) {
	select {
	case s.events <- e:
	case <-s.done:
	}
}

// view runs f on the loop and waits for it; false if the loop has ended.
func (s *shell) view(f func()) bool {
	ran := make(chan struct{})
	select {
	case s.views <- func() { f(); close(ran) }:
		<-ran
		return true
	case <-s.done:
		return false
	}
}

// finish ends what the loop left behind; all workers are gone.
func (s *shell) finish(ctl *controlServer) {
	s.end()
	close(s.done)
	s.work.Wait()
	proc.Stderr().Flush(time.Second) // the last words of workers
	ctl.close()
	s.l.mu.Lock()
	s.l.shell = nil
	s.l.mu.Unlock()
}

// verdict returns the error that stands for how the launcher ended.
func (s *shell) verdict() error {
	code, reason := s.quit.Code, s.quit.Text
	switch {
	case code == ExitOK:
		return nil
	case code == ExitCut && s.hurried:
		return &ExitError{code, joinErrors(ErrInterrupted, fmt.Errorf("%w: %s", ErrShutdownTimeout, reason))}
	case code == ExitCut:
		return &ExitError{code, fmt.Errorf("%w: %s", ErrShutdownTimeout, reason)}
	case code == ExitFailed && reason == ErrInterrupted.Error():
		return &ExitError{code, ErrInterrupted}
	}
	return &ExitError{code, errors.New(reason)}
}
