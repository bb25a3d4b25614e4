// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// A child is a worker process as the launcher holds it.
type child struct {
	*proc.Child
	identity wire.Identity
	edition  *edition

	questions questions
	hung      bool // it shows no sign of life; the loop's

	// Guarded by the shell's mu.
	told       bool   // to end
	killed     bool   // by the launcher
	lostBefore uint64 // until it was told
}

// bindTimeout bounds how long the launcher tries to bind an address that a worker asks for.
const bindTimeout = 30 * time.Second

// lastMessages is how long after the end of a process its channel and standard error are read on: a
// process that it left behind may hold them open.
const lastMessages = 200 * time.Millisecond

// spawn starts a worker process, off the loop, and looks after it to its end.
func (s *shell) spawn(a core.Action) {
	ed := s.editions[a.Generation]
	if ed == nil {
		s.work.Go(func() {
			s.post(core.Event{Kind: core.EventSpawnFailed, Incarnation: a.Incarnation, Text: fmt.Sprintf("generation %d is gone", a.Generation)})
		})
		return
	}
	proc.Self().Table().Return(a.Set)
	snapshot, err := dupFD(ed.spawn) // now: the edition may be gone when the hooks have run
	w := s.worker(a)
	identity := s.identity(a, ed)
	s.work.Go(func() {
		var c *proc.Child
		if err == nil {
			c, err = s.start(w, snapshot, time.Duration(identity.StartTimeout))
		}
		if err != nil {
			s.post(core.Event{Kind: core.EventSpawnFailed, Incarnation: a.Incarnation, Text: err.Error()})
			return
		}
		s.afterSpawn(w, c.Pid)
		s.raise(&child{Child: c, identity: identity, edition: ed})
	})
}

// start starts a process with a descriptor of its snapshot, which it closes.
func (s *shell) start(w Worker, snapshot int, timeout time.Duration) (*proc.Child, error) {
	defer closeAll([]int{snapshot})
	if err := s.beforeSpawn(w, timeout); err != nil {
		return nil, err
	}
	return s.spawner.Start(proc.Command{Role: proc.Worker, Snapshot: snapshot})
}

// identity is what the worker of a spawn is told about itself.
func (s *shell) identity(a core.Action, ed *edition) wire.Identity {
	id := wire.Identity{
		Program: s.opts.Name, Set: a.Set, Slot: a.Slot, Count: a.Count,
		Generation: a.Generation, Incarnation: a.Incarnation,
		RestartMethod: ed.plan.RestartMethod.String(),
		Procs:         cmp.Or(ed.plan.set(a.Set).Procs, procsOf(a.Count)),
		Memory:        memoryShare(ed.plan.Memory, s.state.Sets),
	}
	for _, spec := range ed.plan.Core.Sets {
		if spec.Name == a.Set {
			id.StartTimeout, id.ShutdownTimeout = spec.StartTimeout, spec.ShutdownTimeout
		}
	}
	return id
}

// raise makes a started process known, reads what it says, and posts its end once nothing more can
// come from it.
func (s *shell) raise(c *child) {
	inc := c.identity.Incarnation
	s.mu.Lock()
	s.children[inc] = c
	s.mu.Unlock()
	s.post(core.Event{Kind: core.EventSpawned, Incarnation: inc, Pid: c.Pid})

	silent := make(chan struct{})
	s.work.Go(func() {
		defer close(silent)
		s.listenTo(c)
	})
	exit := c.Wait()
	select {
	case <-silent:
	case <-time.After(lastMessages):
		c.Conn.Close() // ends listenTo
		<-silent
	}
	counts, lost := s.bury(c, exit)
	e := core.Event{Kind: core.EventExit, Incarnation: inc, Code: exit.Status.ExitStatus(), Text: lastSaid(c.Stderr), Lost: lost}
	if counts.Serving {
		e.Count = 1
	}
	switch {
	case exit.Stolen:
		e.Code, e.Text = -1, describeExit(exit)
	case exit.Status.Signaled():
		e.Code, e.Signal = -1, signalName(exit.Status.Signal())
	}
	c.Close()
	s.post(e)
}

// listenTo turns the messages of a worker into events, until its channel ends.
func (s *shell) listenTo(c *child) {
	inc := c.identity.Incarnation
	defer c.questions.end()
	for {
		m, fds, err := c.Conn.Receive()
		if err != nil {
			s.post(core.Event{Kind: core.EventEOF, Incarnation: inc})
			return
		}
		if c.questions.answered(m, fds) {
			continue
		}
		closeAll(fds) // no other message of this version carries any in this direction
		switch m.Type {
		case wire.Hello:
			s.welcome(c, m)
		case wire.Ready:
			s.post(core.Event{Kind: core.EventReady, Incarnation: inc})
		case wire.Failed:
			s.post(core.Event{Kind: core.EventStartFailed, Incarnation: inc, Text: m.Error})
		case wire.Leaving:
			s.tell(core.Action{Incarnation: inc})
			s.post(core.Event{Kind: core.EventLeaving, Incarnation: inc})
		case wire.Drained:
			s.post(core.Event{Kind: core.EventDrained, Incarnation: inc, Count: m.Cut})
		case wire.Bye:
			s.post(core.Event{Kind: core.EventBye, Incarnation: inc, Text: m.Error})
		case wire.Bind:
			s.work.Go(func() { s.bind(c, m) })
		case wire.Accept:
			s.work.Go(func() { s.accept(c, m) })
		case wire.Done:
			s.post(core.Event{Kind: core.EventReset, Incarnation: inc, Count: int(m.Re), Text: m.Error})
		}
	}
}

// welcome answers the hello of a worker with its identity.
func (s *shell) welcome(c *child, m wire.Message) {
	if m.Version < 1 {
		c.Conn.Send(wire.Message{Type: wire.Welcome, Re: m.ID, Error: fmt.Sprintf("protocol version %d: want 1 or more", m.Version)})
		return
	}
	s.post(core.Event{Kind: core.EventHello, Incarnation: c.identity.Incarnation})
	c.Conn.Send(wire.Message{Type: wire.Welcome, Re: m.ID, Version: min(m.Version, wire.Version), Identity: &c.identity})
}

// bind tells a worker where the listener is that it asks for, and binds it first if the launcher has
// none.
func (s *shell) bind(c *child, m wire.Message) {
	answer := wire.Message{Type: wire.Offer, Re: m.ID, Slot: c.identity.Slot}
	var err error
	if answer.Name, answer.Addr, err = s.listener(c, m); err != nil {
		answer.Error = clip(err.Error())
	}
	c.Conn.Send(answer)
}

// listener returns the name and address of the listener that m asks for.
func (s *shell) listener(c *child, m wire.Message) (key, addr string, err error) {
	var spec bind.Spec
	if err := json.Unmarshal(m.Spec, &spec); err != nil {
		return "", "", fmt.Errorf("listener: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bindTimeout)
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	table := proc.Self().Table()
	c.edition.use(spec.Key())
	if _, err := table.Ensure(ctx, spec); err != nil {
		return "", "", err
	}
	addr, err = table.Addr(spec.Key())
	return spec.Key(), addr, err
}

// accept gives a worker the socket of its slot, now that it accepts there.
func (s *shell) accept(c *child, m wire.Message) {
	place := proc.Place{Set: c.identity.Set, Slot: c.identity.Slot}
	ctx, cancel := context.WithTimeout(s.ending, bindTimeout)
	defer cancel()
	if err := proc.Self().Table().Recall(ctx, m.Name); err != nil {
		c.Conn.Send(wire.Message{Type: wire.Offer, Re: m.ID, Error: clip(err.Error())})
		return
	}
	q, shared, err := proc.Self().Table().Give(m.Name, place)
	if shared != nil {
		s.journal.log(levels["warn"], "workers share a socket", "set", place.Set, "worker", place.Slot, "error", shared)
	}
	answer := wire.Message{Type: wire.Offer, Re: m.ID, Name: q.Key, Addr: q.Addr, Slot: place.Slot, Own: q.Own}
	switch {
	case errors.Is(err, proc.ErrLeft):
		c.Conn.Send(wire.Message{Type: wire.Done, Re: m.ID}) // it is to end
	case err != nil:
		answer.Error = clip(err.Error())
		c.Conn.Send(answer)
	default:
		c.Conn.Send(answer, q.FD)
		closeAll([]int{q.FD})
	}
}

// child returns the process of an incarnation, nil if it is gone or not there yet.
func (s *shell) child(incarnation uint64) *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.children[incarnation]
}

// send gives a worker a message. A worker that does not read is dealt with by its deadline.
func (s *shell) send(a core.Action, m wire.Message, fds ...int) {
	c := s.child(a.Incarnation)
	if c == nil {
		return
	}
	if err := c.Conn.Send(m, fds...); err != nil {
		s.journal.log(levels["warn"], "message not sent", "set", a.Set, "worker", a.Slot, "pid", c.Pid, "message", m.Type, "error", err)
	}
}

// sendReset gives a worker the snapshot of another generation; its answer is a Done.
func (s *shell) sendReset(a core.Action) {
	ed := s.editions[a.Generation]
	if ed == nil {
		ed = s.editions[s.state.Generation]
	}
	s.send(a, wire.Message{Type: wire.Reset, ID: uint64(a.Generation)}, ed.snapshot)
}

// kill ends a worker by SIGKILL. It passes through the spawner, so that a pid is never used twice.
func (s *shell) kill(incarnation uint64) {
	c := s.child(incarnation)
	if c == nil {
		return
	}
	s.work.Go(func() { s.spawner.Kill(c.Pid, killSignal) })
}

// reopen has log files opened anew, here and in every worker.
func (s *shell) reopen() {
	s.each(wire.Message{Type: wire.Reopen})
	if f := s.opts.Reopen; f != nil {
		s.journal.hook(func() {
			ctx, cancel := context.WithTimeout(context.Background(), defaultStartTimeout)
			defer cancel()
			if err := f(ctx); err != nil {
				s.journal.log(levels["error"], "log files not reopened", "error", err)
			}
		})
	}
}

// each gives a message to every worker.
func (s *shell) each(m wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.children {
		c.Conn.Send(m)
	}
}

// beforeSpawn calls the hooks of that name and waits for them. It fails where a worker must not be
// started any more, or would come too late.
func (s *shell) beforeSpawn(w Worker, timeout time.Duration) error {
	ctx, cancel := s.starting, context.CancelFunc(func() {})
	if timeout >= 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("hooks have not returned within %v", timeout))
	}
	defer cancel()
	for _, h := range s.opts.Hooks {
		if h.BeforeSpawn == nil {
			continue
		}
		if err := s.journal.hookWait(ctx, func() { h.BeforeSpawn(w) }); err != nil {
			return fmt.Errorf("before spawn: %w", err)
		}
	}
	return context.Cause(s.starting)
}

// afterSpawn queues the hooks of that name.
func (s *shell) afterSpawn(w Worker, pid int) {
	for _, h := range s.opts.Hooks {
		if h.AfterSpawn != nil {
			s.journal.hook(func() { h.AfterSpawn(w, pid) })
		}
	}
}

// lastSaid returns what a worker wrote to its standard error about its end: the first line of a crash,
// else its last lines.
func lastSaid(t *proc.Tail) string {
	return cmp.Or(t.Crash(), lastLines(t.Lines()))
}
