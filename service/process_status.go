// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// status returns what is known of the launcher and its workers now.
func (s *shell) status() control.Status {
	st := control.Status{Program: s.opts.Name, Pid: os.Getpid(), Started: s.started, State: string(core.Stopped)}
	st.Listeners = listeners()
	s.view(func() { s.fill(&st) })
	sum := s.total()
	st.Served, st.Losses, st.Process = sum.served, losses(sum.lost), thisProcess()
	for _, set := range st.Sets {
		for i := range set.Slots {
			set.Slots[i].RSS, set.Slots[i].Anon = memoryOf(set.Slots[i].Pid)
		}
	}
	return st
}

// listeners returns the listening sockets of this process.
func listeners() []control.Listener {
	table := proc.Self().Table()
	all := []control.Listener{}
	for _, ln := range table.List() {
		l := control.Listener{Network: ln.Network, Address: ln.Addr}
		table.Look(ln.Key, func(fd int) {
			queue, drops := queueOf(fd)
			l.Queue, l.Drops = l.Queue+queue, l.Drops+drops
		})
		all = append(all, l)
	}
	return all
}

// fill adds what only the loop knows.
func (s *shell) fill(st *control.Status) {
	st.State, st.Generation = s.stateName(), s.state.Generation
	st.RestartMethod = RestartReload.String()
	if s.state.Plan.Mutate {
		st.RestartMethod = RestartMutate.String()
	}
	if ed := s.editions[s.state.Generation]; ed != nil {
		st.Snapshot = ed.plan.Snapshot.Fingerprint()
	}
	st.Operations = s.operations()
	if len(st.Operations) > 0 {
		st.Last = &st.Operations[0].Outcome
	}
	for i := range s.state.Sets {
		st.Sets = append(st.Sets, s.setStatus(&s.state.Sets[i]))
	}
}

// stateName says how the launcher is as a whole.
func (s *shell) stateName() string {
	switch {
	case s.state.Phase != core.Running:
		return string(s.state.Phase)
	case s.state.Change.Verb != "":
		return "reloading"
	}
	for _, set := range s.state.Sets {
		for _, sl := range set.Slots {
			if sl.GivenUp || sl.Current.Hung {
				return "degraded"
			}
		}
	}
	return string(core.Running)
}

// setStatus returns the status of one set.
func (s *shell) setStatus(set *core.Set) control.Set {
	out := control.Set{Name: set.Spec.Name, State: string(set.Phase), Reason: set.Reason, Workers: set.Spec.Workers, Scaled: set.Spec.Scaled}
	for i := range set.Slots {
		sl := &set.Slots[i]
		for _, w := range append([]core.Worker{sl.Current, sl.Successor}, sl.Leaving...) {
			if w.Incarnation != 0 {
				out.Slots = append(out.Slots, s.workerStatus(sl, w))
			}
		}
	}
	return out
}

// workerStatus returns the status of one worker, its counters from the scoreboard.
func (s *shell) workerStatus(sl *core.Slot, w core.Worker) control.Worker {
	now := scoreboard.Monotonic()
	out := control.Worker{
		ID: sl.ID, Pid: w.Pid, Generation: w.Generation, Incarnation: w.Incarnation, State: string(w.Phase),
		Since: wallClock(now, w.Since), Started: wallClock(now, w.SpawnedAt), Restarts: sl.Restarts, LastExit: sl.LastExit,
	}
	if w.Hung && w.Phase == core.Ready {
		out.State = "hung"
	}
	if w.BootedAt != 0 {
		out.BootMillis = (w.BootedAt - w.SpawnedAt) / 1e6
	}
	c := s.child(w.Incarnation)
	if c == nil {
		return out
	}
	counts := c.Board.Read()
	out.Running, out.Served, out.Lost = counts.Running, counts.Served, counts.LostTotal()
	out.Goroutines, out.Losses = counts.Goroutines, losses(counts.Lost)
	if counts.Beat != 0 {
		out.Beat = (now - counts.Beat) / 1e6
	}
	if counts.Oldest != 0 {
		out.OldestMillis = (now - counts.Oldest) / 1e6
	}
	return out
}

// outcome returns the public form of an outcome.
func outcome(o core.Outcome) control.Outcome {
	return control.Outcome{Action: o.Action, Generation: o.Generation, Millis: o.Nanos / 1e6, Cut: o.Cut, Lost: o.Lost, Error: o.Error}
}

// operations returns the last operations, the latest first.
func (s *shell) operations() []control.Operation {
	now := scoreboard.Monotonic()
	all := make([]control.Operation, 0, len(s.state.Operations))
	for _, op := range slices.Backward(s.state.Operations) {
		all = append(all, control.Operation{Outcome: outcome(op.Outcome), By: op.By, At: wallClock(now, op.At)})
	}
	return all
}

// wallClock returns when, by the clock on the wall, the monotonic time at was or is.
func wallClock(now, at int64) time.Time { return time.Now().Add(-time.Duration(now - at)) }

// report writes a diagnostic report of the launcher, and has every worker write its own.
func (s *shell) report() {
	s.each(wire.Message{Type: wire.Report})
	var st control.Status
	st.Pid = os.Getpid()
	s.fill(&st)
	s.work.Go(func() {
		var b strings.Builder
		fmt.Fprintf(&b, "state %s, generation %d\n", st.State, st.Generation)
		for _, set := range st.Sets {
			fmt.Fprintf(&b, "set %s: %s, %d workers\n", set.Name, set.State, set.Workers)
			for _, w := range set.Slots {
				fmt.Fprintf(&b, "worker %d: pid %d, %s, generation %d, %d restarts\n", w.ID, w.Pid, w.State, w.Generation, w.Restarts)
			}
		}
		writeReport(proc.Stderr(), s.opts.Name, "launcher", b.String())
	})
}

// target is the launcher as the control socket sees it.
type target struct{ s *shell }

func (t target) Status() control.Status { return t.s.status() }

func (t target) Reload(ctx context.Context) (control.Outcome, error) {
	return t.ask(ctx, core.Event{Kind: core.EventReload})
}

func (t target) Stop(ctx context.Context) (control.Outcome, error) {
	return t.ask(ctx, core.Event{Kind: core.EventStop})
}

func (t target) Scale(ctx context.Context, set string, workers int) (control.Outcome, error) {
	if err := checkWorkers("workers", workers); err != nil {
		return control.Outcome{}, &control.Error{Code: http.StatusBadRequest, Message: err.Error()}
	}
	known := func(s control.Set) bool { return s.Name == set }
	if set != "" && !slices.ContainsFunc(t.Status().Sets, known) {
		return control.Outcome{}, &control.Error{Code: http.StatusNotFound, Message: fmt.Sprintf("set %q: no such set", set)}
	}
	if workers == Auto {
		workers = autoWorkers()
	}
	return t.ask(ctx, core.Event{Kind: core.EventScale, Set: set, Count: workers})
}

// Check makes the plan of a reload and throws it away.
func (t target) Check(ctx context.Context) (control.Outcome, error) {
	begin := time.Now()
	_, err := t.s.nextPlan(ctx)
	return control.Outcome{Action: "check", Generation: t.s.status().Generation, Millis: time.Since(begin).Milliseconds()}, err
}

func (t target) ask(ctx context.Context, e core.Event) (control.Outcome, error) {
	out, err := t.s.ask(ctx, e)
	err = outcomeError(out, err)
	if err != nil && t.s.l.State() == StateDraining {
		err = &control.Error{Code: http.StatusConflict, Message: err.Error()}
	}
	return outcome(out), err
}

// serveControl opens the control socket, if there is to be one.
func (s *shell) serveControl(ctx context.Context) (*controlServer, error) {
	return openControl(ctx, s.opts, target{s})
}

// warnStrange names what main opened before Launch: the launcher would hold it for ever.
func (s *shell) warnStrange(strange []string) {
	for _, what := range strange {
		s.journal.log(levels["warn"], "opened before Launch, which the launcher has no use for; open it in Start", "what", what)
	}
}
