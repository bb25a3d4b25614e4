// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/internal/handover"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// beatEvery is how often a worker shows on its scoreboard that it is alive.
const beatEvery = time.Second

// helloTimeout bounds how long a worker waits for the launcher's welcome.
const helloTimeout = 30 * time.Second

// hesitate is how long a worker that was sent TERM waits for its launcher: a service manager that
// signals every process of the program means a stop, in which nobody takes the worker's place.
const hesitate = 50 * time.Millisecond

// leaveAfter bounds how long the process of a worker whose launcher is gone may outlive its services.
const leaveAfter = 5 * time.Second

// A worker runs one set in a worker process, as its launcher says. Its loop is one goroutine.
type worker struct {
	opts  *Options
	self  *proc.Process
	id    wire.Identity
	group *Group
	life  *life

	beat   *time.Ticker
	tasks  sync.WaitGroup    // what signals and messages started
	asked  bool              // a drain or stop was asked for
	doubt  <-chan time.Time  // after a TERM, see hesitate
	orphan bool              // the launcher is gone
	resets chan wire.Message // outcomes of Reset, each the answer to the launcher
	desk   desk
}

// work is the life of a worker process, from Launch on.
func (l *ProcessLauncher) work(ctx context.Context, id wire.Identity) error {
	w := &worker{opts: &l.opts, self: proc.Self(), id: id, resets: make(chan wire.Message, 1)}
	if id.Procs > 0 {
		runtime.GOMAXPROCS(id.Procs) // by call: an environment variable would reach subprocesses
	}
	if id.Memory > 0 {
		debug.SetMemoryLimit(id.Memory)
	}
	if err := w.prepare(l); err != nil {
		w.say(wire.Message{Type: wire.Failed, Error: clip(err.Error())})
		return &ExitError{ExitFailed, err}
	}
	return w.run(ctx)
}

// prepare makes the group of the set that this worker runs.
func (w *worker) prepare(l *ProcessLauncher) error {
	for _, set := range l.sets {
		if set.Name != w.id.Set {
			continue
		}
		g, err := NewGroup(set.Services...)
		if err != nil {
			return err
		}
		g.StartTimeout, g.ShutdownTimeout = time.Duration(w.id.StartTimeout), time.Duration(w.id.ShutdownTimeout)
		g.prelude, g.started = l.opts.afterInit, scoreboard.Current().Serving
		w.group = g
		return nil
	}
	return fmt.Errorf("set %q: main did not add it in this process", w.id.Set)
}

// run starts the services and does what launcher and signals say, until they have ended.
func (w *worker) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer w.tasks.Wait()
	defer cancel()
	ctx = withWorker(ctx, Worker{Set: w.id.Set, ID: w.id.Slot, Count: w.id.Count, Generation: w.id.Generation})
	w.life = begin(context.WithoutCancel(ctx), w.group, w.opts.Logger)
	w.showLife()
	w.beat = time.NewTicker(beatEvery)
	defer w.beat.Stop()
	w.loop(ctx)
	err := w.life.err()
	w.say(wire.Message{Type: wire.Drained, Cut: len(w.life.cut())})
	bye := wire.Message{Type: wire.Bye}
	if err != nil {
		bye.Error = clip(err.Error())
	}
	w.say(bye)
	if w.orphan {
		time.AfterFunc(leaveAfter, func() { os.Exit(ExitCut) })
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrShutdownTimeout):
		return &ExitError{ExitCut, err}
	}
	return &ExitError{ExitFailed, err}
}

// loop runs until the services have ended.
func (w *worker) loop(ctx context.Context) {
	ready, cancelled, messages := w.life.ready(), ctx.Done(), w.self.Messages()
	for {
		select {
		case <-w.life.done():
			select {
			case <-ready: // and done before anybody looked
				w.say(wire.Message{Type: wire.Ready})
			default:
			}
			return
		case <-ready:
			ready = nil
			w.say(wire.Message{Type: wire.Ready})
		case <-cancelled: // of main's own context: a TERM to this process alone, as far as others see
			cancelled = nil
			w.leave()
		case m, ok := <-messages:
			if !ok {
				messages = nil
				w.orphaned()
				continue
			}
			w.obey(ctx, m)
		case sig := <-w.self.Signals():
			w.signal(ctx, sig)
		case <-w.doubt:
			w.leave()
		case answer := <-w.resets:
			w.say(answer)
		case <-w.beat.C:
			w.showLife()
		}
	}
}

// showLife beats, and shows what is cheap to know.
func (w *worker) showLife() {
	board := scoreboard.Current()
	board.SetGoroutines(runtime.NumGoroutine())
	board.Beat(scoreboard.Monotonic())
}

// obey does what the launcher says. Messages of a later version that it does not know are refused if
// they ask for an answer, else ignored.
func (w *worker) obey(ctx context.Context, m proc.Incoming) {
	switch m.Type {
	case wire.Drain:
		w.asked = true
		w.self.Abandon(m.Names)
		w.life.shutdown(parseReason(m.Reason), time.Duration(m.Timeout))
	case wire.Stop:
		w.asked = true
		w.life.cancel()
	case wire.Reset:
		w.reset(ctx, m)
		return
	case wire.Reopen:
		w.reopen(ctx)
	case wire.Report:
		w.tasks.Go(w.report)
	case wire.Inspect:
		w.tasks.Go(func() { w.inspect(ctx, m.Message) })
	case wire.Successor, wire.Predecessor, wire.Relieve:
		w.join(m)
		return
	case wire.Offer:
		w.self.Offered(m)
		return
	case wire.Revoke:
		w.self.Revoked(m)
		return
	default:
		if m.ID != 0 {
			w.say(wire.Message{Type: wire.Done, Re: m.ID, Error: fmt.Sprintf("message %q is not known here", m.Type)})
		}
	}
	closeAll(m.FDs)
}

// join takes an end of a channel between this worker and another one: that it replaces, that replaces it,
// or that one of the two is to relieve of connections.
func (w *worker) join(m proc.Incoming) {
	if len(m.FDs) != 1 {
		closeAll(m.FDs) // lost for want of room: there is no hand-over
		return
	}
	switch m.Type {
	case wire.Successor:
		handover.Local().Successor(m.FDs[0])
	case wire.Predecessor:
		handover.Local().Predecessor(m.FDs[0])
	case wire.Relieve:
		handover.Local().Relieve(m.FDs[0], m.Count)
	}
}

// signal answers a signal that somebody sent to this process itself.
func (w *worker) signal(ctx context.Context, sig os.Signal) {
	switch signalCommand(sig) {
	case cmdStop:
		w.doubt = time.After(hesitate)
	case cmdReload:
		w.reset(ctx, proc.Incoming{})
	case cmdReopen:
		w.reopen(ctx)
	case cmdReport:
		w.tasks.Go(w.report)
	}
	// INT is the launcher's: a terminal's Ctrl-C reaches it too
}

// leave drains without being asked by the launcher, which is told and starts another worker.
func (w *worker) leave() {
	if w.asked {
		return
	}
	w.asked = true
	w.say(wire.Message{Type: wire.Leaving, Reason: Replace.String()})
	w.life.shutdown(Replace, time.Duration(w.id.ShutdownTimeout))
}

// orphaned drains because the launcher is gone: nobody serves afterwards.
func (w *worker) orphaned() {
	w.orphan = true
	w.self.LostLauncher()
	w.opts.Logger.Warn("the launcher is gone, draining", "set", w.id.Set, "worker", w.id.Slot, "pid", os.Getpid())
	w.life.shutdown(Stop, time.Duration(w.id.ShutdownTimeout))
}

// reset has the services take over a configuration: the one that came with the message, or for a HUP
// the one they have. The answer goes to the launcher when it is one of its requests.
func (w *worker) reset(ctx context.Context, m proc.Incoming) {
	answer := wire.Message{Type: wire.Done, Re: m.ID}
	if len(m.FDs) > 0 {
		snap, err := proc.OpenSnapshot(m.FDs[0])
		closeAll(m.FDs)
		if err != nil {
			answer.Error = clip(err.Error())
			w.say(answer)
			return
		}
		w.self.SetSnapshot(snap)
	}
	w.tasks.Go(func() {
		if err := w.reconfigure(ctx); err != nil {
			answer.Error = clip(err.Error())
			w.opts.Logger.Error("reset failed", "set", w.id.Set, "worker", w.id.Slot, "error", err)
		}
		if m.ID == 0 {
			return
		}
		select {
		case w.resets <- answer:
		case <-w.life.done():
		}
	})
}

// reconfigure has main's part of this process take over the snapshot, and then the services.
func (w *worker) reconfigure(ctx context.Context) error {
	if f := w.opts.Configure; f != nil {
		if err := f(ctx, RestartMutate); err != nil {
			return err
		}
	}
	return w.life.reset(ctx)
}

// reopen has log files opened anew.
func (w *worker) reopen(ctx context.Context) {
	f := w.opts.Reopen
	if f == nil {
		return
	}
	w.tasks.Go(func() {
		if err := f(ctx); err != nil {
			w.opts.Logger.Error("log files not reopened", "set", w.id.Set, "worker", w.id.Slot, "error", err)
		}
	})
}

// report writes a diagnostic report to standard error, which the launcher passes on.
func (w *worker) report() {
	var b strings.Builder
	for _, m := range w.group.States() {
		fmt.Fprintf(&b, "service %s: %v\n", m.Name, m.State)
	}
	counts := scoreboard.Current().Read()
	fmt.Fprintf(&b, "requests: %d running, %d served, %d lost\n", counts.Running, counts.Served, counts.LostTotal())
	title := fmt.Sprintf("set %s, worker %d, generation %d", w.id.Set, w.id.Slot, w.id.Generation)
	writeReport(os.Stderr, w.id.Program, title, b.String())
}

// say tells the launcher; one that is gone needs not be told.
func (w *worker) say(m wire.Message) {
	if w.orphan {
		return
	}
	if err := w.self.Conn().Send(m); err != nil {
		w.opts.Logger.Debug("launcher not told", "message", m.Type, "error", err)
	}
}

// parseReason reads a reason as drain.Reason spells it; what is not known counts as the end.
func parseReason(s string) DrainReason {
	for _, r := range []DrainReason{Replace, Shrink} {
		if r.String() == s {
			return r
		}
	}
	return Stop
}
