// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/systemd"
)

// A journal does for a launcher's loop what may block: log lines, messages to systemd, and hooks. Two
// goroutines, which close waits for, take them in order, so that a slow hook delays no log line and
// neither delays the loop.
type journal struct {
	logger *slog.Logger
	told   bool // systemd is to be told

	lines queue
	hooks queue
}

// newJournal starts a journal.
func newJournal(opts *Options) *journal {
	j := &journal{logger: opts.Logger, told: opts.Signals == SignalsOwned}
	j.lines.start(4096)
	j.hooks.start(65536)
	return j
}

// log writes a log line. Lines beyond what the queue holds are dropped and counted: a full pipe at
// the other end must not stop the launcher.
func (j *journal) log(level slog.Level, text string, attrs ...any) {
	at := time.Now()
	j.lines.put(func(dropped int) {
		if dropped > 0 {
			j.logger.Warn("log lines dropped", "count", dropped)
		}
		if !j.logger.Enabled(context.Background(), level) {
			return
		}
		r := slog.NewRecord(at, level, text, 0)
		r.Add(attrs...)
		j.logger.Handler().Handle(context.Background(), r)
	})
}

// notify tells systemd of a state: ready, reloading or stopping.
func (j *journal) notify(state string) {
	if !j.told {
		return
	}
	j.lines.put(func(int) {
		var err error
		switch state {
		case "ready":
			err = systemd.Notify(systemd.Ready)
		case "reloading":
			err = systemd.Reloading()
		case "stopping":
			err = systemd.Stopping()
		}
		if err != nil {
			j.logger.Debug("systemd not told", "state", state, "error", err)
		}
	})
}

// hook queues a hook. One that panics is logged: a launcher does not die of it.
func (j *journal) hook(f func()) {
	j.hooks.put(func(int) {
		defer func() {
			if p := recover(); p != nil {
				j.log(slog.LevelError, "hook panicked", "panic", fmt.Sprint(p))
			}
		}()
		f()
	})
}

// hookWait queues a hook and waits until it has run, or until ctx ends.
func (j *journal) hookWait(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	j.hook(func() { defer close(ran); f() })
	select {
	case <-ran:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close lets what is queued run, for a moment, and ends the goroutines. A hook or a write that still
// blocks then is left behind: the program is about to end.
func (j *journal) close() {
	j.hooks.stop(time.Second)
	j.lines.stop(time.Second)
}

// A queue runs functions in order in a goroutine of its own.
type queue struct {
	mu      sync.Mutex
	items   []func(dropped int)
	limit   int
	dropped int
	closed  bool
	wake    chan struct{} // has room for one: a wake-up is not lost and none blocks
	done    chan struct{}
}

func (q *queue) start(limit int) {
	q.limit, q.wake, q.done = limit, make(chan struct{}, 1), make(chan struct{})
	go q.run()
}

// put queues f, which is told how many before it were dropped.
func (q *queue) put(f func(dropped int)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.items) >= q.limit {
		q.dropped++
		return
	}
	q.items = append(q.items, f)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	defer close(q.done)
	for range q.wake {
		for {
			f, dropped := q.take()
			if f == nil {
				break
			}
			f(dropped)
		}
		q.mu.Lock()
		end := q.closed && len(q.items) == 0
		q.mu.Unlock()
		if end {
			return
		}
	}
}

// take returns the next function, nil if there is none.
func (q *queue) take() (f func(int), dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil, 0
	}
	f, q.items = q.items[0], q.items[1:]
	dropped, q.dropped = q.dropped, 0
	return f, dropped
}

// stop takes nothing new and waits until the rest has run, or for the patience given.
func (q *queue) stop(patience time.Duration) {
	q.mu.Lock()
	q.closed = true
	select {
	case q.wake <- struct{}{}:
	default:
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(patience):
	}
}
