// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
)

// What is allowed: the targets that are not ratios under load.
const (
	startAllowed = 12 * time.Millisecond // beyond a bare server's start
	killAllowed  = 10 * time.Millisecond // beyond a bare server's start
	stopAllowed  = 80 * time.Millisecond
	ticksAllowed = 1 // of an idle launcher in a minute
)

// settled is how long after its ready a worker counts as up.
const settled = 1100 * time.Millisecond

// startRow compares start to first answer of hello with 2 workers and of a bare server.
func startRow(ctx context.Context, b *bench) ([]result, error) {
	base, times, err := b.inTurn(ctx, func() (time.Duration, error) { return firstAnswer(b, twoWorkers) })
	if err != nil {
		return nil, err
	}
	single, err := b.repeat(ctx, func() (time.Duration, error) { return firstAnswer(b, inProcess) })
	if err != nil {
		return nil, err
	}
	return []result{
		beyond("start to first answer, "+twoWorkers.name, times, base, startAllowed),
		{
			name:     "start to first answer, " + inProcess.name,
			measured: fmt.Sprintf("%+.1f ms", median(single)-median(base)),
			detail:   spread(single) + " : " + spread(base),
		},
	}, nil
}

// killRow measures from the SIGKILL of a worker to its replacement's ready, as the control socket
// shows it, beside the start of a bare server.
func killRow(ctx context.Context, b *bench) ([]result, error) {
	base, times, err := b.inTurn(ctx, func() (time.Duration, error) { return replace(ctx, b) })
	if err != nil {
		return nil, err
	}
	return []result{beyond("worker killed to replacement ready", times, base, killAllowed)}, nil
}

// stopRow measures from TERM to the exit of the launcher, with nobody left over.
func stopRow(ctx context.Context, b *bench) ([]result, error) {
	times, err := b.repeat(ctx, func() (time.Duration, error) {
		s, err := startReady(ctx, b)
		if err != nil {
			return 0, err
		}
		defer s.stop()
		asked := time.Now()
		if err := s.Signal(syscall.SIGTERM); err != nil {
			return 0, err
		}
		select {
		case <-s.Done():
		case <-time.After(stopLimit):
			return 0, fmt.Errorf("still there %v after TERM: %s", stopLimit, s.Output())
		}
		if left := peer.Group(s.Pid()); s.ExitCode() != 0 || len(left) > 0 {
			return 0, fmt.Errorf("exit status %d with %d processes left over: %s", s.ExitCode(), len(left), s.Output())
		}
		return s.End().Sub(asked), nil
	})
	if err != nil {
		return nil, err
	}
	return []result{{
		name:     "TERM to exit when idle, " + twoWorkers.name,
		target:   fmt.Sprintf("<= %d ms", stopAllowed.Milliseconds()),
		measured: fmt.Sprintf("%.1f ms", median(times)),
		reached:  median(times) <= millis(stopAllowed),
		detail:   spread(times),
	}}, nil
}

// idleRow counts the clock ticks of a launcher with nothing to do.
func idleRow(ctx context.Context, b *bench) ([]result, error) {
	s, err := startReady(ctx, b)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	before, err := s.ticks()
	if err != nil {
		return nil, err
	}
	cpuBefore, err := cpuTime(s.Pid())
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(b.idle):
	case <-s.Done():
		return nil, fmt.Errorf("ended while idle: %s", s.Output())
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := s.ticks()
	if err != nil {
		return nil, err
	}
	cpuAfter, err := cpuTime(s.Pid())
	if err != nil {
		return nil, err
	}
	return []result{{
		name:     fmt.Sprintf("clock ticks of the idle launcher in %v, %s", b.idle, twoWorkers.name),
		target:   fmt.Sprintf("<= %d", ticksAllowed),
		measured: strconv.Itoa(after - before),
		reached:  after-before <= ticksAllowed,
		detail:   fmt.Sprintf("%.3g ms of CPU time", millis(cpuAfter-cpuBefore)),
	}}, nil
}

// ticks returns the clock ticks of CPU time that the server's first process has taken.
func (s *server) ticks() (int, error) {
	f := peer.Stat(s.Pid())
	if f == nil {
		return 0, fmt.Errorf("%s is gone: %s", s.name, s.Output())
	}
	user, uerr := strconv.Atoi(f[peer.StatUser])
	sys, serr := strconv.Atoi(f[peer.StatSys])
	return user + sys, errors.Join(uerr, serr)
}

// firstAnswer starts a server and returns how long its first answer took.
func firstAnswer(b *bench, k kind) (time.Duration, error) {
	s, err := k.launch(b)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	for deadline := s.started.Add(startLimit); ; {
		body, err := get(s.addr)
		switch {
		case err == nil && body == b.body:
			return time.Since(s.started), nil
		case err == nil:
			return 0, fmt.Errorf("%s: wrong answer %q", s.name, body)
		case !errors.Is(err, syscall.ECONNREFUSED):
			return 0, fmt.Errorf("%s: %w: %s", s.name, err, s.Output())
		case time.Now().After(deadline):
			return 0, fmt.Errorf("%s: no answer in %v: %s", s.name, startLimit, s.Output())
		}
		time.Sleep(200 * time.Microsecond) // a refusal costs about a tenth of this
	}
}

// replace kills a worker and returns how long it takes until there is another, ready.
func replace(ctx context.Context, b *bench) (time.Duration, error) {
	s, err := startReady(ctx, b)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	old, err := s.workersReady(ctx)
	if err != nil {
		return 0, err
	}
	select { // a death sooner after ready would count as a failed start
	case <-time.After(settled):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	killed := time.Now()
	if err := syscall.Kill(old[0], syscall.SIGKILL); err != nil {
		return 0, err
	}
	err = s.await(startLimit, "a replacement", func() bool {
		now, err := s.workersReady(ctx)
		return err == nil && len(now) == len(old) && !slices.Contains(now, old[0])
	})
	return time.Since(killed), err
}

// startReady starts hello with 2 workers and waits until both are ready.
func startReady(ctx context.Context, b *bench) (*server, error) {
	s, err := twoWorkers.start(b)
	if err != nil {
		return nil, err
	}
	err = s.await(startLimit, "both workers ready", func() bool {
		pids, err := s.workersReady(ctx)
		return err == nil && len(pids) == twoWorkers.workers
	})
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// inTurn measures the start of a bare server and x in turn, in milliseconds.
func (b *bench) inTurn(ctx context.Context, x func() (time.Duration, error)) (base, times []float64, err error) {
	for range b.pairs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		d, err := firstAnswer(b, bare)
		if err != nil {
			return nil, nil, err
		}
		base = append(base, millis(d))
		if d, err = x(); err != nil {
			return nil, nil, err
		}
		times = append(times, millis(d))
	}
	return base, times, nil
}

// repeat measures as often as a comparison has pairs, in milliseconds.
func (b *bench) repeat(ctx context.Context, measure func() (time.Duration, error)) ([]float64, error) {
	var times []float64
	for range b.pairs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := measure()
		if err != nil {
			return nil, err
		}
		times = append(times, millis(d))
	}
	return times, nil
}

// beyond makes a line of how far the median of times is beyond that of a bare server's starts.
func beyond(name string, times, base []float64, allowed time.Duration) result {
	d := median(times) - median(base)
	return result{
		name:     name,
		target:   fmt.Sprintf("<= bare start + %d ms", allowed.Milliseconds()),
		measured: fmt.Sprintf("%+.1f ms", d),
		reached:  d <= millis(allowed),
		detail:   spread(times) + " : " + spread(base),
	}
}

// spread says the median and the extremes, in milliseconds.
func spread(v []float64) string {
	return fmt.Sprintf("%.1f (%.1f to %.1f) ms", median(v), slices.Min(v), slices.Max(v))
}
