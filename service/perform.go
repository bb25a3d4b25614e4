// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// perform does what the core decided. It never blocks.
func (s *shell) perform(a core.Action) {
	switch a.Kind {
	case core.ActionSpawn:
		s.spawn(a)
	case core.ActionDrain:
		s.tell(a)
		s.drain(a)
	case core.ActionPair:
		s.pair(a)
	case core.ActionCancel:
		s.tell(a)
		s.send(a, wire.Message{Type: wire.Stop})
	case core.ActionKill:
		s.tell(a)
		s.kill(a.Incarnation)
	case core.ActionReset:
		s.sendReset(a)
	case core.ActionJudge:
		s.judge(a)
	case core.ActionSteer:
		s.steer(a)
	case core.ActionOffer:
		s.offer(a)
	case core.ActionRevoke:
		s.revoke(a)
	case core.ActionRetire:
		s.retire(a)
	case core.ActionShut:
		s.shut(a)
	case core.ActionPrepare:
		s.prepareEdition(a.Generation)
	case core.ActionDrop:
		s.drop(a.Generation)
	case core.ActionCommit:
		s.commit(a.Generation)
	case core.ActionNotify:
		s.journal.notify(a.Text)
	case core.ActionHook:
		if a.Text == "stopping" {
			s.halt(errStopping)
			proc.Self().Table().DropIdle(s.keysInUse())
		}
		if a.Text == "ready" {
			s.serves(a)
		}
		s.hook(a)
	case core.ActionReply:
		s.reply(a)
	case core.ActionLog:
		s.journal.log(levels[a.Level], a.Text, a.Attrs...)
	case core.ActionQuit:
		s.quit = &a
	}
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// reply hands an outcome to whoever waits for it.
func (s *shell) reply(a core.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.waiters[a.Request]; w != nil {
		w.answer <- a.Outcome // has room for the one answer
		delete(s.waiters, a.Request)
	}
}

// hook queues the functions that wait for what a tells.
func (s *shell) hook(a core.Action) {
	w := s.worker(a)
	for _, h := range s.opts.Hooks {
		switch {
		case a.Text == "ready" && h.Ready != nil:
			s.journal.hook(func() { h.Ready(w, a.Pid) })
		case a.Text == "gone" && h.Gone != nil:
			gone := Gone{Pid: a.Pid, Asked: a.Asked, Code: a.Code, Signal: a.Signal, Reason: a.Reason}
			s.journal.hook(func() { h.Gone(w, gone) })
		case a.Text == "reloaded" && h.Reloaded != nil:
			s.journal.hook(func() { h.Reloaded(a.Generation) })
		case a.Text == "stopping" && h.Stopping != nil:
			s.journal.hook(h.Stopping)
		}
	}
}

// worker returns the identity that an action on a worker is about.
func (s *shell) worker(a core.Action) Worker {
	w := Worker{Set: a.Set, ID: a.Slot, Count: a.Count, Generation: a.Generation}
	for i := range s.state.Sets {
		if s.state.Sets[i].Spec.Name == a.Set && w.Count == 0 {
			w.Count = s.state.Sets[i].Spec.Workers
		}
	}
	return w
}

// prepareEdition makes the plan of a generation and binds the addresses that are new in it, all off
// the loop. What it bound is closed again if the plan is refused.
func (s *shell) prepareEdition(generation int) {
	ctx, cancel := context.WithCancel(s.ending)
	s.prepare = cancel
	inPlace := s.state.Change.Verb == RestartMutate.String()
	var mutated *edition
	if inPlace && s.opts.Configure != nil {
		mutated = s.editions[s.state.Generation]
	}
	s.work.Go(func() {
		defer cancel()
		ed, err := s.makeEdition(ctx, mutated)
		if err != nil {
			s.post(core.Event{Kind: core.EventRefused, Count: generation, Text: err.Error()})
			return
		}
		ed.inPlace = inPlace
		if !s.view(func() { s.editions[generation] = ed }) {
			ed.close()
			return
		}
		s.post(core.Event{Kind: core.EventPrepared, Count: generation, Plan: &ed.plan.Core})
	})
}

// makeEdition makes and checks the next plan, and binds its addresses. Where it only mutates an edition,
// all but the snapshot stays as that has it.
func (s *shell) makeEdition(ctx context.Context, mutated *edition) (*edition, error) {
	p, err := s.nextPlan(ctx)
	if err != nil {
		return nil, err
	}
	if p.Name != s.opts.Name {
		return nil, fmt.Errorf("the new plan is of program %q, this is %q", p.Name, s.opts.Name)
	}
	if mutated != nil {
		next := *mutated.plan
		next.Snapshot, next.logger = p.Snapshot, p.logger
		return newEdition(&next, mutated.base)
	}
	var bound []string
	for _, spec := range p.Listeners {
		isNew, err := proc.Self().Table().Ensure(ctx, spec)
		if err != nil {
			proc.Self().Table().Drop(bound)
			return nil, err
		}
		if isNew {
			bound = append(bound, spec.Key())
		}
	}
	return newEdition(p, nil)
}

// nextPlan makes the plan of a reload by the launcher's own means.
func (s *shell) nextPlan(ctx context.Context) (*plan, error) {
	if s.opts.Reload != nil {
		return s.opts.reloadedPlan(ctx, s.l.sets, len(s.l.sets) == 1)
	}
	return probe(ctx, s.spawner, s.opts.Name, s.opts.StartTimeout)
}

// drop forgets a generation that will not be, with the addresses bound for it alone.
func (s *shell) drop(generation int) {
	if s.prepare != nil {
		s.prepare()
	}
	if ed := s.editions[generation]; ed != nil && generation != s.state.Generation {
		s.forget(generation, ed)
	}
}

// forget gives an edition up, with the listeners that no other one uses.
func (s *shell) forget(generation int, ed *edition) {
	delete(s.editions, generation)
	ed.close()
	used := s.keysInUse()
	proc.Self().Table().Drop(slices.DeleteFunc(ed.listeners(), func(key string) bool { return slices.Contains(used, key) }))
}

// commit puts a generation in force: older ones are forgotten, and the addresses only they used.
func (s *shell) commit(generation int) {
	now := s.editions[generation]
	for g, ed := range s.editions {
		if g == generation {
			continue
		}
		if now != nil && now.inPlace {
			now.use(ed.listeners()...) // the workers are the same
		}
		s.forget(g, ed)
	}
	if now != nil && generation != s.taken { // not after a scale
		s.taken = generation
		s.configure(now)
	}
	if now != nil && now.plan.logger != nil {
		s.journal.lines.put(func(int) { s.journal.logger = now.plan.logger }) // which only that queue looks at
	}
}

// configure has the launcher itself take over an edition that is in force now. The probe has read the
// same bytes without a complaint, so an error is one of the program.
func (s *shell) configure(ed *edition) {
	if s.opts.Configure == nil || s.opts.Reload != nil {
		return
	}
	how, snapshot := RestartReload, ed.plan.Snapshot
	if ed.inPlace {
		how = RestartMutate
	}
	s.journal.hook(func() {
		ctx, cancel := context.WithTimeout(context.Background(), defaultStartTimeout)
		defer cancel()
		err := proc.Self().Recall(snapshot, func() error { return s.opts.Configure(ctx, how) })
		if err != nil {
			s.journal.log(slog.LevelError, "the launcher did not take over its configuration", "error", err)
		}
	})
}

// keysInUse returns the listeners of all editions there are.
func (s *shell) keysInUse() []string {
	var keys []string
	for _, ed := range s.editions {
		keys = append(keys, ed.listeners()...)
	}
	return keys
}
