// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// tidyDelay is how long after a reload listeners that no service uses any more are kept: a service
// that is ready may take its listener only a moment later.
const tidyDelay = 10 * time.Second

// termEcho is how soon a second TERM is taken for the first: timeout(1), for one, signals its child and
// then the group that the child is in.
const termEcho = 50 * time.Millisecond

// A serviceLoop is one Run of a [ServiceLauncher]. Its loop is one goroutine, which alone touches the
// fields; it never blocks: whatever may, runs in a goroutine of its own that hands in what follows.
type serviceLoop struct {
	l       *ServiceLauncher
	ctx     context.Context // for the services: values of Run's
	journal *journal
	group   *Group
	release func() // lets the listeners go with their services

	life    *life
	ready   <-chan struct{} // of life, nil when it was seen
	failing <-chan struct{} // of life: it drains; nil when it was seen

	workc   chan func()   // what follows from work off the loop
	overc   chan struct{} // closed when the loop has ended
	working sync.WaitGroup
	writing atomic.Bool // a report

	stopping    bool      // the end was asked for
	termed      time.Time // of the first TERM
	forced      bool      // the second TERM has come
	interrupted bool      // INT has come

	turn    *turn
	waiting []asking // who asked for another reload during this one, or before the start
	again   bool     // there is to be one
	tidy    *time.Timer
}

// A turn is a reload or mutate under way.
type turn struct {
	outcome control.Outcome
	begun   time.Time
	callers []asking
	cancel  context.CancelFunc // ends what runs off the loop for it
	restart bool               // the services drain and are to start again
	release func()             // closes the connections that no service came for; nil without a restart
}

// An asking is somebody who asked for a reload.
type asking struct {
	by     string
	answer chan<- reloaded // nil: nobody waits
}

// tell gives the outcome to who waits for it.
func (a asking) tell(r reloaded) {
	if a.answer != nil {
		a.answer <- r
	}
}

// reloaded is how a reload ended.
type reloaded struct {
	outcome control.Outcome
	err     error
}

func newServiceLoop(ctx context.Context, l *ServiceLauncher, g *Group) *serviceLoop {
	s := &serviceLoop{
		l:       l,
		ctx:     context.WithoutCancel(ctx),
		journal: newJournal(&l.opts),
		group:   g,
		workc:   make(chan func()),
		overc:   make(chan struct{}),
		tidy:    time.NewTimer(tidyDelay),
	}
	s.tidy.Stop()
	return s
}

// run starts the services and does what signals and callers ask until they have ended.
func (s *serviceLoop) run(ctx context.Context, commands <-chan command) {
	cancelled, stopped := ctx.Done(), (<-chan struct{})(s.l.stopc)
	select {
	case <-stopped:
		s.life = &life{run: failedRun(s.group, nil)} // nothing is started
		return
	case <-cancelled:
		s.life = &life{run: failedRun(s.group, nil)}
		return
	default:
	}
	s.start(1)
	for {
		select {
		case <-s.life.done():
			if s.ended() {
				return
			}
		case <-s.ready:
			s.running()
		case <-s.failing:
			s.failed()
		case c := <-commands:
			s.command(c)
		case <-cancelled:
			cancelled = nil
			s.stop("context ended", nil)
		case <-stopped:
			stopped = nil
			s.stop("asked to", nil)
		case a := <-s.l.reloads:
			s.reload(a)
		case next := <-s.workc:
			next()
		case <-s.tidy.C:
			tidyListeners()
		}
	}
}

// start starts the services as a generation.
func (s *serviceLoop) start(generation int) {
	s.group.StartTimeout, s.group.ShutdownTimeout = s.l.opts.StartTimeout, s.l.opts.ShutdownTimeout
	s.l.state.set(StateStarting, nil)
	s.life = begin(withWorker(s.ctx, s.worker(generation)), s.group, s.l.opts.Logger)
	s.ready, s.failing = s.life.ready(), s.life.draining()
}

// worker is the identity of this process among workers.
func (s *serviceLoop) worker(generation int) Worker {
	return Worker{Set: s.l.opts.Name, Count: 1, Generation: generation}
}

// running notes that all services are ready.
func (s *serviceLoop) running() {
	s.ready = nil
	if s.stopping {
		return // that came sooner
	}
	s.l.state.set(StateRunning, nil)
	generation := s.l.generation
	if s.turn != nil {
		generation = s.turn.outcome.Generation
	}
	w := s.worker(generation)
	s.hooks(func(h Hooks) func() {
		if h.Ready == nil {
			return nil
		}
		return func() { h.Ready(w, os.Getpid()) }
	})
	if s.turn != nil {
		s.tidy.Reset(tidyDelay)
		s.finishTurn(nil)
		return
	}
	s.journal.notify("ready")
	s.log(slog.LevelInfo, "running", "pid", os.Getpid())
	s.reloadAgain()
}

// failed notes that the services drain; unless that was asked for, one of them has failed.
func (s *serviceLoop) failed() {
	s.failing = nil
	s.seeReady()
	if s.stopping || s.turn != nil && s.turn.restart {
		return
	}
	err := s.life.failure()
	s.log(slog.LevelError, "service failed", "error", err)
	s.stop("a service failed", err)
}

// seeReady notes what came before the event at hand and was not looked at yet.
func (s *serviceLoop) seeReady() {
	select {
	case <-s.ready:
		s.running()
	default:
	}
}

// ended notes that all services have ended, and reports whether that is the end of the launcher.
func (s *serviceLoop) ended() bool {
	s.seeReady()
	select {
	case <-s.failing:
		s.failed()
	default:
	}
	t := s.turn
	if s.stopping || t == nil || !t.restart {
		return true
	}
	t.restart = false
	if cut := s.life.cut(); cut != nil {
		t.outcome.Cut = len(cut)
		s.log(slog.LevelWarn, "services were cut in a reload", "services", cut)
	}
	if err := s.life.failure(); err != nil {
		s.log(slog.LevelError, "service failed in a reload", "error", err)
	}
	s.start(t.outcome.Generation)
	return false
}

// command does what a signal asks for.
func (s *serviceLoop) command(c command) {
	switch c {
	case cmdStop:
		switch {
		case s.termed.IsZero():
			s.termed = time.Now()
		case time.Since(s.termed) >= termEcho:
			s.forced = true
			s.life.cancel()
		}
		s.stop("TERM", nil)
	case cmdTerminalLost:
		s.stop("terminal lost", nil)
	case cmdKill:
		s.interrupted = true
		s.life.cancel()
		s.stop("INT", nil)
	case cmdReload:
		s.reload(asking{by: commandNames[cmdReload]})
	case cmdReopen:
		s.reopen()
	case cmdReport:
		s.report()
	case cmdMore, cmdFewer:
		s.log(slog.LevelWarn, "not scaled", "reason", s.l.opts.Name+noScale)
		out := control.Outcome{Action: "scale", Generation: s.l.generation, Error: s.l.opts.Name + noScale}
		s.remember(control.Operation{Outcome: out, By: commandNames[c], At: time.Now()})
	}
}

// stop begins the graceful stop. What is under way besides is given up, with err if there is one.
func (s *serviceLoop) stop(why string, err error) {
	if s.stopping {
		return
	}
	s.stopping = true
	s.l.state.set(StateDraining, nil)
	s.release() // first: what is drained closes its listener then, and clients are refused
	s.life.shutdown(Stop, s.l.opts.ShutdownTimeout)
	s.log(slog.LevelInfo, "stopping", "why", why, "timeout", s.l.opts.ShutdownTimeout)
	s.journal.notify("stopping")
	s.hooks(func(h Hooks) func() { return h.Stopping })
	s.giveUpReloads(joinErrors(errStopping, err))
}

// finish ends what the loop left behind and returns the launcher's error.
func (s *serviceLoop) finish() error {
	close(s.overc)
	s.stopping = true
	s.tidy.Stop()
	err := s.verdict()
	s.giveUpReloads(joinErrors(errStopping, err))
	s.working.Wait()
	s.journal.close()
	return err
}

// verdict is the error that stands for how the services ended.
func (s *serviceLoop) verdict() error {
	err, cut := s.life.failure(), s.life.run.cutError()
	switch {
	case s.interrupted:
		return &ExitError{ExitFailed, joinErrors(ErrInterrupted, err, cut)}
	case err != nil:
		return &ExitError{ExitFailed, joinErrors(err, cut)}
	case cut != nil && s.forced:
		return &ExitError{ExitCut, joinErrors(ErrInterrupted, cut)}
	case cut != nil:
		return &ExitError{ExitCut, cut}
	}
	return nil
}

// report writes a report, unless one is being written: standard error may be full. It is not waited
// for.
func (s *serviceLoop) report() {
	if s.writing.Swap(true) {
		return
	}
	go func() {
		defer s.writing.Store(false)
		s.l.report()
	}()
}

// reopen calls Options.Reopen among the hooks.
func (s *serviceLoop) reopen() {
	reopen := s.l.opts.Reopen
	if reopen == nil {
		return
	}
	s.journal.hook(func() {
		if err := reopen(s.ctx); err != nil {
			s.log(slog.LevelError, "log files not reopened", "error", err)
		}
	})
}

// hooks queues the function that which picks of each Hooks; nil is none.
func (s *serviceLoop) hooks(which func(Hooks) func()) {
	for _, h := range s.l.opts.Hooks {
		if f := which(h); f != nil {
			s.journal.hook(f)
		}
	}
}

func (s *serviceLoop) log(level slog.Level, text string, attrs ...any) {
	s.journal.log(level, text, append([]any{"program", s.l.opts.Name}, attrs...)...)
}

// off runs work off the loop, and then on it what work returns, unless the loop has ended.
func (s *serviceLoop) off(work func() func()) {
	s.working.Go(func() {
		next := work()
		select {
		case s.workc <- next:
		case <-s.overc:
		}
	})
}

// afterInit calls the hooks of that name, one by one up to the first error. A panic is an error too.
func (o *Options) afterInit(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("after init: panic: %v", p)
		}
	}()
	for _, h := range o.Hooks {
		if h.AfterInit == nil {
			continue
		}
		if err := h.AfterInit(ctx); err != nil {
			return fmt.Errorf("after init: %w", err)
		}
	}
	return nil
}
