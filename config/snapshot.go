// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Snapshot is the configuration at one moment. It never changes.
type Snapshot struct {
	config   *Config
	ns       *namespace
	ordered  []*option
	entries  map[key]*entry
	warnings []Warning
}

// Snapshot returns what is in force now.
func (c *Config) Snapshot() *Snapshot {
	if s := c.now.Load(); s != nil {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.now.Load()
	if s == nil {
		s = c.evaluate(c.base, c.mutable, nil)
		c.now.Store(s)
	}
	return s
}

// A Reader is a [Config], for the values in force now, or a [Snapshot].
type Reader interface{ Snapshot() *Snapshot }

// Snapshot returns s: a Snapshot is a [Reader] too.
func (s *Snapshot) Snapshot() *Snapshot { return s }

// Get returns the options of a struct that was registered in a group, with the values in force now,
// all of one moment. Call it again for the values after a reload; it never waits for one. It panics if T is not registered in
// that group.
func Get[T any](r Reader, group string) T {
	s := r.Snapshot()
	var out T
	v := reflect.ValueOf(&out).Elem()
	for _, b := range s.config.bindings(structKey{groupName(group), v.Type()}) {
		if e := s.entries[b.key]; e != nil && e.err == nil {
			assign(v.Field(b.index), e.value)
		}
	}
	return out
}

func (c *Config) bindings(k structKey) []binding {
	b, ok := c.reg.structs.Load(k)
	if !ok {
		panic(fmt.Sprintf("config: %v is not registered in group %s", k.typ, k.group))
	}
	return b.([]binding)
}

// Value returns the value of an option, nil if it is unset: string, bool, int64, float64,
// [time.Duration], [Span], []any for List and Multi, map[string]any for Dict. Deprecated names are
// answered too. The error is a [NoSuchOptionError], or the [ValueError] that Parse returned.
func (s *Snapshot) Value(group, name string) (any, error) {
	e, err := s.find(group, name)
	if err != nil {
		return nil, err
	}
	return e.value, e.err
}

func (s *Snapshot) find(group, name string) (*entry, error) {
	k := key{groupName(group), destination(name)}
	if e := s.entries[k]; e != nil {
		return e, nil
	}
	for _, o := range s.ordered {
		if slices.Contains(o.names, k) {
			return s.entries[o.key], nil
		}
	}
	return nil, &NoSuchOptionError{k.group, k.name}
}

// Value is [Snapshot.Value] of what is in force now.
func (c *Config) Value(group, name string) (any, error) { return c.Snapshot().Value(group, name) }

// Location returns where the value of an option comes from.
func (s *Snapshot) Location(group, name string) (Location, error) {
	e, err := s.find(group, name)
	if err != nil {
		return Location{}, err
	}
	return e.at, nil
}

// Location is [Snapshot.Location] of what is in force now.
func (c *Config) Location(group, name string) (Location, error) {
	return c.Snapshot().Location(group, name)
}

// Files returns the configuration files that were named or found by default, without those of
// folders, as they were given, in the order they were read.
func (s *Snapshot) Files() []string { return slices.Clone(s.ns.named) }

// A Setting is an option with its value, for people and as JSON.
type Setting struct {
	Group   string   `json:"group"`
	Option  string   `json:"option"`
	Value   string   `json:"value"`            // as a file has it; "****" for a secret, "" if unset
	Values  []string `json:"values,omitempty"` // of a Multi option; Value has them as lines
	Unset   bool     `json:"unset,omitempty"`
	Multi   bool     `json:"multi,omitempty"`
	Mutable bool     `json:"mutable,omitempty"`
	At      Location `json:"at"`
}

// Settings returns all options with their values and where these are from, in the order of
// declaration. A value that was refused is left out.
func (s *Snapshot) Settings() []Setting {
	var out []Setting
	for _, o := range s.ordered {
		e := s.entries[o.key]
		if e.err != nil || o.builtin != nil {
			continue
		}
		set := Setting{Group: o.group, Option: o.name, Unset: e.value == nil, Multi: o.Multi, Mutable: o.Mutable, At: e.at}
		items, _ := e.value.([]any)
		switch {
		case set.Unset:
		case o.Secret:
			set.Value, set.Multi = mask, false
		case o.Multi:
			for _, item := range items {
				set.Values = append(set.Values, formatItem(o.Type, item))
			}
			set.Value = strings.Join(set.Values, "\n")
		default:
			set.Value = o.Type.Format(e.value)
		}
		out = append(out, set)
	}
	return out
}

func formatItem(t Type, item any) string {
	if item == nil {
		return ""
	}
	return t.Format(item)
}

// check returns everything that is wrong.
func (s *Snapshot) check() error {
	errs := slices.Clone(s.ns.errs)
	whole := len(errs) == 0
	for _, o := range s.ordered {
		e := s.entries[o.key]
		switch {
		case e.err != nil:
			errs = append(errs, e.err)
		case o.Required && e.value == nil && whole && e.at.Source != FromSetDefault && e.at.Source != FromOverride:
			// With a file missing or broken, the value may be there.
			errs = append(errs, &RequiredError{o.group, o.name})
		}
	}
	if len(errs) == 0 {
		errs = s.validate()
	}
	return errs.sorted(s.ns.paths)
}

// validate returns what the program finds wrong.
func (s *Snapshot) validate() Errors {
	if s.config.opts.Validate == nil {
		return nil
	}
	return flatten(s.config.opts.Validate(s))
}

// flatten returns the errors that are joined in err.
func flatten(err error) Errors {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return Errors{err}
	}
	var errs Errors
	for _, e := range joined.Unwrap() {
		errs = append(errs, flatten(e)...)
	}
	return errs
}

// Refuse returns the error of an option whose value is not what want says, with the place that it comes
// from: for what the declaration cannot say. An option that nobody declared is a [NoSuchOptionError].
func (s *Snapshot) Refuse(group, name, want string) error {
	e, err := s.find(group, name)
	if err != nil {
		return err
	}
	return &ValueError{Group: e.group, Option: e.name, At: e.at, Value: e.text(e.value), Want: want}
}
