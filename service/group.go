// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// killDelay is how long a service that was cancelled may take to return before it is given up.
const killDelay = time.Second

// A Group is services that start, serve and stop together, and is a [Service] itself. Make one with
// [NewGroup].
//
// Without any [After], members start one by one in the order given and stop one by one in reverse. As
// soon as one member has an After, that alone makes the order: what does not wait for another starts
// at once, and a member stops when all that named it have stopped.
//
// The error of a member ends the group: the others are drained. A member that returns nil has ended
// alone; the group has when all have. A panic is not recovered. A group that has ended may be started
// again. All methods may be called from many goroutines.
type Group struct {
	// StartTimeout bounds the Start of each member; default 60 s, negative is without end.
	StartTimeout time.Duration

	// ShutdownTimeout bounds a drain that nobody called [Group.Shutdown] for: after a failed start
	// or a member's error. Default 60 s, negative is without end.
	ShutdownTimeout time.Duration

	members []*member
	state   lifecycle

	// prelude, if set, runs before the first Start of a member, once in the life of the group, under
	// StartTimeout; an error is a failed start.
	prelude func(ctx context.Context) error

	// started, if set, is called when every member has started, before the last of them serves.
	started func()

	mu  sync.Mutex
	run *groupRun // the last one, nil before
}

// A member is a service of a group.
type member struct {
	svc   Service
	name  string
	after []int // indices of those that must be ready before it

	mu    sync.Mutex
	state State
	err   error
}

// A MemberState is where a member of a [Group] is in its life.
type MemberState struct {
	Name  string
	State State
	Err   error // what ended it, for StateFailed
}

// NewGroup makes a group of svcs. A nil service, or an After that names no service of the group or
// several, is an [*OptionError], an After that leads back to its beginning a [*CycleError].
func NewGroup(svcs ...Service) (*Group, error) {
	after, err := order(svcs)
	if err != nil {
		return nil, err
	}
	g := &Group{}
	for i, svc := range svcs {
		g.members = append(g.members, &member{svc: svc, name: NameOf(svc), after: after[i]})
	}
	return g, nil
}

// Name returns the name of the only member, or those of all with a plus sign between them.
func (g *Group) Name() string {
	names := make([]string, len(g.members))
	for i, m := range g.members {
		names[i] = m.name
	}
	return strings.Join(names, "+")
}

// Start starts the members, each of which serves from the moment its own Start has returned nil, and
// returns nil when all are ready. Otherwise everything that started was drained, with reason [Stop],
// and has ended when Start returns the first error: that of a member is a [*ServiceError]. The same
// happens when ctx ends, or Shutdown is called, while members start. What is still running at the end
// of ShutdownTimeout is cut as by [Group.Shutdown].
//
// Members serve with the values of ctx; its end after Start has returned means nothing to them.
func (g *Group) Start(ctx context.Context) error {
	r, err := g.begin(ctx)
	if err != nil {
		return err
	}
	return r.awaitReady()
}

// Serve waits for the members to end, and returns the error that ended the group, a [*ServiceError].
// The end of ctx cancels all members at once. One that does not return within a second of that is
// given up: the error then wraps [ErrShutdownTimeout] and names it.
func (g *Group) Serve(ctx context.Context) error {
	r := g.last()
	if r == nil {
		return errors.New("group " + g.Name() + ": Serve without Start")
	}
	defer context.AfterFunc(ctx, r.kill)()
	<-r.ended
	return joinErrors(r.failure(), r.leftError())
}

// Shutdown drains the members in order, with ctx, which carries the reason: see [Draining]. It
// returns when all have ended. At the end of ctx those that have not are cancelled, and given up if
// they do not return within a second of that; the error then wraps [ErrShutdownTimeout] and names
// them. The other errors in it are those of members' Shutdown. It may be called while Start runs, and
// several times: the first says the reason, each may end the drain.
func (g *Group) Shutdown(ctx context.Context) error {
	r := g.last()
	if r == nil {
		return nil
	}
	return r.shutdown(ctx)
}

// Reset calls Reset of all running members that have it, at once, and returns their errors.
func (g *Group) Reset(ctx context.Context) error {
	var (
		wg   sync.WaitGroup
		errs = make([]error, len(g.members))
	)
	for i, m := range g.members {
		s, ok := find[Resetter](m.svc)
		if !ok || m.status().State != StateRunning {
			continue
		}
		wg.Go(func() { errs[i] = m.wrap("reset", s.Reset(ctx)) })
	}
	wg.Wait()
	return joinErrors(errs...)
}

// Check calls Check of all members that have it, one by one, and returns their errors.
func (g *Group) Check(ctx context.Context) error {
	var errs []error
	for _, m := range g.members {
		if s, ok := find[Checker](m.svc); ok {
			errs = append(errs, m.wrap("check", s.Check(ctx)))
		}
	}
	return joinErrors(errs...)
}

// State returns the state of the group as a whole.
func (g *Group) State() State {
	s, _ := g.state.get()
	return s
}

// States returns the state of each member, in the order given to [NewGroup].
func (g *Group) States() []MemberState {
	states := make([]MemberState, len(g.members))
	for i, m := range g.members {
		states[i] = m.status()
	}
	return states
}

// Await waits until the group is in state s, if only for a moment. It returns an error when ctx ends,
// and when the group has ended in another state.
func (g *Group) Await(ctx context.Context, s State) error {
	if err := g.state.await(ctx, s); err != nil {
		return fmt.Errorf("group %s is %w", g.Name(), err)
	}
	return nil
}

// begin starts the members and does not wait: whatever is called next meets a group that is starting.
func (g *Group) begin(ctx context.Context) (*groupRun, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.run != nil {
		if err := g.run.over(); err != nil {
			return nil, fmt.Errorf("group %s: %w", g.Name(), err)
		}
	}
	g.state.set(StateStarting, nil)
	g.run = newGroupRun(ctx, g)
	return g.run, nil
}

func (g *Group) last() *groupRun {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.run
}

// late returns the names of the members that a drain waits for now.
func (g *Group) late() []string {
	var names []string
	for _, m := range g.States() {
		if m.State == StateDraining || m.State == StateStarting {
			names = append(names, m.Name)
		}
	}
	return names
}

func (g *Group) startTimeout() time.Duration {
	return cmp.Or(g.StartTimeout, defaultStartTimeout)
}

func (g *Group) shutdownTimeout() time.Duration {
	return cmp.Or(g.ShutdownTimeout, defaultShutdownTimeout)
}

func (m *member) status() MemberState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return MemberState{m.name, m.state, m.err}
}

func (m *member) set(s State, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.err = s, err
}

// wrap returns err as a [*ServiceError] of m; one that m made already, as a constructor's, stays.
func (m *member) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*ServiceError](err); ok && e.Service == m.name {
		return err
	}
	return &ServiceError{m.name, op, err}
}
