// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// talker is a service that tells on standard error what is done with it.
type talker struct {
	startFor, drainFor time.Duration
	startErr, serveErr error
	deaf               bool // does not see that it is cancelled
	quit               chan struct{}
}

// say writes a line at once: two writers of one line would mix.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (s *talker) Start(ctx context.Context) error {
	say("talker starts")
	s.quit = make(chan struct{})
	select {
	case <-time.After(s.startFor):
		return s.startErr
	case <-ctx.Done():
		say("talker does not start")
		return ctx.Err()
	}
}

func (s *talker) Serve(ctx context.Context) error {
	say("talker serves generation %d", service.WorkerOf(ctx).Generation)
	if s.serveErr != nil {
		return s.serveErr
	}
	select {
	case <-s.quit:
		say("talker has ended")
		return nil
	case <-ctx.Done():
		say("talker is cancelled")
	}
	if s.deaf {
		select {}
	}
	return ctx.Err()
}

func (s *talker) Shutdown(ctx context.Context) error {
	say("talker drains: %v", service.Draining(ctx))
	select {
	case <-time.After(s.drainFor):
		close(s.quit)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *talker) Reset(ctx context.Context) error {
	say("talker is reset")
	return nil
}

// The program talk runs a talker in this process, as its flags say.
var _ = asProgram("talk", func() {
	var (
		svc     talker
		opts    = service.Options{Name: "talk"}
		flags   = flag.NewFlagSet("talk", flag.ExitOnError)
		restart = flags.String("restart", "reload", "")
		fail    = flags.String("fail", "", "start or serve")
		again   = flags.Bool("here", false, "reload without a probe")
		alone   = flags.Bool("ignore", false, "leave the signals alone")
		tick    = flags.Bool("tick", false, "print to standard output")
		second  = flags.Bool("second", false, "run a second launcher")
	)
	flags.DurationVar(&svc.startFor, "start", 0, "")
	flags.DurationVar(&svc.drainFor, "drain", 0, "")
	flags.BoolVar(&svc.deaf, "deaf", false, "")
	flags.DurationVar(&opts.ShutdownTimeout, "timeout", 0, "")
	flags.Parse(os.Args[1:])
	var err error
	if opts.RestartMethod, err = service.ParseRestartMethod(*restart); err != nil {
		service.Exit(err)
	}
	switch *fail {
	case "start":
		svc.startErr = errBroken
	case "serve":
		svc.serveErr = errBroken
	}
	if *again {
		opts.Reload = func(context.Context) (service.Options, error) { return opts, nil }
	}
	if *alone {
		opts.Signals = service.SignalsIgnored
	}
	opts.Reopen = func(context.Context) error { say("log files opened"); return nil }
	opts.Hooks = []service.Hooks{{
		AfterInit: func(context.Context) error { say("owns its signals"); return nil },
		Ready:     func(service.Worker, int) { say("ready") },
		Reloaded:  func(generation int) { say("reloaded %d", generation) },
		Stopping:  func() { say("stopping") },
	}}
	svcs := []service.Service{&svc}
	if *tick {
		svcs = append(svcs, service.Named("ticker", service.Func(printForEver)))
	}
	if *second {
		svcs = append(svcs, service.Named("second", service.Func(func(ctx context.Context) error {
			return service.Launch(ctx, service.Options{Name: "second"}, &talker{})
		})))
	}
	service.Exit(service.Launch(context.Background(), opts, svcs...))
})

// printForEver prints to standard output, and says when it cannot.
func printForEver(ctx context.Context) error {
	for failed := false; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if _, err := fmt.Println("tick"); err != nil && !failed {
			failed = true
			say("print: %v", err)
		}
	}
	return nil
}
