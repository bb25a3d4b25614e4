// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// Status returns what the launcher knows of itself and its services.
func (l *ServiceLauncher) Status() control.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := control.Status{
		Program:       l.opts.Name,
		Pid:           os.Getpid(),
		State:         l.stateName(),
		Generation:    l.generation,
		Started:       l.started,
		RestartMethod: l.opts.RestartMethod.String(),
		Snapshot:      proc.Self().Remembered().Fingerprint(),
		Listeners:     listeners(),
		Sets:          []control.Set{},
		Operations:    slices.Clone(l.operations),
	}
	if len(st.Operations) > 0 {
		st.Last = &st.Operations[0].Outcome
	}
	counts := scoreboard.Current().Read()
	st.Served, st.Losses, st.Process = counts.Served, losses(counts.Lost), thisProcess()
	if l.group != nil {
		for _, m := range l.group.States() {
			st.Services = append(st.Services, control.Service{Name: m.Name, State: m.State.String()})
		}
	}
	return st
}

// stateName is the state in the words of package control.
func (l *ServiceLauncher) stateName() string {
	switch s := l.State(); {
	case l.turning:
		return "reloading"
	case s == StateDraining:
		return "stopping"
	default:
		return s.String()
	}
}

// report writes a diagnostic report to standard error.
func (l *ServiceLauncher) report() {
	var b strings.Builder
	st := l.Status()
	fmt.Fprintf(&b, "state %s, generation %d\n", st.State, st.Generation)
	for _, svc := range st.Services {
		fmt.Fprintf(&b, "service %s: %s\n", svc.Name, svc.State)
	}
	writeReport(os.Stderr, st.Program, "in one process", b.String())
}

// hereTarget is a ServiceLauncher as the control socket sees it.
type hereTarget struct{ l *ServiceLauncher }

func (t hereTarget) Status() control.Status { return t.l.Status() }

func (t hereTarget) Reload(ctx context.Context) (control.Outcome, error) { return t.l.reload(ctx) }

// Stop answers as soon as the outcome is known: the launcher waits for its answers to go out.
func (t hereTarget) Stop(ctx context.Context) (control.Outcome, error) {
	begun := time.Now()
	t.l.askStop()
	err := t.l.wait(ctx, t.l.settled)
	out := control.Outcome{Action: "stop", Generation: t.l.Status().Generation, Millis: time.Since(begun).Milliseconds()}
	if cut, ok := errors.AsType[*cutError](err); ok {
		out.Cut = len(cut.cut)
	}
	return out, err
}

// Scale is refused: there are no workers.
func (t hereTarget) Scale(ctx context.Context, set string, workers int) (control.Outcome, error) {
	return control.Outcome{}, &control.Error{Code: http.StatusConflict, Message: t.l.opts.Name + noScale}
}

// noScale is why an in-process program is not scaled.
const noScale = " runs its services in one process and cannot be scaled; start it with workers"

// Check makes the plan of a reload and throws it away.
func (t hereTarget) Check(ctx context.Context) (control.Outcome, error) {
	begun := time.Now()
	_, err := t.l.nextOptions(ctx)
	return control.Outcome{Action: "check", Generation: t.l.Status().Generation, Millis: time.Since(begun).Milliseconds()}, err
}
