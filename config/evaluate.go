// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"strings"
)

// An entry is an option with its value.
type entry struct {
	*option
	value any // nil is unset
	raw   string
	at    Location
	err   error // a *ValueError: the text is not a value
	from  found // what the command line or the files have, if anything
	has   bool
}

// A resolver evaluates options, each once. Options may refer to each other.
type resolver struct {
	reg      *registry
	ns       *namespace // for options that need a reload
	mutable  *namespace // for those that do not
	env      func(string) (string, bool)
	kept     map[key]*entry // values that stay as they are, whatever ns says
	entries  map[key]*entry
	busy     map[key]bool
	warnings []Warning
}

func (r *resolver) all() {
	for _, o := range r.reg.ordered {
		r.get(o)
	}
}

// errCircle is a reference that leads back to where it began. oslo.config ends in a RecursionError.
var errCircle = errors.New("refers to itself")

func (r *resolver) get(o *option) (*entry, error) {
	if e, ok := r.entries[o.key]; ok {
		return e, nil
	}
	if e, ok := r.kept[o.key]; ok {
		r.entries[o.key] = e
		return e, nil
	}
	if r.busy[o.key] {
		return nil, errCircle
	}
	r.busy[o.key] = true
	defer delete(r.busy, o.key)
	e := r.evaluate(o)
	r.entries[o.key] = e
	return e, nil
}

// evaluate follows oslo_config's ConfigOpts._do_get: override, command line, environment, files, the
// program's default, the declaration's.
func (r *resolver) evaluate(o *option) *entry {
	e := &entry{option: o}
	ns := r.ns
	if o.Mutable {
		ns = r.mutable
	}
	if o.builtin != nil {
		items := []any{}
		for _, text := range o.builtin(ns) {
			items = append(items, text)
		}
		e.value = items
		return e
	}
	e.from, e.has = ns.lookup(o)
	if e.has {
		r.deprecated(o, e.from)
	}
	if v, ok := r.reg.overrides[o.key]; ok {
		e.at = Location{Source: FromOverride}
		r.set(e, v, "")
		return e
	}
	name := EnvironmentName(o.group, o.name)
	text, inEnv := r.env(name)
	switch {
	case e.has && e.from.at.Source == FromCommandLine || e.has && !inEnv:
		e.at = e.from.at
		r.setFound(e)
	case inEnv:
		e.at = Location{Source: FromEnvironment, Variable: name}
		if o.Multi {
			r.setTexts(e, []string{text})
		} else {
			r.setText(e, text)
		}
	default:
		if v, ok := r.reg.defaults[o.key]; ok {
			e.at = Location{Source: FromSetDefault}
			r.set(e, v, "")
			return e
		}
		r.set(e, o.preset, o.group)
	}
	return e
}

func (r *resolver) setFound(e *entry) {
	switch {
	case e.from.flag != nil:
		e.value = *e.from.flag
		e.raw = fmt.Sprint(*e.from.flag)
	case e.Multi:
		r.setTexts(e, e.from.texts)
	default:
		r.setText(e, e.from.last())
	}
}

func (r *resolver) setText(e *entry, text string) {
	e.raw = text
	e.value, e.err = r.parse(e, text, e.group)
}

func (r *resolver) setTexts(e *entry, texts []string) {
	e.raw = strings.Join(texts, "\n")
	values := []any{}
	for _, text := range texts {
		v, err := r.parse(e, text, e.group)
		if err != nil {
			e.err = err
			return
		}
		values = append(values, v)
	}
	e.value = values
}

// parse turns text into a value after interpolation.
func (r *resolver) parse(e *entry, text, group string) (any, error) {
	full, err := r.substitute(text, group)
	if err != nil {
		return nil, e.refuse(text, err.Error())
	}
	v, err := e.Type.Parse(full)
	if err != nil {
		return nil, e.refuse(text, "want "+e.Type.Want())
	}
	return v, nil
}

func (e *entry) refuse(text, want string) error {
	if e.Secret {
		text = mask
	}
	return &ValueError{Group: e.group, Option: e.name, At: e.at, Value: text, Want: want}
}

// set stores a value that the program gave. Text in it is interpolated and, with the scope of the
// option's own group, parsed: as oslo.config does with defaults of declarations, but not with those of
// set_default and set_override, which were parsed when they were set.
func (r *resolver) set(e *entry, v any, group string) {
	if v == nil {
		return
	}
	e.raw = pyString(v)
	typ := e.Type
	switch list, isList := inner(typ).(List); {
	case e.Multi:
	case isList:
		typ = list.item()
	}
	switch v := v.(type) {
	case string:
		e.value, e.err = r.presetText(e, e.Type, v, group)
	case []any:
		values := make([]any, len(v))
		for i, item := range v {
			values[i] = item
			if text, ok := item.(string); ok {
				values[i], e.err = r.presetText(e, typ, text, group)
				if e.err != nil {
					return
				}
			}
		}
		e.value = values
	case map[string]any:
		e.value, e.err = r.presetDict(e, v, group)
	default:
		e.value = v
	}
}

func (r *resolver) presetText(e *entry, t Type, text, group string) (any, error) {
	full, err := r.substitute(text, group)
	if err != nil {
		return nil, e.refuse(text, err.Error())
	}
	if group == "" {
		return full, nil
	}
	v, err := t.Parse(full)
	if err != nil {
		return nil, e.refuse(text, "want "+t.Want())
	}
	return v, nil
}

func (r *resolver) presetDict(e *entry, dict map[string]any, group string) (any, error) {
	values := map[string]any{}
	for k, item := range dict {
		name, err := r.substitute(k, group)
		if err != nil {
			return nil, e.refuse(k, err.Error())
		}
		if text, ok := item.(string); ok {
			if item, err = r.substitute(text, group); err != nil {
				return nil, e.refuse(text, err.Error())
			}
		}
		values[name] = item
	}
	return values, nil
}

// EnvironmentName returns the variable that sets an option: OS_DEFAULT__DEBUG.
func EnvironmentName(group, name string) string {
	return "OS_" + strings.ToUpper(groupName(group)) + "__" + strings.ToUpper(destination(name))
}
