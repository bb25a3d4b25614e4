// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A hold is one task's lease, seen from a process that wants it. Its moments, to acquire or renew and
// to give up in time, are entries of the queue; the calls have goroutines of their own. Scheduler.mu
// guards it.
type hold struct {
	s      *Scheduler
	leases Leases
	name   string
	holder string
	task   *entry
	first  int64 // when the task would have begun here
	keep   entry // acquires or renews
	expiry entry // ends what the lease was for

	held    bool
	token   int64
	until   int64 // when this process stops believing in it: before anybody else may have it
	busy    bool  // a call is under way
	leaving bool  // the task was removed
	other   string
	err     error // of the last call
	runs    []*leaseRun
}

// A leaseRun is a run that the end of the lease cancels.
type leaseRun struct{ cancel context.CancelCauseFunc }

func newHold(s *Scheduler, e *entry, leases Leases) *hold {
	h := &hold{
		s: s, leases: leases, task: e,
		name:   s.opts.Name + "/" + e.task.Name,
		holder: fmt.Sprintf("%s:%08x", s.opts.Holder, rand.Uint32()),
	}
	h.keep = entry{tick: h.keepTick, due: parked}
	h.expiry = entry{tick: h.expiryTick, due: parked}
	s.enrolLocked(&h.keep)
	s.enrolLocked(&h.expiry)
	s.holds = append(s.holds, h)
	return h
}

// leasesLocked returns where the lease of a task is kept.
func (s *Scheduler) leasesLocked(t *Task) (Leases, error) {
	fault := func(err error) error {
		return &TaskError{Task: t.Name, Field: "Scope", Value: t.Scope.String(), Err: err}
	}
	if t.Scope == OncePerCluster {
		if s.opts.Leases == nil {
			return nil, fault(ErrNoLeases)
		}
		return s.opts.Leases, nil
	}
	if s.opts.StatePath == "" {
		return nil, fault(ErrNoState)
	}
	if s.host == nil {
		host, err := HostLeases(s.opts.StatePath)
		if err != nil {
			return nil, fault(err)
		}
		s.host = host
	}
	return s.host, nil
}

// ttl, and what is derived from it: three tries in the life of a lease, and a margin in which a
// cancelled run can end before another begins.
func (h *hold) ttl() time.Duration        { return h.s.opts.LeaseTime }
func (h *hold) period() int64             { return int64(h.ttl() / 3) }
func (h *hold) retry() int64              { return int64(h.ttl() / 6) }
func (h *hold) margin() int64             { return int64(h.ttl() / 20) }
func (h *hold) limit() time.Duration      { return h.ttl() / 3 }
func (h *hold) deadline(sent int64) int64 { return sent + int64(h.ttl()) - h.margin() }

func (h *hold) validLocked(token, now int64) bool {
	return h.held && h.token == token && now < h.until
}

// beginLocked makes the process a candidate.
func (h *hold) beginLocked(base int64) {
	h.first = base
	now, _ := h.s.now()
	h.setLocked(&h.keep, now)
}

// setLocked puts one of the moments at a time.
func (h *hold) setLocked(e *entry, at int64) {
	if e.due == at {
		return
	}
	h.s.parkLocked(e)
	e.due = at
	h.s.queue.push(e)
}

// keepTick acquires or renews.
func (h *hold) keepTick(now int64) {
	switch s := h.s; {
	case h.busy:
		h.setLocked(&h.keep, now+h.retry())
	case h.held:
		token := h.token
		h.callLocked(func(ctx context.Context, sent int64) func() {
			err := h.leases.Renew(ctx, h.name, token, h.ttl(), false)
			return func() { h.renewedLocked(token, err, sent) }
		})
	case h.leaving, s.stopping.Load():
	default:
		h.callLocked(func(ctx context.Context, sent int64) func() {
			grant, err := h.leases.Acquire(ctx, h.name, h.holder, h.ttl())
			return func() { h.acquiredLocked(grant, err, sent) }
		})
	}
}

// callLocked starts a goroutine that calls the store, and then what that returns, under the lock. Serve
// waits for it, and the call has a limit. It is not cut when Serve's context ends: nobody would know
// whether it had its effect.
func (h *hold) callLocked(call func(ctx context.Context, sent int64) (apply func())) {
	s := h.s
	h.busy = true
	sent, _ := s.now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.base), h.limit())
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer cancel()
		apply := call(ctx, sent)
		s.mu.Lock()
		h.busy = false
		apply()
		s.mu.Unlock()
		s.kick()
	}()
}

// acquiredLocked takes over what Acquire said.
func (h *hold) acquiredLocked(grant Grant, err error, sent int64) {
	now, _ := h.s.now()
	h.other = grant.Holder
	switch {
	case err != nil:
		h.failedLocked("acquire", err)
		h.setLocked(&h.keep, now+h.retry())
	case grant.Token == 0:
		h.err = nil
		wait := h.period()
		if grant.Wait > 0 { // a moment behind, so that the store agrees
			wait = min(wait, int64(grant.Wait+time.Millisecond))
		}
		h.setLocked(&h.keep, now+wait)
	default:
		h.err = nil
		h.held, h.token, h.until = true, grant.Token, h.deadline(sent)
		h.setLocked(&h.keep, max(now, sent+h.period()))
		h.setLocked(&h.expiry, h.until)
		h.scheduleLocked(grant)
		h.s.opts.Logger.Info("lease acquired", "lease", h.name, "token", h.token)
	}
}

// scheduleLocked goes on with the task where its last holder was.
func (h *hold) scheduleLocked(grant Grant) {
	e := h.task
	if h.leaving {
		return
	}
	if grant.Began {
		h.s.armAfter(e, max(0, grant.Ago))
	} else {
		h.s.arm(e, h.first)
	}
	h.s.pushLocked(e)
}

// renewedLocked takes over what Renew said.
func (h *hold) renewedLocked(token int64, err error, sent int64) {
	now, _ := h.s.now()
	switch {
	case !h.held || h.token != token: // lost meanwhile
	case errors.Is(err, ErrLost):
		h.loseLocked(err, now)
	case err != nil:
		h.failedLocked("renew", err)
		h.setLocked(&h.keep, now+h.retry())
	default:
		h.err = nil
		h.until = max(h.until, h.deadline(sent))
		h.setLocked(&h.keep, max(now, sent+h.period()))
	}
}

// failedLocked logs the first of a row of errors.
func (h *hold) failedLocked(what string, err error) {
	if h.err == nil {
		h.s.opts.Logger.Warn("lease not kept", "lease", h.name, "call", what, "error", err)
	}
	h.err = err
}

// expiryTick gives the lease up when its time is over; renewals have moved that time since.
func (h *hold) expiryTick(now int64) {
	switch {
	case !h.held:
	case now < h.until:
		h.setLocked(&h.expiry, h.until)
	default:
		h.loseLocked(fmt.Errorf("%w: not renewed within %v", ErrLost, h.ttl()), now)
	}
}

// loseLocked cancels what ran under the lease, and becomes a candidate again.
func (h *hold) loseLocked(cause error, now int64) {
	h.held, h.err = false, cause
	h.s.opts.Logger.Warn("lease lost", "lease", h.name, "token", h.token, "runs", len(h.runs), "error", cause)
	for _, r := range h.runs {
		r.cancel(cause)
	}
	h.s.parkLocked(h.task)
	h.setLocked(&h.keep, now+h.retry())
}

// letGoLocked releases the leases that nothing runs under any more, when the scheduler stops or the
// task was removed, and reports whether no lease is left and no call under way.
func (s *Scheduler) letGoLocked() bool {
	free := true
	s.holds = slices.DeleteFunc(s.holds, func(h *hold) bool {
		if h.busy {
			free = false
			return false
		}
		if !h.held {
			return h.leaving
		}
		free = false
		if h.leaving || s.stopping.Load() {
			h.task.mu.Lock()
			running := h.task.running
			h.task.mu.Unlock()
			if running == 0 {
				h.releaseLocked()
			}
		}
		return false
	})
	return free
}

func (h *hold) releaseLocked() {
	token := h.token
	h.callLocked(func(ctx context.Context, _ int64) func() {
		err := h.leases.Release(ctx, h.name, token)
		return func() {
			h.held = false // either way: what could not be released expires
			if err != nil {
				h.failedLocked("release", err)
			}
		}
	})
}

// runLeased makes a run under the lease: the store must first agree that it is still ours, and notes
// the start. Otherwise there is no run.
func (s *Scheduler) runLeased(e *entry, wanted int64) {
	defer s.wg.Done()
	h := e.hold
	ctx, cancel := context.WithCancelCause(s.base)
	defer cancel(nil)
	run := &leaseRun{cancel}
	token, err := h.claim(run)
	if err != nil {
		e.mu.Lock()
		if !errors.Is(err, ErrLost) {
			e.err = err
			e.failures++
		}
		s.leaveLocked(e)
		return
	}
	defer h.leave(run)
	s.perform(context.WithValue(ctx, leaseKey{}, &fence{s, h, token}), e, wanted)
}

// claim asks the store for the start of a run.
func (h *hold) claim(run *leaseRun) (token int64, err error) {
	s := h.s
	s.mu.Lock()
	token = h.token
	sent, _ := s.now()
	valid := h.validLocked(token, sent)
	ctx, cancel := context.WithTimeout(s.base, h.limit())
	s.mu.Unlock()
	defer cancel()
	if !valid {
		return 0, ErrLost
	}
	err = h.leases.Renew(ctx, h.name, token, h.ttl(), true)

	s.mu.Lock()
	defer s.mu.Unlock()
	h.renewedLocked(token, err, sent)
	if now, _ := s.now(); err == nil && !h.validLocked(token, now) {
		err = ErrLost
	}
	if err != nil {
		return 0, fmt.Errorf("begin a run of %s: %w", h.name, err)
	}
	h.runs = append(h.runs, run)
	return token, nil
}

func (h *hold) leave(run *leaseRun) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.runs = slices.DeleteFunc(h.runs, func(r *leaseRun) bool { return r == run })
}
