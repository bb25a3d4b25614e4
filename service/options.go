// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"time"
)

// Auto as a number of workers counts the CPUs, and the memory, of the tightest control group that
// this process is in.
const Auto = math.MaxInt32

// MemoryAuto as a memory limit goes by the limit of the tightest control group.
const MemoryAuto = -1

// maxWorkers bounds a set: more is a mistyped number rather than a machine.
const maxWorkers = 4096

// Options set up a launcher. The zero value works.
type Options struct {
	// Name of the program in logs, status and the control socket; default the base name of os.Args[0].
	Name string

	// Workers of [Launch]: 0 and 1 run the services in this process, more in worker processes;
	// Auto counts. Negative is an error. A [ProcessLauncher] takes it per [Set] instead.
	Workers int

	// StartTimeout bounds the Start of each service; default 60 s, negative is without end.
	StartTimeout time.Duration

	// ShutdownTimeout bounds the graceful stop (oslo.service: graceful_shutdown_timeout); what still
	// runs then is cancelled, and killed where it does not end by that. Default 60 s. Negative waits
	// without end and logs every 30 s who is waited for.
	ShutdownTimeout time.Duration

	// RestartMethod is what HUP does; default [RestartReload].
	RestartMethod RestartMethod

	// SettleTime is how long each new worker of a reload must have served, beside the one that it
	// replaces, before that one drains and the next is replaced. A new worker that ends in that time
	// takes the reload back. Default 0: ready is enough. It has no meaning without worker processes.
	SettleTime time.Duration

	// Canary tries a reload on one worker of each set first; default off.
	Canary Canary

	// Signals says who owns this process's signals; default [SignalsOwned].
	Signals SignalMode

	// Files are the configuration files that workers read through [ReadFile] but main does not. They
	// join the snapshot that each generation runs on.
	Files []string

	// Reload, if set, makes the Options of a reload in place of a probe: for launchers whose main
	// cannot be run again for that, as in tests and embedding. Worker counts, timeouts, restart
	// method and log target are taken over; the rest stays as it was. An error refuses the reload.
	Reload func(ctx context.Context) (Options, error)

	// Configure takes over the files of a reload or mutate in a process that goes on: in every worker
	// before its services are Reset; in a program without worker processes before they stop, for a
	// reload, or are Reset; and in the launcher once the change is complete. [ReadFile] and [ReadDir]
	// answer from the snapshot that the probe has read, and where there is no probe from disk. An error
	// refuses the change, or, in a worker, is that of its Reset. With Configure a mutate leaves worker
	// counts, addresses, timeouts and the restart method as they were, also for workers that are
	// started later: see [Mutated].
	Configure func(ctx context.Context, how RestartMethod) error

	// Reopen is called on USR1 in the launcher and in every worker: open the log files anew.
	Reopen func(ctx context.Context) error

	// Hooks are called in the order given, each with what it asks for. A hook that panics is logged.
	Hooks []Hooks

	// Control is the path of the control socket; empty means none.
	Control string

	// ControlOptional makes a control socket that cannot be had, as another program of this name has
	// it or its directory cannot be written to, a warning instead of a failed start.
	ControlOptional bool

	// Procs is the GOMAXPROCS of each worker process; default max(2, CPUs / workers) rounded up.
	Procs int

	// MemoryLimit is the memory in bytes that all worker processes share. Each gets an equal part as the
	// soft limit of its garbage collector, which then works harder instead of growing (as GOMEMLIMIT, but
	// subprocesses do not inherit it); those that are started after a resize get a part by the new
	// number. MemoryAuto takes nine tenths of the tightest control group's limit, and sets no limit where
	// there is none. Default 0 leaves it to the environment.
	MemoryLimit int64

	// Inspect has what the launcher itself shows to the control socket, by kind: each function returns a
	// value that encodes as JSON. They are called in the launcher's process, under the rules of
	// [Inspector].
	Inspect map[string]func() any

	// Check makes Launch print the plan, run every service's Check and return without starting anything.
	Check bool

	// Logger gets the launcher's messages; nil is slog.Default().
	Logger *slog.Logger
}

// A RestartMethod is what a launcher does on HUP (oslo.service: restart_method).
type RestartMethod int

// The restart methods.
const (
	RestartReload RestartMethod = iota // new plan, rolling replacement of the workers
	RestartMutate                      // new files, Reset in place, same processes
)

// String returns the word used on command lines: reload or mutate.
func (m RestartMethod) String() string {
	switch m {
	case RestartReload:
		return "reload"
	case RestartMutate:
		return "mutate"
	}
	return "unknown"
}

// ParseRestartMethod reads reload or mutate; empty is reload. Else the error is an [*OptionError].
func ParseRestartMethod(s string) (RestartMethod, error) {
	switch s {
	case "", "reload":
		return RestartReload, nil
	case "mutate":
		return RestartMutate, nil
	}
	return 0, &OptionError{"restart_method", s, "reload or mutate"}
}

// A SignalMode says whether a launcher acts on the signals of its process.
type SignalMode int

// The signal modes.
const (
	SignalsOwned   SignalMode = iota // this launcher handles them; a second such launcher is refused
	SignalsIgnored                   // the launcher leaves signals alone: tests and embedding
)

// Hooks are functions called at moments of a launcher's life; nil ones are skipped. All but
// AfterInit run in the launcher, one at a time, off its loop: a slow hook delays other hooks and,
// for BeforeSpawn, the worker, nothing else.
type Hooks struct {
	BeforeSpawn func(w Worker)                  // before a worker process is started
	AfterSpawn  func(w Worker, pid int)         // after it was started
	Ready       func(w Worker, pid int)         // when it serves
	Gone        func(w Worker, g Gone)          // when it has ended
	Reloaded    func(generation int)            // when a reload or mutate is complete
	Stopping    func()                          // when a stop begins
	AfterInit   func(ctx context.Context) error // in the worker, before its services start; an error is a failed start
}

// Gone says how a worker process ended.
type Gone struct {
	Pid    int
	Asked  bool   // as part of a stop, shrink or replacement
	Code   int    // exit status, -1 if killed by a signal
	Signal string // name of the signal that killed it, empty without one
	Reason string // what the worker said last, or the last lines of its standard error
}

// Restart says which ends of a worker are followed by a new one.
type Restart int

// The restart policies.
const (
	RestartAlways    Restart = iota // any end that was not asked for
	RestartOnFailure                // ends other than all services returning nil
	RestartNever                    // none
)

// Roll says how a worker is replaced.
type Roll int

// The roll policies.
const (
	StartFirst Roll = iota // the new worker must be ready before the old one drains
	StopFirst              // the old worker must be gone before the new one starts: singletons, lock holders
)

// A Set is services that run together in each of a number of worker processes.
type Set struct {
	Name     string    // unique in the launcher; default the name of the first service
	Services []Service // run as a [Group] in every worker of the set
	Workers  int       // processes, 0 starts none, Auto counts; negative is an error

	After    []string // sets that must be ready before this one starts, and stop after it
	Together string   // sets with the same word end together: when one fails or is done, all do

	StartTimeout    time.Duration // as in Options, which gives the default
	ShutdownTimeout time.Duration // as in Options, which gives the default; bounds a replaced worker's drain
	Restart         Restart
	Roll            Roll
	Procs           int // as in Options, which gives the default
}

const (
	defaultStartTimeout    = 60 * time.Second
	defaultShutdownTimeout = 60 * time.Second
)

// setDefaults fills in what is zero.
func (o *Options) setDefaults() {
	o.Name = cmp.Or(o.Name, programName())
	o.StartTimeout = cmp.Or(o.StartTimeout, defaultStartTimeout)
	o.ShutdownTimeout = cmp.Or(o.ShutdownTimeout, defaultShutdownTimeout)
	o.Canary.setDefaults()
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// validate refuses what no launcher can run with.
func (o *Options) validate() error {
	if o.RestartMethod != RestartReload && o.RestartMethod != RestartMutate {
		return &OptionError{"restart_method", int(o.RestartMethod), "RestartReload or RestartMutate"}
	}
	if o.Signals != SignalsOwned && o.Signals != SignalsIgnored {
		return &OptionError{"signals", int(o.Signals), "SignalsOwned or SignalsIgnored"}
	}
	if o.Procs < 0 {
		return &OptionError{"procs", o.Procs, "0 or more"}
	}
	if o.MemoryLimit < MemoryAuto {
		return &OptionError{"memory_limit", o.MemoryLimit, "0 or more bytes, or service.MemoryAuto"}
	}
	if o.SettleTime < 0 {
		return &OptionError{"settle_time", o.SettleTime, "0 or more"}
	}
	if err := o.Canary.validate(); err != nil {
		return err
	}
	return checkWorkers("workers", o.Workers)
}

// checkWorkers refuses a number of workers that nobody can mean.
func checkWorkers(name string, n int) error {
	if n != Auto && (n < 0 || n > maxWorkers) {
		return &OptionError{name, n, "0 to 4096, or service.Auto"}
	}
	return nil
}
