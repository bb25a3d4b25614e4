// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"
)

// Defaults of Options.
const (
	DefaultName        = "tasks"
	DefaultConcurrency = 100
	DefaultLeaseTime   = 15 * time.Second
)

// MinLeaseTime is the shortest lease: below it a busy machine loses what it holds.
const MinLeaseTime = 100 * time.Millisecond

// Options are those of a Scheduler. The zero value works.
type Options struct {
	// Name is that of the service. Leases are called Name/task, so programs that share a database or
	// a state path need different names. Empty means DefaultName.
	Name string

	// Concurrency is how many runs there may be at a time: 0 means DefaultConcurrency, 1 runs one
	// after the other, as oslo.service does. Negative is refused. More due tasks wait for their turn.
	Concurrency int

	// FuzzyDelay puts off the beginning by a random time below it, so that nodes that start together
	// do not work in step; tasks with a Schedule keep their dates. 0 means none; negative is refused.
	FuzzyDelay time.Duration

	// Disabled lists the tasks and runs none.
	Disabled bool

	// SkipExternal leaves tasks that are External to another process.
	SkipExternal bool

	// StopOnError ends Serve and RunDue with the first error of a task, as a RunError.
	StopOnError bool

	// StatePath is a folder for the locks of tasks with scope OncePerHost; the same for all workers of
	// the host. It is made if need be.
	StatePath string

	// Leases keeps the leases of tasks with scope OncePerCluster: see package periodic/sqllease.
	Leases Leases

	// LeaseTime is how long a lease lasts that nobody renews, and so the longest wait for another
	// process to take over. It is renewed three times as often. 0 means DefaultLeaseTime; below
	// MinLeaseTime is refused.
	LeaseTime time.Duration

	// Holder is this process in the table of leases, for people. Empty means host and pid.
	Holder string

	// Logger gets a line for each failed run. Nil means slog.Default().
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	o.Name = cmp.Or(o.Name, DefaultName)
	o.Concurrency = cmp.Or(o.Concurrency, DefaultConcurrency)
	o.LeaseTime = cmp.Or(o.LeaseTime, DefaultLeaseTime)
	if o.Holder == "" {
		host, _ := os.Hostname()
		o.Holder = host + ":" + strconv.Itoa(os.Getpid())
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

func (o *Options) validate() error {
	switch {
	case o.Concurrency < 0:
		return fmt.Errorf("periodic: Concurrency %d must not be negative", o.Concurrency)
	case o.FuzzyDelay < 0 || o.FuzzyDelay > MaxEvery:
		return fmt.Errorf("periodic: FuzzyDelay %v must be from 0 to %v", o.FuzzyDelay, MaxEvery)
	case o.LeaseTime < MinLeaseTime || o.LeaseTime > MaxEvery:
		return fmt.Errorf("periodic: LeaseTime %v must be from %v to %v", o.LeaseTime, MinLeaseTime, MaxEvery)
	}
	return nil
}

// Config has the options for periodic tasks that the configuration files of nova and neutron have, for
// the group DEFAULT. The default of the delay is nova's; neutron's is 5.
type Config struct {
	Enable      bool          `config:"periodic_enable" default:"true" help:"Run periodic tasks."`
	FuzzyDelay  time.Duration `config:"periodic_fuzzy_delay" default:"60" min:"0" help:"Longest random delay before periodic tasks begin, so that nodes do not work in step; 0: none."`
	RunExternal bool          `config:"run_external_periodic_tasks" default:"true" help:"Run those periodic tasks here too that another process may run."`
}

// Apply puts the values of the configuration into o.
func (c Config) Apply(o *Options) {
	o.Disabled, o.FuzzyDelay, o.SkipExternal = !c.Enable, c.FuzzyDelay, !c.RunExternal
}
