// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/memfd"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// errNoInspection is the finding of a worker that has not answered in time.
var errNoInspection = fmt.Errorf("no answer within %v", inspectTimeout)

// Inspect returns what the services of all workers show of a kind, and first what [Options.Inspect] has
// of it; see [control.Client.Inspect]. A worker that does not answer within two seconds has an entry
// with an error. The error is that of a kind which nothing shows, or of ctx.
func (l *ProcessLauncher) Inspect(ctx context.Context, kind string) ([]control.Inspection, error) {
	if sh := l.running(); sh != nil {
		return sh.inspect(ctx, kind)
	}
	return nil, errNotRunning
}

// Kinds returns what there is to Inspect, sorted. Workers that do not answer are left out.
func (l *ProcessLauncher) Kinds(ctx context.Context) ([]string, error) {
	if sh := l.running(); sh != nil {
		return sh.kinds(ctx)
	}
	return nil, errNotRunning
}

func (t target) Inspect(ctx context.Context, kind string) ([]control.Inspection, error) {
	return t.s.inspect(ctx, kind)
}

func (t target) Kinds(ctx context.Context) ([]string, error) { return t.s.kinds(ctx) }

// inspect is [ProcessLauncher.Inspect].
func (s *shell) inspect(ctx context.Context, kind string) ([]control.Inspection, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, inspectTimeout, errNoInspection)
	defer cancel()
	own, answers, ok := s.askWorkers(ctx, kind)
	if !ok {
		return nil, errNotRunning
	}
	all := inspections(Worker{Generation: own.generation}, os.Getpid(), own.shows.Findings)
	for _, a := range answers {
		if a.err != nil {
			a.shows.Findings = []finding{{Error: a.err.Error()}}
		}
		all = append(all, inspections(a.worker, a.pid, a.shows.Findings)...)
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, errNoInspection) {
		return nil, err // the caller has gone
	}
	if len(all) == 0 {
		kinds, err := s.kinds(context.WithoutCancel(ctx))
		return nil, cmp.Or(err, unknownKind(kind, kinds))
	}
	return all, nil
}

// kinds is [ProcessLauncher.Kinds].
func (s *shell) kinds(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, inspectTimeout, errNoInspection)
	defer cancel()
	own, answers, ok := s.askWorkers(ctx, "")
	if !ok {
		return nil, errNotRunning
	}
	kinds := own.shows.Kinds
	for _, a := range answers {
		kinds = append(kinds, a.shows.Kinds...)
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, errNoInspection) {
		return nil, err
	}
	slices.Sort(kinds)
	return slices.Compact(kinds), nil
}

// unknownKind is the answer to a kind that nothing shows.
func unknownKind(kind string, known []string) error {
	there := "there is nothing to inspect"
	if len(known) > 0 {
		there = "want " + strings.Join(known, " or ")
	}
	return &control.Error{Code: http.StatusNotFound, Message: fmt.Sprintf("kind: %q: nothing here shows that; %s", kind, there)}
}

// A workerAnswer is what one worker shows, or why nothing of it is known.
type workerAnswer struct {
	worker Worker
	pid    int
	shows  workerShows
	err    error
}

// A launcherAnswer is what the launcher shows of itself.
type launcherAnswer struct {
	generation int
	shows      workerShows
}

// askWorkers asks the launcher and all workers that hear, at the same time, for a kind or, if that is
// empty, for the kinds. The workers come by set, number and age. Without ok the launcher has ended.
func (s *shell) askWorkers(ctx context.Context, kind string) (own launcherAnswer, answers []*workerAnswer, ok bool) {
	var asking sync.WaitGroup
	ok = s.view(func() {
		own.generation = s.state.Generation
		s.eachWorker(func(set *core.Set, sl *core.Slot, w *core.Worker) {
			c := s.child(w.Incarnation)
			if c == nil || w.Phase != core.Beginning && w.Phase != core.Ready && w.Phase != core.Draining {
				return // it has not said hello yet, or has said good-bye
			}
			a := &workerAnswer{worker: Worker{Set: set.Spec.Name, ID: sl.ID, Generation: w.Generation}, pid: w.Pid}
			answers = append(answers, a)
			asking.Go(func() { a.shows, a.err = c.inspect(ctx, kind) })
		})
	})
	sources := s.opts.own(kind)
	if kind == "" {
		own.shows.Kinds = s.desk.kinds(ctx, sources)
	} else {
		own.shows.Findings = s.desk.findings(ctx, sources, kind)
	}
	asking.Wait()
	return own, answers, ok
}

// eachWorker calls f for every worker there is. It runs on the loop.
func (s *shell) eachWorker(f func(set *core.Set, sl *core.Slot, w *core.Worker)) {
	for i := range s.state.Sets {
		set := &s.state.Sets[i]
		for j := range set.Slots {
			sl := &set.Slots[j]
			for _, w := range append([]core.Worker{sl.Current, sl.Successor}, sl.Leaving...) {
				if w.Incarnation != 0 {
					f(set, sl, &w)
				}
			}
		}
	}
}

// inspect asks a worker. It answers a little before ctx ends, so that of several services in it one that
// hangs does not hide the others.
func (c *child) inspect(ctx context.Context, kind string) (shows workerShows, err error) {
	timeout := inspectTimeout
	if end, ok := ctx.Deadline(); ok {
		timeout = time.Until(end)
	}
	a, err := c.ask(ctx, wire.Message{Type: wire.Inspect, Name: kind, Timeout: int64(timeout * 3 / 4)})
	if err != nil {
		return shows, err
	}
	defer closeAll(a.fds)
	data := []byte(a.Body)
	if len(a.fds) > 0 {
		if data, err = memfd.Read(a.fds[0]); err != nil {
			return shows, fmt.Errorf("answer of the worker: %w", err)
		}
	}
	if err := json.Unmarshal(data, &shows); err != nil {
		return workerShows{}, fmt.Errorf("answer of the worker: %w", err)
	}
	return shows, nil
}
