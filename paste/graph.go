// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// A Node is what a load would make at one place, before it is made.
type Node struct {
	// Kind is "app", "composite", "pipeline", "filter" or "server"; a filter-app is a pipeline of two.
	Kind string `json:"kind"`

	Name  string `json:"name"`            // of the section, or the URI
	Label string `json:"label,omitempty"` // what a composite has it under: a path, a strategy

	Factory  string `json:"factory,omitempty"`  // "egg:Paste#urlmap", "call:module:attribute" or "module:attribute"; none for a pipeline
	Protocol string `json:"protocol,omitempty"` // "paste.app_factory"; "" if a name that nobody registered may stand for several
	File     string `json:"file"`
	Line     int    `json:"line"` // where the factory is named, or of the section

	// Unknown is set for a factory that is not registered.
	Unknown *UnknownError `json:"-"`

	// Parts are the filters of a pipeline, from the outermost, and then its application; what a
	// composite refers to; the filter around another filter.
	Parts []*Node `json:"parts,omitempty"`
}

// Graph returns what [File.App] would make, or for a filter's or server's name [File.Filter] or
// [File.Server], without calling any factory. Names that are not registered are no error here, but
// noted. What a composite does with its settings only its factory knows; a path with a name is taken
// for an application, and a line of names that the file has for a pipeline.
func (f *File) Graph(name string) (*Node, error) {
	if name == "" {
		name = "main"
	}
	n, _, err := f.graph(f.objectNamed(name), name)
	return n, err
}

// GraphOf is [File.Graph] of one of [File.Sections]: a filter and an application may have one name.
func (f *File) GraphOf(s Section) (*Node, error) {
	n, _, err := f.graph(objectOf(s.Kind), s.Name)
	return n, err
}

// Roots returns the applications and servers that nothing else in the file refers to, in its order:
// what programs load. The error is that of the first section that cannot be resolved.
func (f *File) Roots() ([]Section, error) {
	referred := map[*section]bool{}
	var candidates []*section
	for _, s := range f.parsed.sections {
		what := objectOf(s.prefix())
		if what == nil || s.prefix() == s.name {
			continue
		}
		_, visited, err := f.graph(what, s.title())
		if err != nil {
			return nil, err
		}
		for other := range visited {
			referred[other] = referred[other] || other != s
		}
		if what != filterObject {
			candidates = append(candidates, s)
		}
	}
	var roots []Section
	for _, s := range candidates {
		if !referred[s] {
			roots = append(roots, Section{s.prefix(), s.title(), s.line})
		}
	}
	return roots, nil
}

// graph returns the graph of a name and the sections that it was resolved through.
func (f *File) graph(what *object, name string) (*Node, map[*section]bool, error) {
	if what == nil {
		what = appObject
	}
	b := f.builder()
	b.anything = true
	b.visited = map[*section]bool{}
	p, err := f.resolve(b, what, name)
	if err == nil {
		var n *Node
		if n, err = b.node(p); err == nil {
			return n, b.visited, nil
		}
	}
	return nil, nil, &LoadError{name, f.path, err}
}

// objectNamed returns what a name stands for: an application if there is one.
func (f *File) objectNamed(name string) *object {
	for _, what := range []*object{appObject, filterObject, serverObject} {
		for _, s := range f.parsed.sections {
			if objectOf(s.prefix()) == what && s.prefix() != s.name && s.title() == name {
				return what
			}
		}
	}
	return appObject
}

// All yields a node and all below it, in the order of the file.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.each(yield) }
}

func (n *Node) each(yield func(*Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, part := range n.Parts {
		if !part.each(yield) {
			return false
		}
	}
	return true
}

// WriteTree draws the node and all below it, a line each.
func (n *Node) WriteTree(w io.Writer) error {
	var b strings.Builder
	n.draw(&b, "", "")
	_, err := io.WriteString(w, b.String())
	return err
}

func (n *Node) draw(b *strings.Builder, first, rest string) {
	b.WriteString(first)
	if n.Label != "" {
		b.WriteString(n.Label + " -> ")
	}
	b.WriteString(n.Kind)
	if n.Name != "" {
		b.WriteString(" " + n.Name)
	}
	if n.Factory != "" && n.Factory != n.Name {
		b.WriteString("  " + n.Factory)
	}
	if n.Unknown != nil {
		b.WriteString("  (not registered)")
	}
	b.WriteString("\n")
	for i, part := range n.Parts {
		if i == len(n.Parts)-1 {
			part.draw(b, rest+"└─ ", rest+"   ")
		} else {
			part.draw(b, rest+"├─ ", rest+"│  ")
		}
	}
}

// node describes a part.
func (b *builder) node(p *part) (*Node, error) {
	if p.shape == leaf {
		return b.leafNode(p)
	}
	n := &Node{Kind: "pipeline", Name: p.asked, File: p.file.path, Line: p.line}
	if p.what == filterObject {
		n.Kind = "filter"
	}
	for _, part := range append(p.filters[:len(p.filters):len(p.filters)], p.next) {
		child, err := b.node(part)
		if err != nil {
			return nil, err
		}
		n.Parts = append(n.Parts, child)
	}
	return n, nil
}

func (b *builder) leafNode(p *part) (*Node, error) {
	n := &Node{Kind: p.what.name, Name: p.asked, Factory: p.factory, Line: p.line}
	if n.Name == "" {
		n.Name = p.factory
	}
	if p.file != nil {
		n.File = p.file.path
	}
	if p.protocol != "" {
		n.Protocol = p.protocol.protocol()
	}
	if err := b.bindOne(p); err != nil && !errors.As(err, &n.Unknown) {
		return nil, err
	}
	if !p.isComposite() {
		return n, nil
	}
	n.Kind = "composite"
	for _, key := range p.local.keys {
		child, err := b.compositeNode(p, key, p.local.values[key])
		if err != nil {
			return nil, err
		}
		if child != nil {
			child.Label = key
			n.Parts = append(n.Parts, child)
		}
	}
	return n, nil
}

// isComposite goes by the section where the registry does not know an entry.
func (p *part) isComposite() bool {
	if p.protocol == "" && p.what == appObject && p.section != nil {
		return sectionProtocol(p.section.prefix()) == compositFactory
	}
	return p.protocol.registered() == compositeFactory
}

// compositeNode describes what a setting of a composite refers to, nil for one that does not look like
// a reference.
func (b *builder) compositeNode(p *part, key, value string) (*Node, error) {
	if isPath(key) {
		return b.partNode(p, appObject, value, p.global)
	}
	names := strings.FieldsFunc(value, ini.IsSpace)
	n := &Node{Kind: "pipeline", File: p.file.path, Line: p.line}
	var missing error
	for i, name := range names {
		what := filterObject
		if i == len(names)-1 {
			what = appObject
		}
		child, err := b.partNode(p, what, name, nil)
		var at *Error
		if errors.As(err, &at) && at.lookup && strings.HasPrefix(at.Text, "No section ") {
			missing = err
			continue
		}
		if err != nil {
			return nil, err
		}
		n.Parts = append(n.Parts, child)
	}
	switch {
	case len(n.Parts) == 0:
		return nil, nil
	case missing != nil:
		return nil, fmt.Errorf("%s: %w", key, missing)
	case len(names) == 1:
		return n.Parts[0], nil
	}
	return n, nil
}

// isPath reports whether a key is one of a URL map.
func isPath(key string) bool {
	for _, prefix := range []string{"/", "http://", "https://", "domain ", "port "} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return key == "not_found_app"
}

func (b *builder) partNode(p *part, what *object, name string, global *conf) (*Node, error) {
	if err := b.nest(p, name); err != nil {
		return nil, err
	}
	defer b.unnest()
	child, err := p.loader.resolve(b, what, name, global, p.at())
	if err != nil {
		return nil, err
	}
	return b.node(child)
}
