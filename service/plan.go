// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// A plan is what a program's main built up to Launch: what is to run, where it listens, and the
// configuration it was made from. It is data, so that a probe process can hand it to the launcher.
type plan struct {
	Name          string
	RestartMethod RestartMethod
	InProcess     bool // Launch with no worker processes
	Core          core.Plan
	Canary        Canary
	Sets          []planSet
	Listeners     []bind.Spec
	Memory        int64 // bytes for all workers; 0 is no limit

	Snapshot proc.Snapshot `json:"-"` // travels by itself
	logger   *slog.Logger  // another one for the launcher, nil without
}

// A planSet is what the core need not know of a set.
type planSet struct {
	Name     string
	Services []string
	Procs    int
}

// set returns the planSet of that name.
func (p *plan) set(name string) planSet {
	i := slices.IndexFunc(p.Sets, func(s planSet) bool { return s.Name == name })
	if i < 0 {
		return planSet{Name: name}
	}
	return p.Sets[i]
}

// makePlan checks options and sets and makes the plan of this process from them.
func makePlan(opts *Options, sets []Set) (*plan, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	p := &plan{
		Name:          opts.Name,
		RestartMethod: opts.RestartMethod,
		Memory:        memoryBudget(opts.MemoryLimit),
		Canary:        opts.Canary,
		Core: core.Plan{
			Mutate: opts.RestartMethod == RestartMutate, StopTimeout: int64(opts.ShutdownTimeout),
			Settle: int64(opts.SettleTime), Canary: int64(opts.Canary.Time),
		},
	}
	for i := range sets {
		set := sets[i].withDefaults(opts)
		if err := set.check(); err != nil {
			return nil, err
		}
		p.Core.Sets = append(p.Core.Sets, set.spec())
		p.Sets = append(p.Sets, planSet{Name: set.Name, Services: set.names(), Procs: set.Procs})
	}
	if err := checkSets(p.Core.Sets); err != nil {
		return nil, err
	}
	for _, path := range opts.Files {
		if _, err := ReadFile(path); err != nil {
			return nil, fmt.Errorf("files: %w", err)
		}
	}
	p.Listeners = proc.Self().Specs()
	p.Snapshot = proc.Self().Remembered()
	return p, nil
}

// withDefaults returns the set with what it leaves to opts.
func (s Set) withDefaults(opts *Options) Set {
	if s.Name == "" && len(s.Services) > 0 && !absent(s.Services[0]) {
		s.Name = NameOf(s.Services[0])
	}
	if s.Workers == Auto {
		s.Workers = autoWorkers()
	}
	s.StartTimeout = cmp.Or(s.StartTimeout, opts.StartTimeout)
	s.ShutdownTimeout = cmp.Or(s.ShutdownTimeout, opts.ShutdownTimeout)
	s.Procs = cmp.Or(s.Procs, opts.Procs)
	return s
}

// check refuses a set that cannot be run.
func (s Set) check() error {
	name := func(field string) string { return fmt.Sprintf("set %s: %s", s.Name, field) }
	if err := checkWorkers(name("workers"), s.Workers); err != nil {
		return err
	}
	if s.Restart < RestartAlways || s.Restart > RestartNever {
		return &OptionError{name("restart"), int(s.Restart), "RestartAlways, RestartOnFailure or RestartNever"}
	}
	if s.Roll < StartFirst || s.Roll > StopFirst {
		return &OptionError{name("roll"), int(s.Roll), "StartFirst or StopFirst"}
	}
	if s.Procs < 0 {
		return &OptionError{name("procs"), s.Procs, "0 or more"}
	}
	if len(s.Services) == 0 {
		return &OptionError{name("services"), "none", "at least one service"}
	}
	_, err := NewGroup(s.Services...)
	if err != nil {
		return fmt.Errorf("set %s: %w", s.Name, err)
	}
	return nil
}

// names returns the names of the set's services.
func (s Set) names() []string {
	var names []string
	for _, svc := range s.Services {
		names = append(names, NameOf(svc))
	}
	return names
}

// spec returns what the core knows of the set.
func (s Set) spec() core.SetSpec {
	return core.SetSpec{
		Name: s.Name, Workers: s.Workers, After: s.After, Together: s.Together,
		Restart:         [...]string{core.RestartAlways, core.RestartOnFailure, core.RestartNever}[s.Restart],
		Roll:            [...]string{core.StartFirst, core.StopFirst}[s.Roll],
		StartTimeout:    int64(s.StartTimeout),
		ShutdownTimeout: int64(s.ShutdownTimeout),
	}
}

// checkSets refuses a plan without sets, names that are missing, unknown or twice there, and circles.
func checkSets(specs []core.SetSpec) error {
	if len(specs) == 0 {
		return &OptionError{"sets", "none", "at least one set"}
	}
	after := make(map[string][]string)
	for _, spec := range specs {
		if spec.Name == "" {
			return &OptionError{"set name", `""`, "a name"}
		}
		if _, twice := after[spec.Name]; twice {
			return &OptionError{"set name", spec.Name, "a name that no other set has"}
		}
		after[spec.Name] = spec.After
	}
	for _, spec := range specs {
		for _, name := range spec.After {
			if _, known := after[name]; !known {
				return &OptionError{fmt.Sprintf("set %s: after", spec.Name), name, "the name of a set"}
			}
		}
	}
	for _, spec := range specs {
		if names := circle(after, []string{spec.Name}); names != nil {
			return &CycleError{"set", names}
		}
	}
	return nil
}

// circle returns the way from the first name of the path back to itself, nil if there is none.
func circle(after map[string][]string, path []string) []string {
	for _, next := range after[path[len(path)-1]] {
		if next == path[0] {
			return append(path, next)
		}
		if slices.Contains(path, next) {
			continue // a circle, but of others
		}
		if found := circle(after, append(slices.Clip(path), next)); found != nil {
			return found
		}
	}
	return nil
}
