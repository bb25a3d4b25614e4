// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// Limits that no file in use comes near: a file may refer to itself in ways that no look at two of its
// sections shows, and double what it refers to at each step.
const (
	maxNesting = 200
	maxParts   = 2_000
)

// A builder is one load: it resolves what is asked for into parts, and makes those. It belongs to one
// goroutine.
type builder struct {
	options  Options
	anything bool // distributions and factories need not be registered
	files    map[string]*parsedFile
	stack    []frame
	nests    []nest
	visited  map[*section]bool // all that were entered, if anybody wants to know
	parts    int
}

// A frame is a section that is being resolved.
type frame struct {
	file     string
	section  *section
	what     *object
	defaults *conf
	global   *conf
}

// A nest is a composite that is being made, and what it is asking for.
type nest struct {
	composite *part
	name      string
}

// open reads a file, once in a load.
func (b *builder) open(path string) (*fileLoader, error) {
	f := b.files[path]
	if f == nil {
		data, err := b.options.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &NotFoundError{path, err}
		}
		if err != nil {
			return nil, fmt.Errorf("read config %s: %w", path, err)
		}
		if f, err = parseFile(path, data); err != nil {
			return nil, err
		}
		b.files[path] = f
	}
	return newFileLoader(f)
}

// openRelative reads the file of a "config:" URI, whose path is quoted as in a URL.
func (b *builder) openRelative(path, dir string, global *conf, from place) (*fileLoader, error) {
	abs := filepath.IsAbs(path)
	if runtime.GOOS == "windows" {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	if !abs {
		if dir == "" {
			return nil, from.fail("Cannot resolve relative uri %s; no relative_to keyword argument given", repr("config:"+path))
		}
		path = strings.TrimSuffix(dir, "/") + "/" + path
	}
	if strings.HasPrefix(path, "///") {
		path = path[2:]
	}
	path = strings.TrimFunc(unquote(path), ini.IsSpace)
	l, err := b.open(path)
	if err != nil {
		e := from.fail("")
		e.Err = err
		return nil, e
	}
	if global != nil {
		l.addDefaults(global)
	}
	return l, nil
}

// unquote replaces %xx and leaves what is no such thing.
func unquote(path string) string {
	var b strings.Builder
	for path != "" {
		n := 1
		if path[0] == '%' && len(path) >= 3 {
			n = 3
		}
		if c, err := url.PathUnescape(path[:n]); err == nil {
			b.WriteString(c)
		} else {
			b.WriteByte('%')
			n = 1
		}
		path = path[n:]
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

// enter notes that a section is being resolved, and refuses one that this needs itself: with the same
// settings it would go on without end. What differs each time is stopped by the depth.
func (b *builder) enter(l *fileLoader, s *section, what *object, global *conf, from place) error {
	f := frame{l.file.path, s, what, l.defaults, global}
	same := func(g frame) bool {
		return g.section == f.section && g.what == f.what && g.defaults.equal(f.defaults) && g.global.equal(f.global)
	}
	if i := slices.IndexFunc(b.stack, same); i >= 0 {
		var names []string
		for _, g := range append(b.stack[i:len(b.stack):len(b.stack)], f) {
			names = append(names, "["+g.section.name+"]")
		}
		return from.fail("refers to itself: %s", strings.Join(names, " > "))
	}
	if len(b.stack) >= maxNesting {
		return from.fail("references are nested deeper than %d", maxNesting)
	}
	b.stack = append(b.stack, f)
	if b.visited != nil {
		b.visited[s] = true
	}
	return nil
}

// nest notes that a composite asks for an application, and refuses one that asks for itself.
func (b *builder) nest(p *part, name string) error {
	same := func(n nest) bool {
		return n.name == name && n.composite.section == p.section && n.composite.name == p.name &&
			n.composite.global.equal(p.global) && n.composite.local.equal(p.local)
	}
	if i := slices.IndexFunc(b.nests, same); i >= 0 {
		var names []string
		for _, n := range append(b.nests[i:len(b.nests):len(b.nests)], nest{p, name}) {
			names = append(names, n.composite.title())
		}
		return p.at().fail("refers to itself: %s", strings.Join(names, " > "))
	}
	if len(b.nests) >= maxNesting {
		return p.at().fail("composites are nested deeper than %d", maxNesting)
	}
	b.nests = append(b.nests, nest{p, name})
	return nil
}

func (b *builder) unnest() { b.nests = b.nests[:len(b.nests)-1] }

// title names a part for errors: its section, or the factory where it has none.
func (p *part) title() string {
	if p.section == nil {
		return p.factory
	}
	return "[" + p.section.name + "]"
}

func (b *builder) leave() { b.stack = b.stack[:len(b.stack)-1] }

// count bounds what a load may make.
func (b *builder) count(from place) error {
	if b.parts++; b.parts > maxParts {
		return from.fail("refers to more than %d applications and filters", maxParts)
	}
	return nil
}

// bind finds the factories of a part and those it is made of. The error has all that are not
// registered.
func (b *builder) bind(p *part) error {
	var errs []error
	p.walk(func(p *part) {
		if err := b.bindOne(p); err != nil {
			errs = append(errs, err)
		}
	})
	return joinErrors(errs)
}

// walk visits a part and what it is made of, in the order of the file.
func (p *part) walk(visit func(*part)) {
	if p.shape == leaf {
		visit(p)
		return
	}
	for _, filter := range p.filters {
		filter.walk(visit)
	}
	p.next.walk(visit)
}

func (b *builder) bindOne(p *part) error {
	wants := []kind{p.protocol}
	if p.protocol == "" {
		wants = p.tried
	}
	known := func(k kind) bool { return slices.Contains(all(p.what.protocols), k) }
	if len(wants) == 0 || !slices.ContainsFunc(wants, known) {
		// Upstream: a URI where nothing says what the function is, such as in a pipeline; and "call:"
		// in a filter-app.
		return p.at().fail("Protocol %s unknown: %s stands where no section says what kind of factory it is", p.protocol.quoted(), p.factory)
	}
	registry := b.options.Registry
	if p.protocol != "" {
		p.value = registry.lookup(p.protocol.registered(), p.name)
	}
	if p.value != nil {
		return nil
	}
	e := &UnknownError{Line: p.line, Name: p.factory, Protocol: protocols(wants, " or ")}
	if p.file != nil {
		e.File = p.file.path
	}
	if p.section != nil {
		e.Section = p.section.name
	}
	for _, k := range registry.kinds(p.name) {
		e.Others = append(e.Others, k.protocol())
	}
	e.Nearest = registry.nearest(p.name, wants)
	return e
}

func (k kind) quoted() string {
	if k == "" {
		return "None"
	}
	return repr(k.protocol())
}

func (p *part) at() place { return place{p.file, p.section, p.line} }
