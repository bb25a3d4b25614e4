// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/prove"
)

const (
	lossClients = 32
	lossThink   = time.Millisecond
	// rollLimit is how long the processes before a reload may live on under load.
	rollLimit = 10 * time.Second
)

// lossRow returns a row of what a server loses when it is reloaded, unless that signal is 0, and when
// it is stopped.
func lossRow(k kind, reload, stop syscall.Signal) func(context.Context, *bench) ([]result, error) {
	return func(ctx context.Context, b *bench) ([]result, error) {
		var results []result
		if reload != 0 {
			l, err := k.reloads(ctx, b, reload)
			if err != nil {
				return nil, fmt.Errorf("reload: %w", err)
			}
			results = append(results, l.result("reload", k, reload))
		}
		l, err := k.stops(ctx, b, stop)
		if err != nil {
			return nil, fmt.Errorf("stop: %w", err)
		}
		return append(results, l.result("stop", k, stop)), nil
	}
}

// A loss is what was seen in a number of reloads or stops.
type loss struct {
	times                      int
	faults, answered           uint64
	closes, reconnects, failed uint64
	gap, worst                 time.Duration
	p99s                       []float64 // of each run, in milliseconds
	first                      string    // fault, or failure
}

func (l *loss) add(r prove.Report) {
	l.faults += r.Count()
	l.answered += r.Answered
	l.closes += r.Closes.Idle + r.Closes.Reset + r.Closes.Announced
	l.reconnects += r.Reconnects
	if r.Count() > 0 {
		l.first = r.Faults[0].String()
	}
	for _, d := range r.Disturbed {
		l.times += int(d.Times)
		l.failed += uint64(d.Failed)
		l.gap, l.worst = max(l.gap, d.WorstGap), max(l.worst, d.Answers.Worst)
		l.p99s = append(l.p99s, millis(d.P99Median))
	}
}

func (l *loss) result(action string, k kind, sig syscall.Signal) result {
	r := result{
		name:     fmt.Sprintf("lost per %s, %s", action, k.name),
		measured: fmt.Sprintf("%.3g", float64(l.faults)/float64(max(l.times, 1))),
		detail: fmt.Sprintf("%d of %d in %d by %v; %d closes, %d reconnects, p99 %.3g ms, worst %.3g ms, gap %.3g ms", l.faults,
			l.answered+l.faults, l.times, sig, l.closes, l.reconnects, median(l.p99s), millis(l.worst), millis(l.gap)),
	}
	if l.failed > 0 {
		r.detail += fmt.Sprintf("; %d not complete after %v", l.failed, rollLimit)
	}
	if l.first != "" {
		r.detail += "; " + l.first
	}
	if k.name == twoWorkers.name {
		r.target, r.reached = "0", l.faults == 0
	}
	return r
}

// load is the same for all servers: what any of them answers.
func (s *server) load(b *bench, disturb ...prove.Disturbance) prove.Load {
	return prove.Load{
		Target: "http://" + s.addr + "/", Want: []byte(b.body), Shapes: []prove.Shape{prove.Get},
		Clients: lossClients, Fresh: lossClients / 4, Think: lossThink, Timeout: 5 * time.Second, Disturb: disturb,
	}
}

// reloads reloads one server again and again.
func (k kind) reloads(ctx context.Context, b *bench, sig syscall.Signal) (*loss, error) {
	s, err := k.start(b)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	r, err := s.load(b, prove.Disturbance{
		Name: "reload", Every: 200 * time.Millisecond, Times: 2 * b.pairs,
		Do: func(ctx context.Context, _ *prove.Scene) error { return s.roll(sig) },
	}).Run(ctx)
	l := new(loss)
	l.add(r)
	return l, err
}

// roll sends a signal and waits until other processes have taken the place of those there were. What
// is told from outside is all that these servers have in common.
func (s *server) roll(sig syscall.Signal) error {
	old := peer.Children(s.Pid())
	gone, err := watch(old)
	if err != nil {
		return err
	}
	defer gone.close()
	if err := s.Signal(sig); err != nil {
		return err
	}
	if err := gone.wait(rollLimit); err != nil {
		return fmt.Errorf("%v: %w: %s", sig, err, s.Output())
	}
	return s.await(rollLimit, "new processes alone", func() bool { return replaced(old, peer.Children(s.Pid()), s.workers) })
}

// stops stops one server after the other.
func (k kind) stops(ctx context.Context, b *bench, sig syscall.Signal) (*loss, error) {
	l := new(loss)
	for range 2 * b.pairs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := k.start(b)
		if err != nil {
			return nil, err
		}
		r, err := s.load(b, prove.Disturbance{
			Name: "stop", Every: 200 * time.Millisecond, Times: 1,
			Do: func(ctx context.Context, scene *prove.Scene) error {
				scene.Stopping()
				if err := s.Signal(sig); err != nil {
					return err
				}
				select {
				case <-s.Done():
					return nil
				case <-time.After(rollLimit):
					return errors.New("still there")
				}
			},
		}).Run(ctx)
		s.stop()
		if err != nil {
			return nil, err
		}
		l.add(r)
	}
	return l, nil
}
