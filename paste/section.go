// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// A fileLoader knows the sections of a file, as one "config:" reference sees it: PasteDeploy's
// ConfigLoader.
type fileLoader struct {
	file     *parsedFile
	defaults *conf // raw: those of the file over what the reference brought over "here" and "__file__"
}

// newFileLoader returns the loader of a file that was opened as path.
func newFileLoader(f *parsedFile) (*fileLoader, error) {
	abs, err := filepath.Abs(f.path)
	if err != nil {
		return nil, err
	}
	l := &fileLoader{f, newConf()}
	l.defaults.set("here", filepath.Dir(abs))
	l.defaults.set("__file__", abs)
	l.defaults.update(f.defaults)
	return l, nil
}

// addDefaults gives the file what a reference to it brings: what the file has itself stays.
func (l *fileLoader) addDefaults(global *conf) {
	for _, key := range global.keys {
		if !l.defaults.has(key) {
			l.defaults.set(key, global.values[key])
		}
	}
}

// globals returns DEFAULT, interpolated. A value that comes out empty stands as it is written: so it
// is upstream, by an "or".
func (l *fileLoader) globals() (*conf, error) {
	out := l.defaults.clone()
	for _, key := range l.defaults.keys {
		value, fault := interpolate(l.defaults.values[key], l.defaults.get)
		if fault != "" {
			at := place{file: l.file, line: l.file.lines[key]}
			return nil, at.fail("Error in file %s: option %s in section 'DEFAULT': %s", l.file.path, repr(key), fault)
		}
		if value != "" {
			out.set(key, value)
		}
	}
	return out, nil
}

// value returns a key of a section or of DEFAULT, interpolated.
func (l *fileLoader) value(s *section, key string) (string, error) {
	lookup := func(key string) (string, bool) {
		if v, ok := s.raw.get(key); ok {
			return v, true
		}
		return l.defaults.get(key)
	}
	raw, _ := lookup(key)
	value, fault := interpolate(raw, lookup)
	if fault != "" {
		return "", l.at(s, key).fail("Error in file %s: option %s in section %s: %s", l.file.path, repr(key), repr(s.name), fault)
	}
	return value, nil
}

func (l *fileLoader) at(s *section, key string) place {
	return place{l.file, s, l.file.lineOf(s, key)}
}

// A settings is what a section says, by what it is for.
type settings struct {
	section   *section
	global    *conf // what it and what it loads get
	additions *conf // of them, those of "set"
	local     *conf
	filter    string // of filter-with
	filtered  bool
	lines     map[string]int // of local
}

// settings reads a section. Keys that DEFAULT has too are left out of local, even where the section
// repeats them with another value.
func (l *fileLoader) settings(s *section, what *object, global *conf) (*settings, error) {
	defaults, err := l.globals()
	if err != nil {
		return nil, err
	}
	st := &settings{section: s, global: defaults.clone(), additions: newConf(), local: newConf(), lines: map[string]int{}}
	if global != nil {
		st.global.update(global)
	}
	gets := newConf()
	for _, key := range l.keys(s) {
		verb, name := splitVerb(key)
		if verb == "" && defaults.has(key) {
			continue
		}
		value, err := l.value(s, key)
		if err != nil {
			return nil, err
		}
		switch verb {
		case "set":
			st.additions.set(name, value)
			st.global.set(name, value)
		case "get":
			gets.set(name, value)
			st.lines[name] = l.file.lineOf(s, key)
		default:
			st.local.set(key, value)
			st.lines[key] = l.file.lineOf(s, key)
		}
	}
	for _, name := range gets.keys {
		value, ok := st.global.get(gets.values[name])
		if !ok {
			at := place{l.file, s, st.lines[name]}
			return nil, at.missing("no global setting %s to get", repr(gets.values[name]))
		}
		st.local.set(name, value)
	}
	if what == appObject || what == filterObject {
		st.filter, st.filtered = st.local.pop("filter-with")
	}
	return st, nil
}

// keys returns those of a section and then those of DEFAULT that it does not have.
func (l *fileLoader) keys(s *section) []string {
	keys := s.raw.clone()
	keys.update(l.defaults)
	return keys.keys
}

// splitVerb returns "set" or "get" and what it is about, or no verb.
func splitVerb(key string) (verb, name string) {
	verb, name, ok := strings.Cut(key, " ")
	if !ok || verb != "set" && verb != "get" {
		return "", key
	}
	return verb, strings.TrimFunc(name, ini.IsSpace)
}

func (l *fileLoader) resolve(b *builder, what *object, name string, global *conf, from place) (*part, error) {
	if hasScheme(name) {
		return b.loadURI(what, name, filepath.Dir(l.file.path), global, from)
	}
	s, err := l.find(what, name, from)
	if err != nil {
		return nil, err
	}
	st, err := l.settings(s, what, global)
	if err != nil {
		return nil, err
	}
	if err := b.enter(l, s, what, st.global, from); err != nil {
		return nil, err
	}
	defer b.leave()
	if err := l.require(b, st); err != nil {
		return nil, err
	}
	var c *part
	switch {
	case strings.HasPrefix(s.name, "filter-app:"):
		c, err = l.filterApp(b, st, what)
	case strings.HasPrefix(s.name, "pipeline:"):
		c, err = l.pipeline(b, st, what)
	default:
		c, err = l.simple(b, st, what)
	}
	if err != nil {
		return nil, err
	}
	c.asked = s.title()
	if !st.filtered {
		return c, nil
	}
	with := l.newPart(st, what, filterWith)
	with.asked = c.asked
	filter, err := l.resolve(b, filterObject, st.filter, st.global, l.place(st, "filter-with"))
	if err != nil {
		return nil, err
	}
	with.filters, with.next = []*part{filter}, c
	return with, nil
}

func (l *fileLoader) place(st *settings, key string) place {
	line := st.lines[key]
	if line == 0 {
		line = st.section.line
	}
	return place{l.file, st.section, line}
}

func (l *fileLoader) newPart(st *settings, what *object, sh shape) *part {
	return &part{
		what: what, shape: sh, section: st.section, file: l.file, line: st.section.line,
		global: st.global, local: st.local, loader: l,
	}
}

// find returns the section of a name. Sections of one kind under both spellings are no ambiguity: the
// first spelling is taken.
func (l *fileLoader) find(what *object, name string, from place) (*section, error) {
	var possible []*section
	for _, spellings := range what.prefixes {
		for _, prefix := range spellings {
			if found := l.file.withPrefix(prefix, name); len(found) > 0 {
				possible = append(possible, found...)
				break
			}
		}
	}
	prefixed := reprs(all(what.prefixes), " or ")
	switch len(possible) {
	case 0:
		return nil, from.missing("No section %s (prefixed by %s) found in config %s", repr(name), prefixed, l.file.path)
	case 1:
		return possible[0], nil
	}
	var names []string
	for _, s := range possible {
		names = append(names, s.name)
	}
	at := place{file: l.file, line: possible[1].line}
	return nil, at.missing("Ambiguous section names [%s] for section %s (prefixed by %s) found in config %s", reprs(names, ", "), repr(name), prefixed, l.file.path)
}

func (f *parsedFile) withPrefix(prefix, name string) (found []*section) {
	for _, s := range f.sections {
		if strings.HasPrefix(s.name, prefix+":") && s.title() == name {
			found = append(found, s)
		}
	}
	return found
}

// require looks for the distributions that a section needs.
func (l *fileLoader) require(b *builder, st *settings) error {
	specs, _ := st.local.pop("require")
	for _, spec := range strings.FieldsFunc(specs, ini.IsSpace) {
		if !b.anything && !b.options.Registry.hasDist(spec) {
			return l.place(st, "require").fail("No package metadata was found for %s: no factory of this distribution is registered", spec)
		}
	}
	return nil
}

// simple resolves a section with "use" or a factory.
func (l *fileLoader) simple(b *builder, st *settings, what *object) (*part, error) {
	if st.local.has("use") {
		return l.use(b, st, what)
	}
	return l.explicit(b, st, what)
}

// use takes what another section or a URI is, under the settings of this one.
func (l *fileLoader) use(b *builder, st *settings, what *object) (*part, error) {
	use, _ := st.local.pop("use")
	c, err := l.resolve(b, what, use, st.global, l.place(st, "use"))
	if err != nil {
		return nil, err
	}
	c.global.update(st.additions)
	c.local.update(st.local)
	if file, ok := st.global.get("__file__"); ok {
		c.global.set("__file__", file)
	}
	// Also where the section is one of another file: its names are then looked up in this one.
	c.loader = l
	if c.shape == leaf && c.protocol == "" && c.tried == nil {
		c.protocol = sectionProtocol(st.section.prefix())
	}
	return c, nil
}

// sectionProtocol is the protocol of a function that a section calls. For filter-app it is none that
// there is, upstream too.
func sectionProtocol(prefix string) kind {
	switch prefix {
	case "app", "application":
		return appFactory
	case "composite", "composit":
		return compositFactory
	}
	return kind(prefix + "_factory")
}

// objectReference is how importlib.metadata writes module:attribute.
var objectReference = regexp.MustCompile(`^([\pL\pN_.]+)\s*:\s*([\pL\pN_.]+)\s*(\[.*\]\s*)?$`)

// explicit takes the factory that a section names itself.
func (l *fileLoader) explicit(b *builder, st *settings, what *object) (*part, error) {
	var possible []kind
	for _, group := range what.protocols {
		for _, k := range group {
			if st.local.has(k.protocol()) {
				possible = append(possible, k)
				break
			}
		}
	}
	at := place{l.file, st.section, st.section.line}
	if len(possible) > 1 {
		return nil, at.missing("Multiple protocols given in section %s: %s", repr(st.section.name), protocols(possible, ", "))
	}
	if len(possible) == 0 {
		return nil, at.missing("No loader given in section %s", repr(st.section.name))
	}
	c := l.newPart(st, what, leaf)
	c.protocol = possible[0]
	c.line = l.place(st, c.protocol.protocol()).line
	c.factory, _ = st.local.pop(c.protocol.protocol())
	if m := objectReference.FindStringSubmatch(c.factory); m != nil {
		c.name = m[1] + ":" + m[2]
	}
	return c, b.count(at)
}

// filterApp resolves a section that is a filter and the application behind it.
func (l *fileLoader) filterApp(b *builder, st *settings, what *object) (*part, error) {
	next, ok := st.local.pop("next")
	if !ok {
		at := place{l.file, st.section, st.section.line}
		return nil, at.missing("The [%s] section in %s is missing a 'next' setting", st.section.name, l.file.path)
	}
	c := l.newPart(st, what, filterApp)
	var err error
	if c.next, err = l.resolve(b, appObject, next, st.global, l.place(st, "next")); err != nil {
		return nil, err
	}
	filter, err := l.simple(b, st, filterObject)
	c.filters = []*part{filter}
	return c, err
}

// pipeline resolves a section that lists filters and, at the end, the application.
func (l *fileLoader) pipeline(b *builder, st *settings, what *object) (*part, error) {
	at := place{l.file, st.section, st.section.line}
	line, ok := st.local.pop("pipeline")
	if !ok {
		return nil, at.missing("The [%s] section in %s is missing a 'pipeline' setting", st.section.name, l.file.path)
	}
	if len(st.local.keys) > 0 {
		at.line = l.place(st, st.local.keys[0]).line
		return nil, at.missing("The [%s] pipeline section in %s has extra (disallowed) settings: %s", st.section.name, l.file.path, strings.Join(st.local.keys, ", "))
	}
	at = l.place(st, "pipeline")
	names := strings.FieldsFunc(line, ini.IsSpace)
	if len(names) == 0 {
		return nil, at.missing("the pipeline is empty: want filters and an application at the end")
	}
	c := l.newPart(st, what, pipeline)
	var err error
	if c.next, err = l.resolve(b, appObject, names[len(names)-1], st.global, at); err != nil {
		return nil, err
	}
	for _, name := range names[:len(names)-1] {
		filter, err := l.resolve(b, filterObject, name, st.global, at)
		if err != nil {
			return nil, err
		}
		c.filters = append(c.filters, filter)
	}
	return c, nil
}
