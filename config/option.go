// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Default is the group of options that are in none. "" is the same.
const Default = "DEFAULT"

// An Option declares an option. Its value comes from the first place that has one: an override, the
// command line, the environment, the configuration files, a default set by [Config.SetDefault], and
// Default.
type Option struct {
	Name    string // in files, with any "-" written as "_"
	Type    Type   // nil is String{}
	Default any    // nil is unset; a string is read as if it stood in a file, others are values of Type
	Help    string // for the sample file and --help
	Unit    string // of a number, for the sample file: "seconds"

	Multi    bool   // each line in a file, and each argument, adds a value; the value is a []any
	Secret   bool   // the value is never shown
	Mutable  bool   // takes a new value on Mutate, without a reload
	Required bool   // without a value Parse fails
	Advanced bool   // marked so in the sample file
	CLI      bool   // --name, --group-name; for a Bool also --noname, --group-noname
	Short    string // one letter: -d

	SampleDefault string // shown in the sample file in place of Default
	Deprecated    []Name // other names that it has in files and on the command line
	Removal       *Removal
}

// A Name is an old name of an option.
type Name struct {
	Group string // "" is the option's own
	Name  string // "" is the option's own
}

// A Removal says that an option will go. A value that is set for it brings a warning.
type Removal struct {
	Since  string // may be empty
	Reason string // may be empty
}

// option is a declared Option.
type option struct {
	Option
	key
	names  []key // where files may have it: its own, then the deprecated
	preset any   // Default in canonical form

	builtin func(*namespace) []string // the value comes from here
}

// builtins are options that oslo.config has of itself: they can be read and referred to, and not set
// in a file.
var builtins = map[string]func(*namespace) []string{
	"config_file": func(ns *namespace) []string { return ns.named },
	"config_dir":  func(ns *namespace) []string { return ns.lastDir },
	// Other sources than files; there are none here.
	"config_source": func(*namespace) []string { return nil },
}

// key names an option by group, as declared, and name, as in files.
type key struct{ group, name string }

func (k key) String() string { return "[" + k.group + "] " + k.name }

// dotted is the form of logs: group.name.
func (k key) dotted() string { return k.group + "." + k.name }

func groupName(group string) string {
	if group == "" {
		return Default
	}
	return group
}

// reserved names are attributes of oslo.config's object; no option in DEFAULT may have them.
var reserved = []string{"project", "prog", "version", "usage", "default_config_files", "default_config_dirs", "config_file", "config_dir", "config_source"}

func newOption(group string, o Option) (*option, error) {
	group = groupName(group)
	if o.Type == nil {
		o.Type = String{}
	}
	d := &option{Option: o, key: key{group, destination(o.Name)}}
	fail := func(format string, args ...any) (*option, error) {
		return nil, fmt.Errorf("declare option %s: %w", d.key, fmt.Errorf(format, args...))
	}
	if d.name == "" || d.name[0] == '_' {
		return fail("want a name that does not begin with _")
	}
	if group == Default {
		for _, r := range reserved {
			if d.name == r {
				return fail("the name is reserved")
			}
		}
	}
	d.names = append(d.names, d.key)
	for _, n := range o.Deprecated {
		k := key{n.Group, n.Name}
		if k.group == "" {
			k.group = group
		}
		if k.name == "" {
			k.name = d.name
		}
		d.names = append(d.names, k)
	}
	// An old name with "-" counts in both spellings, unlike the option's own.
	for _, k := range d.names[1:] {
		if strings.Contains(k.name, "-") {
			d.names = append(d.names, key{k.group, destination(k.name)})
		}
	}
	preset, err := d.canonical(o.Default)
	if err != nil {
		return fail("default: %w", err)
	}
	d.preset = preset
	return d, nil
}

func destination(name string) string { return strings.ReplaceAll(name, "-", "_") }

// same reports whether two declarations are equal, so that the second is of no consequence.
func (o *option) same(p *option) bool {
	return o.key == p.key && reflect.DeepEqual(o.Option, p.Option)
}

// text is the value for people, secrets masked.
func (o *option) text(value any) string {
	if o.Secret && value != nil {
		return mask
	}
	return pyString(value)
}

// mask stands for a secret, as in oslo.config's dump.
const mask = "****"

// canonical checks a value that a program gives and returns it in the form that Parse of its type
// would. Text stays text if it refers to other options: then its value is not known yet.
func (o *option) canonical(value any) (any, error) {
	v, err := plain(value)
	if err != nil || v == nil {
		return v, err
	}
	if o.Multi {
		if s, ok := v.(string); ok {
			v = []any{s}
		}
		items, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("want a slice, not %T", value)
		}
		for i, item := range items {
			if items[i], err = o.check(o.Type, item); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	return o.check(o.Type, v)
}

// check returns v as the type has it. Texts in slices and maps stay: they are parsed when they are
// read, after what they refer to is known.
func (o *option) check(t Type, v any) (any, error) {
	text, ok := v.(string)
	if ok && isReference(text) {
		return text, nil
	}
	if !ok {
		var err error
		if text, err = checkText(t, v); err != nil {
			return nil, err
		}
	}
	parsed, err := t.Parse(text)
	if err != nil {
		return nil, o.refuse(t, text)
	}
	switch v.(type) {
	case string, []any, map[string]any:
		return v, nil
	}
	return parsed, nil
}

func (o *option) refuse(t Type, text string) error {
	if o.Secret {
		text = mask
	}
	return fmt.Errorf("%q: want %s", text, t.Want())
}

// enforce returns a value for SetDefault and SetOverride: parsed now, interpolated when it is read.
func (o *option) enforce(value any) (any, error) {
	v, err := plain(value)
	if err != nil || v == nil {
		return v, err
	}
	typ := inner(o.Type)
	list, isList := typ.(List)
	items, isSlice := v.([]any)
	if text, ok := v.(string); ok && o.Multi {
		items, isSlice = []any{text}, true
	}
	if isSlice && (o.Multi || isList) {
		if !o.Multi {
			typ = list.item()
		}
		for i, item := range items {
			if items[i], err = o.enforceOne(typ, item); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	return o.enforceOne(o.Type, v)
}

func (o *option) enforceOne(t Type, v any) (any, error) {
	text, ok := v.(string)
	if !ok {
		return o.check(t, v)
	}
	parsed, err := t.Parse(text)
	if err != nil {
		return nil, o.refuse(t, text)
	}
	return parsed, nil
}

// checkText writes a value that is not text, for the check of its type. Items that refer to other
// options cannot be checked yet: they are left out.
func checkText(t Type, v any) (string, error) {
	switch v := v.(type) {
	case []any:
		var items []any
		for _, item := range v {
			if s, ok := item.(string); !ok || !isReference(s) {
				items = append(items, item)
			}
		}
		return t.Format(items), nil
	case map[string]any, bool, int64, float64, time.Duration, Span:
		return t.Format(v), nil
	}
	return "", fmt.Errorf("a %T is no value of an option", v)
}

// isReference reports whether text has a "$" in it that may stand for another option.
func isReference(text string) bool {
	return strings.Contains(strings.ReplaceAll(strings.ReplaceAll(text, `\$`, ""), "$$", ""), "$")
}

// plain turns a Go value into one of the few forms that values have: nil, string, bool, int64,
// float64, time.Duration, Span, []any, map[string]any.
func plain(value any) (any, error) {
	switch value.(type) {
	case nil, string, bool, int64, float64, time.Duration, Span:
		return value, nil
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32:
		return v.Int(), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint()), nil
	case reflect.Float32:
		return v.Float(), nil
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return plain(v.Elem().Interface())
	case reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			var err error
			if items[i], err = plain(v.Index(i).Interface()); err != nil {
				return nil, err
			}
		}
		return items, nil
	case reflect.Map:
		dict := map[string]any{}
		for _, k := range v.MapKeys() {
			item, err := plain(v.MapIndex(k).Interface())
			if err != nil || k.Kind() != reflect.String {
				return nil, fmt.Errorf("a %T is no value of an option", value)
			}
			dict[k.String()] = item
		}
		return dict, nil
	}
	return nil, fmt.Errorf("a %T is no value of an option", value)
}
