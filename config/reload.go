// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
)

// A Change is an option with two values.
type Change struct {
	Group, Option string
	Old, New      any      // as [Config.Value] returns them, nil for unset, secrets too
	At            Location // where New comes from
	Mutable       bool     // Mutate applies it; otherwise a reload is needed
	option        *option
}

// Texts returns both values for people: as Python's str writes them, "****" for a secret.
func (ch Change) Texts() (old, new string) {
	return ch.option.text(ch.Old), ch.option.text(ch.New)
}

// String writes the change without secrets.
func (ch Change) String() string {
	old, new := ch.Texts()
	how := "mutable"
	if !ch.Mutable {
		how = "needs a reload"
	}
	return fmt.Sprintf("%s.%s changed from [%s] to [%s] (%s)", ch.Group, ch.Option, old, new, how)
}

// Compare returns what differs in a later snapshot, in the order of declaration. Values are compared,
// not texts: yes and true are the same. Options with errors are left out.
func Compare(old, new *Snapshot) []Change {
	var out []Change
	for _, o := range new.ordered {
		e, was := new.entries[o.key], old.entries[o.key]
		if was == nil || o.builtin != nil || e.err != nil || was.err != nil || reflect.DeepEqual(e.value, was.value) {
			continue
		}
		out = append(out, Change{o.group, o.name, was.value, e.value, e.at, o.Mutable, o})
	}
	return out
}

// load reads command line and files anew, validates all, and changes nothing.
func (c *Config) load() (*namespace, *Snapshot, error) {
	if !c.parsed {
		return nil, nil, errors.New("configuration was not parsed yet")
	}
	ns, err := c.read()
	if err != nil {
		return nil, nil, err
	}
	s := c.evaluate(ns, ns, nil)
	return ns, s, s.check()
}

// Diff returns what a reload would change now, and changes nothing. Its error is that of Parse.
func (c *Config) Diff() ([]Change, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, s, err := c.load()
	if err != nil {
		return nil, err
	}
	return Compare(c.now.Load(), s), nil
}

// Reload reads the files anew, with the command line of Parse, and validates all of it; then the new
// values are in force, at once and together, mutable or not, and it returns what changed. After an
// error the old values stay. Hooks are not called. Upstream: reload_config_files, which tells an error
// by false and does not look at the values.
func (c *Config) Reload() ([]Change, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ns, s, err := c.load()
	if err != nil {
		return nil, err
	}
	changes := Compare(c.now.Load(), s)
	c.base, c.mutable = ns, ns
	c.now.Store(s)
	c.log(s.warnings)
	return changes, nil
}

// OnMutate adds a hook that [Config.Mutate] calls, after the change, with what changed, also if that
// is nothing. Hooks run one after the other in the order they were added; they may read c but not
// change it. Upstream calls them in no order.
func (c *Config) OnMutate(hook func([]Change) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = append(c.hooks, hook)
}

// Mutate reads the files anew, with the command line of Parse, and validates all of it; then options
// that are Mutable have their new values, at once and together. Each change is logged with both
// values, secrets masked, as is each change that needs a reload and is ignored. An ignored change is
// named again by the next Mutate, until a reload. Then hooks run. Mutate returns what changed and the
// hooks' errors, joined. After an error of files or values the old values stay and no hook runs.
// Upstream: mutate_config_files, which compares texts, shows secrets and does not look at values.
func (c *Config) Mutate() ([]Change, error) {
	changes, hooks, err := c.mutate()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, hook := range hooks {
		if err := hook(changes); err != nil {
			errs = append(errs, err)
		}
	}
	return changes, errors.Join(errs...)
}

func (c *Config) mutate() ([]Change, []func([]Change) error, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ns, full, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	old := c.now.Load()
	kept := map[key]*entry{}
	for k, e := range old.entries {
		if !e.Mutable {
			kept[k] = e
		}
	}
	// A mutable option may refer to one that is not: then the value in force counts.
	s := c.evaluate(c.base, ns, kept)
	if err := s.checkValues(); err != nil {
		return nil, nil, err
	}
	var changes []Change
	for _, ch := range Compare(old, s) {
		logChange(c.logger(), slog.LevelInfo, "option changed", ch)
		changes = append(changes, ch)
	}
	for _, ch := range Compare(old, full) {
		if !ch.Mutable {
			logChange(c.logger(), slog.LevelWarn, "ignored change to immutable option: a reload is needed", ch)
		}
	}
	c.mutable = ns
	c.now.Store(s)
	c.log(full.warnings)
	return changes, append([]func([]Change) error(nil), c.hooks...), nil
}

// checkValues returns the values that are refused.
func (s *Snapshot) checkValues() error {
	var errs Errors
	for _, o := range s.ordered {
		if err := s.entries[o.key].err; err != nil {
			errs = append(errs, err)
		}
	}
	return errs.sorted(s.ns.paths)
}
