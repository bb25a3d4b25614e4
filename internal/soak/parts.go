// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// What hello serves over.
const (
	plain   = "HTTP/1.1"
	overTLS = "TLS"
	http2   = "HTTP/2"
	unix    = "unix socket"
)

// A part is one kind of disturbance, many times.
type part struct {
	name  string
	times int // as promised
	// closes is how many kept connections the server may close with nothing under way; -1 is any number.
	closes int64
	run    func(ctx context.Context, s *soak, u user, times int) ([]prove.Report, error)
}

var parts = []part{
	{"reload, " + plain, 700, 0, reloads(plain)},
	{"reload, " + http2, 100, -1, reloads(http2)},
	{"reload, " + overTLS, 100, -1, reloads(overTLS)},
	{"reload, " + unix, 100, 0, reloads(unix)},
	{"resize", 200, -1, resizes},
	{"stop", 300, -1, stops},
	{"SIGKILL", 200, -1, kills},
}

// reloads sends HUP, each after the reload before it is complete.
func reloads(over string) func(context.Context, *soak, user, int) ([]prove.Report, error) {
	return func(ctx context.Context, s *soak, u user, times int) ([]prove.Report, error) {
		return s.disturb(ctx, u, over, func(srv *server) prove.Disturbance {
			return prove.Disturbance{Name: "HUP", Every: 100 * time.Millisecond, Times: times, Do: prove.ReloadBy(srv.steer, syscall.SIGHUP)}
		})
	}
}

func resizes(ctx context.Context, s *soak, u user, times int) ([]prove.Report, error) {
	return s.disturb(ctx, u, plain, func(srv *server) prove.Disturbance {
		return prove.Disturbance{Name: "scale", Every: 200 * time.Millisecond, Times: times, Do: prove.Scale(srv.steer, "", 1, 8)}
	})
}

func kills(ctx context.Context, s *soak, u user, times int) ([]prove.Report, error) {
	return s.disturb(ctx, u, plain, func(srv *server) prove.Disturbance {
		return prove.Disturbance{Name: "kill", Every: 100 * time.Millisecond, Times: times, Do: prove.KillWorker(srv.steer)}
	})
}

// disturb runs one load with one disturbance against one server.
func (s *soak) disturb(ctx context.Context, u user, over string, d func(*server) prove.Disturbance) ([]prove.Report, error) {
	srv, err := s.start(u, over, 3)
	if err != nil {
		return nil, err
	}
	load := s.load(srv)
	load.HTTP2 = over == http2
	load.Disturb = []prove.Disturbance{d(srv)}
	report, err := load.Run(ctx)
	if endErr := srv.end(); err == nil {
		err = endErr
	}
	return []prove.Report{report}, err
}

// stops starts a server for each stop.
func stops(ctx context.Context, s *soak, u user, times int) ([]prove.Report, error) {
	var all []prove.Report
	for n := range times {
		if ctx.Err() != nil {
			break
		}
		srv, err := s.start(u, plain, 1+n%3)
		if err != nil {
			return all, err
		}
		load := s.load(srv)
		if n%2 == 0 {
			load.Think = 0
		}
		load.Disturb = []prove.Disturbance{{
			Name: "stop", Every: 100 * time.Millisecond, Times: 1, Do: prove.StopBy(srv.Pid(), syscall.SIGTERM, srv.Done()),
		}}
		report, err := load.Run(ctx)
		if err == nil && srv.ExitCode() != 0 {
			err = fmt.Errorf("stop %d: exit code %d: %s", n, srv.ExitCode(), srv.Output())
		}
		if endErr := srv.end(); err == nil {
			err = endErr
		}
		if err != nil {
			return all, err
		}
		all = append(all, report)
	}
	return all, nil
}
