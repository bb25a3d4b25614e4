// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"reflect"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/core"
)

// signalNames is who asks when a signal does.
var commandNames = map[command]string{
	cmdStop: "signal TERM", cmdKill: "signal INT", cmdTerminalLost: "signal HUP, terminal lost",
	cmdReload: "signal HUP", cmdMore: "signal TTIN", cmdFewer: "signal TTOU",
}

// askerOf says who asks for what ctx belongs to.
func askerOf(ctx context.Context) string {
	c, ok := control.CallerOf(ctx)
	if !ok {
		return "the program itself"
	}
	return fmt.Sprintf("control uid %d pid %d", c.UID, c.PID)
}

// A waiting is somebody who waits for the outcome of a request.
type waiting struct {
	answer   chan core.Outcome  // with room for one: the loop must not wait for a caller that has gone
	progress chan core.Progress // with room for the latest; nil if nobody wants to know
	last     core.Progress      // that was told; the loop's alone
}

// ask posts a request and waits for its outcome, and tells its progress to whoever ctx names.
func (s *shell) ask(ctx context.Context, e core.Event) (core.Outcome, error) {
	tell := control.ProgressOf(ctx)
	w := &waiting{answer: make(chan core.Outcome, 1)}
	if tell != nil {
		w.progress = make(chan core.Progress, 1)
	}
	s.mu.Lock()
	s.request++
	e.Request = s.request
	s.waiters[e.Request] = w
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiters, e.Request)
		s.mu.Unlock()
	}()
	e.By = askerOf(ctx)
	s.post(e)
	for {
		select {
		case p := <-w.progress:
			tell(progress(p))
			continue
		case out := <-w.answer:
			return out, nil
		case <-ctx.Done():
			return core.Outcome{}, context.Cause(ctx)
		case <-s.done:
		}
		select {
		case out := <-w.answer: // given in the loop's last step
			return out, nil
		default:
		}
		if e.Kind == core.EventStop { // it came a moment late, and has what it asked for
			return core.Outcome{Action: "stop", Generation: s.state.Generation, Cut: s.state.Stop.Cut}, nil
		}
		return core.Outcome{}, errNotRunning
	}
}

// tellProgress tells those who wait how far it is, if that has changed. Who is slow to listen hears the
// latest only.
func (s *shell) tellProgress() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for request, w := range s.waiters {
		if w.progress == nil {
			continue
		}
		p, ok := s.state.Progress(request)
		if !ok || reflect.DeepEqual(p, w.last) {
			continue
		}
		w.last = p
		select {
		case <-w.progress:
		default:
		}
		w.progress <- p
	}
}

// progress returns the public form of a progress.
func progress(p core.Progress) control.Progress {
	out := control.Progress{Action: p.Action, Step: p.Step, Generation: p.Generation}
	for _, set := range p.Sets {
		out.Sets = append(out.Sets, control.SetProgress(set))
	}
	return out
}
