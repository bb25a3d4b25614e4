// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
)

// lateEvery is how often a drain without end says who it waits for.
const lateEvery = 30 * time.Second

// A life is one run of a group as a launcher or a worker sees it: its events are channels, and what
// is asked of it never blocks. All methods may be called from many goroutines.
type life struct {
	run *groupRun
	log *slog.Logger

	readyc chan struct{}
	donec  chan struct{}

	endless sync.Once
}

// begin starts g and returns at once. The services get the values of ctx; its end is that of
// [life.cancel]. A group that cannot be started now, because it runs, is done with that error.
func begin(ctx context.Context, g *Group, log *slog.Logger) *life {
	l := &life{log: log, readyc: make(chan struct{}), donec: make(chan struct{})}
	var err error
	if l.run, err = g.begin(context.WithoutCancel(ctx)); err != nil {
		l.run = failedRun(g, err)
	}
	go l.live(ctx)
	return l
}

// live passes on the events of the run.
func (l *life) live(ctx context.Context) {
	defer close(l.donec)
	defer context.AfterFunc(ctx, l.run.kill)()
	if l.run.awaitReady() == nil {
		close(l.readyc)
	}
	<-l.run.ended
}

// ready is closed when all services are ready. It stays open if they never are.
func (l *life) ready() <-chan struct{} { return l.readyc }

// draining is closed when the services drain, for whatever reason.
func (l *life) draining() <-chan struct{} { return l.run.stopping }

// done is closed when all services have ended or were given up.
func (l *life) done() <-chan struct{} { return l.donec }

// err returns, after done, what ended the services: nil if they were done or stopped as asked. It
// wraps [ErrShutdownTimeout] if something was cut.
func (l *life) err() error {
	return joinErrors(l.run.failure(), l.run.shutdownError(), l.run.cutError())
}

// failure returns what err returns without what was cut, as far as it is known.
func (l *life) failure() error {
	return joinErrors(l.run.failure(), l.run.shutdownError())
}

// cut returns, after done, the names of the services that did not end in time.
func (l *life) cut() []string {
	l.run.mu.Lock()
	defer l.run.mu.Unlock()
	return slices.Clone(l.run.cut)
}

// shutdown drains: after timeout what still runs is cancelled, and given up killDelay later. A
// negative timeout waits without end and logs for whom. Of several calls the first says the reason,
// and the one that ends first the time.
func (l *life) shutdown(r DrainReason, timeout time.Duration) {
	ctx, cancel := drain.With(context.WithoutCancel(l.run.serving), r), context.CancelFunc(func() {})
	if timeout >= 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	} else {
		l.endless.Do(func() { go l.nameLate() })
	}
	unhook := l.run.stop(ctx, 0) // at once, so that whoever asks for the state sees it
	go func() {
		defer cancel()
		defer unhook()
		<-l.donec
	}()
}

// nameLate logs, until done, who is waited for.
func (l *life) nameLate() {
	tick := time.NewTicker(lateEvery)
	defer tick.Stop()
	for begun := time.Now(); ; {
		select {
		case <-l.donec:
			return
		case <-tick.C:
			l.log.Warn("waiting for services to end", "services", l.run.g.late(), "for", time.Since(begun).Round(time.Second))
		}
	}
}

// cancel ends all services now; those that do not end within killDelay are given up.
func (l *life) cancel() { l.run.kill() }

// reset has the services take over changed options. A Reset that does not end with ctx is given up
// killDelay later.
func (l *life) reset(ctx context.Context) error {
	_, err := orGiveUp(ctx, "reset", func() (struct{}, error) { return struct{}{}, l.run.g.Reset(ctx) })
	return err
}

// orGiveUp calls f, which should end when ctx does; killDelay after that it is given up, with an error
// that says what it was.
func orGiveUp[T any](ctx context.Context, what string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	resultc := make(chan result, 1) // room for what comes when nobody waits any more
	go func() {
		value, err := f()
		resultc <- result{value, err}
	}()
	select {
	case r := <-resultc:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-resultc:
		return r.value, r.err
	case <-time.After(killDelay):
		var zero T
		return zero, fmt.Errorf("%s did not return: %w", what, context.Cause(ctx))
	}
}
