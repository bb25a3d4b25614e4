// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"fmt"
	"slices"
	"strings"
)

// An object is what a reference asks for: PasteDeploy's APP, FILTER and SERVER.
type object struct {
	name      string
	prefixes  [][]string // of sections; what is in one list is one name for the other
	protocols [][]kind   // likewise
}

var (
	appObject = &object{
		name:      "app",
		prefixes:  [][]string{{"app", "application"}, {"composite", "composit"}, {"pipeline"}, {"filter-app"}},
		protocols: [][]kind{{appFactory}, {compositeFactory}, {compositFactory}},
	}
	filterObject = &object{
		name:      "filter",
		prefixes:  [][]string{{"filter"}},
		protocols: [][]kind{{filterFactory, filterAppFactory}},
	}
	serverObject = &object{
		name:      "server",
		prefixes:  [][]string{{"server"}},
		protocols: [][]kind{{serverFactory, serverRunner}},
	}
)

// compositFactory is the other spelling of compositeFactory. Entries are registered under that one.
const compositFactory kind = "composit_factory"

// registered returns the kind under which factories of a protocol are in the registry.
func (k kind) registered() kind {
	if k == compositFactory {
		return compositeFactory
	}
	return k
}

func (k kind) protocol() string { return "paste." + string(k) }

// all returns the elements of lists of lists.
func all[T any](lists [][]T) (flat []T) {
	for _, list := range lists {
		flat = append(flat, list...)
	}
	return flat
}

// A shape is how a part is made of others.
type shape int

const (
	leaf       shape = iota // by a factory
	pipeline                // filters around next
	filterApp               // one filter around next
	filterWith              // filters[0] around next, of whatever kind that is
)

// A part is a section or URI that was resolved, with its settings: PasteDeploy's LoaderContext. Its
// global and local may be those of other contexts too, as there.
type part struct {
	what    *object
	shape   shape
	section *section    // nil for a URI alone
	file    *parsedFile // of section; for a URI alone that of the reference
	line    int         // of the reference to a factory, or of the section
	asked   string      // the name of the section that was asked for, "" for a URI alone

	factory  string // as written
	name     string // its key in the registry, "" if it can be none
	protocol kind   // "" if it is not known yet, or not at all
	tried    []kind // with protocol "": those that an entry was looked for
	value    any    // the factory, nil if it is not registered
	global   *conf
	local    *conf
	loader   loader // what a composite loads its parts with

	next    *part
	filters []*part
}

// A loader resolves names: that of a file, of a distribution, or of a function.
type loader interface {
	resolve(b *builder, what *object, name string, global *conf, from place) (*part, error)
}

// A place is where a reference stands, for errors.
type place struct {
	file    *parsedFile
	section *section
	line    int
}

func (p place) fail(text string, args ...any) *Error {
	e := &Error{Line: p.line, Text: fmt.Sprintf(text, args...)}
	if p.file != nil {
		e.File = p.file.path
	}
	if p.section != nil {
		e.Section = p.section.name
	}
	return e
}

// missing is fail for what upstream calls a LookupError.
func (p place) missing(text string, args ...any) *Error {
	e := p.fail(text, args...)
	e.lookup = true
	return e
}

// hasScheme reports whether a name is a URI.
func hasScheme(name string) bool {
	scheme, _, ok := strings.Cut(name, ":")
	return ok && scheme != "" && strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz") == ""
}

// loadURI resolves scheme:path#name. Dir is what a relative path is relative to, "" for nothing.
func (b *builder) loadURI(what *object, uri, dir string, global *conf, from place) (*part, error) {
	uri, name, ok := strings.Cut(uri, "#")
	if !ok {
		name = "main"
	}
	scheme, path, ok := strings.Cut(uri, ":")
	if !ok {
		return nil, from.missing("URI has no scheme: %s", repr(uri))
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "config":
		l, err := b.openRelative(path, dir, global, from)
		if err != nil {
			return nil, err
		}
		return l.resolve(b, what, name, global, place{file: l.file})
	case "egg":
		return eggLoader{path}.resolve(b, what, name, global, from)
	case "call":
		if !strings.Contains(path, ":") {
			return nil, from.missing("Configuration not in format module:function")
		}
		return funcLoader{path}.resolve(b, what, name, global, from)
	}
	return nil, from.missing("URI scheme not known: %s (from config, egg, call)", repr(scheme))
}

// An eggLoader knows the entries of one distribution.
type eggLoader struct{ dist string }

func (l eggLoader) resolve(b *builder, what *object, name string, global *conf, from place) (*part, error) {
	if hasScheme(name) {
		return b.loadURI(what, name, "", global, from)
	}
	c := &part{
		what: what, section: from.section, file: from.file, line: from.line, loader: l,
		factory: "egg:" + l.dist + "#" + name, name: foldDist(l.dist) + "#" + name,
		global: orNew(global), local: newConf(),
	}
	var possible []kind
	for _, group := range what.protocols {
		for _, k := range group {
			if k != compositFactory && b.options.Registry.lookup(k, c.name) != nil {
				possible = append(possible, k)
				break
			}
		}
	}
	if len(possible) > 1 {
		return nil, from.missing("Ambiguous entry points for %s in egg %s (protocols: %s)", repr(name), repr(l.dist), protocols(possible, ", "))
	}
	c.tried = all(what.protocols)
	if len(possible) == 1 {
		c.protocol = possible[0]
	}
	return c, b.count(from)
}

// A funcLoader is one function.
type funcLoader struct{ spec string }

func (l funcLoader) resolve(b *builder, what *object, _ string, global *conf, from place) (*part, error) {
	c := &part{
		what: what, section: from.section, file: from.file, line: from.line, loader: l,
		factory: "call:" + l.spec, global: orNew(global), local: newConf(),
	}
	if dottedName.MatchString(l.spec) {
		c.name = l.spec
	}
	return c, b.count(from)
}

// orNew is Python's "global_conf or {}".
func orNew(c *conf) *conf {
	if c == nil || len(c.keys) == 0 {
		return newConf()
	}
	return c
}

// protocols names kinds, both spellings of composite as one.
func protocols(kinds []kind, between string) string {
	var names []string
	for _, k := range kinds {
		if name := k.registered().protocol(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, between)
}
