// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// A registry is what is declared.
type registry struct {
	ordered    []*option // DEFAULT first, then groups and options in the order of declaration
	groups     []string  // in that order, DEFAULT first
	help       map[string]string
	options    map[key]*option
	old        map[key]*option // by deprecated name
	folded     map[key]*option // by every name, as files spell groups
	defaults   map[key]any     // of SetDefault
	overrides  map[key]any
	structs    sync.Map          // structKey -> []binding; read without Config.mu, which a reload holds
	knownFolds map[string]string // folded group -> group
}

type structKey struct {
	group string
	typ   reflect.Type
}

// A binding is a field of a registered struct and the option in it.
type binding struct {
	index int
	key   key
}

func newRegistry() *registry {
	r := &registry{
		groups: []string{Default}, help: map[string]string{}, options: map[key]*option{}, old: map[key]*option{},
		folded: map[key]*option{}, defaults: map[key]any{}, overrides: map[key]any{},
		knownFolds: map[string]string{Default: Default},
	}
	for _, name := range sortedKeys(builtins) {
		o := &option{Option: Option{Name: name, Type: List{}}, key: key{Default, name}, builtin: builtins[name]}
		r.options[o.key] = o
		r.ordered = append(r.ordered, o)
	}
	return r
}

func (r *registry) hasGroup(name string) bool { return slices.Contains(r.groups, name) }

func (r *registry) addGroup(name string) {
	if r.hasGroup(name) {
		return
	}
	r.groups = append(r.groups, name)
	r.knownFolds[fold(name)] = name
}

// find returns the option of that name, or of that deprecated name.
func (r *registry) find(k key) *option {
	if o := r.options[k]; o != nil {
		return o
	}
	return r.old[k]
}

// must is find for the functions of Config.
func (r *registry) must(group, name string) (*option, error) {
	k := key{groupName(group), destination(name)}
	if o := r.find(k); o != nil {
		return o, nil
	}
	return nil, &NoSuchOptionError{k.group, k.name}
}

// declare adds options, all or none.
func (r *registry) declare(group string, opts []Option) error {
	var added []*option
	seen := map[key]bool{}
	for _, decl := range opts {
		o, err := newOption(group, decl)
		if err != nil {
			return err
		}
		if have := r.options[o.key]; have != nil {
			if !have.same(o) {
				return &DuplicateError{o.group, o.name}
			}
			continue
		}
		if seen[o.key] {
			return &DuplicateError{o.group, o.name}
		}
		seen[o.key] = true
		added = append(added, o)
	}
	r.addGroup(groupName(group))
	for _, o := range added {
		r.options[o.key] = o
		for _, n := range o.names {
			if n != o.key && r.old[n] == nil {
				r.old[n] = o
			}
			if k := (key{fold(n.group), n.name}); r.folded[k] == nil {
				r.folded[k] = o
			}
		}
	}
	if len(added) > 0 {
		r.insert(added)
	}
	return nil
}

// insert puts options of one group behind those it has. Snapshots keep the old slice.
func (r *registry) insert(added []*option) {
	group := slices.Index(r.groups, added[0].group)
	at := len(r.ordered)
	for at > 0 && slices.Index(r.groups, r.ordered[at-1].group) > group {
		at--
	}
	r.ordered = slices.Insert(slices.Clip(r.ordered), at, added...)
}

// register adds the fields of a struct type.
func (r *registry) register(group string, t reflect.Type) error {
	fields, err := fieldsOf(t)
	if err != nil {
		return fmt.Errorf("register options in [%s]: %w", groupName(group), err)
	}
	var (
		opts  []Option
		bound []binding
	)
	for _, f := range fields {
		opts = append(opts, f.option)
		bound = append(bound, binding{f.index, key{groupName(group), destination(f.option.Name)}})
	}
	if err := r.declare(group, opts); err != nil {
		return err
	}
	r.structs.Store(structKey{groupName(group), t}, bound)
	return nil
}
