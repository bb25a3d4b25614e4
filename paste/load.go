// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

// Options say where names lead. Without a Registry no factory has a name, and so nothing loads.
type Options struct {
	Registry *Registry

	// ReadFile reads the file and those it refers to; nil is [os.ReadFile]. With service.ReadFile all
	// workers of a generation load the same bytes.
	ReadFile func(path string) ([]byte, error)

	// Find returns the path of a file that was asked for by a relative name, "" if there is none, as
	// the FindFile of a config.Config does. Nil looks in the working directory.
	Find func(name string) string

	// Global is added to the global configuration. Factories see its values instead of those of
	// [DEFAULT]; in %(key)s the file's stand.
	Global map[string]string
}

// Load reads a paste file and makes the application of a name, "main" if it is empty. The name may be a
// URI, such as "egg:Paste#urlmap". Nothing is made before everything that sections refer to was found;
// what a composite refers to is found when that is made.
//
// The error is a [NotFoundError] or a [LoadError].
func Load(file, name string, o Options) (http.Handler, error) {
	f, err := Open(file, o)
	if err != nil {
		return nil, err
	}
	return f.App(name)
}

// A File is a paste file that was read, with those it refers to yet to come. Its methods may be called
// by many goroutines; each call makes new instances.
type File struct {
	options Options
	path    string
	parsed  *parsedFile
}

// Open reads a paste file without making anything.
func Open(file string, o Options) (*File, error) {
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	path := file
	if o.Find != nil && !filepath.IsAbs(file) {
		if path = o.Find(file); path == "" {
			return nil, &NotFoundError{Path: file}
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f := &File{options: o, path: path}
	b := f.builder()
	l, err := b.open(path)
	if err != nil {
		return nil, err
	}
	f.parsed = l.file
	return f, nil
}

// Path returns the absolute path of the file.
func (f *File) Path() string { return f.path }

// A Section is one that can be loaded.
type Section struct {
	Kind string // as written: "app", "application", "filter-app" and so on
	Name string
	Line int
}

// Sections returns what the file has, in its order, without [DEFAULT] and sections of other programs.
func (f *File) Sections() []Section {
	var out []Section
	for _, s := range f.parsed.sections {
		if objectOf(s.prefix()) != nil && s.prefix() != s.name {
			out = append(out, Section{s.prefix(), s.title(), s.line})
		}
	}
	return out
}

// objectOf returns what a kind of section is, nil for one that is not of a paste file.
func objectOf(prefix string) *object {
	for _, what := range []*object{appObject, filterObject, serverObject} {
		if slices.Contains(all(what.prefixes), prefix) {
			return what
		}
	}
	return nil
}

// App makes an application, as [Load] does.
func (f *File) App(name string) (http.Handler, error) {
	return build(f, appObject, name, (*builder).app)
}

// Filter makes a filter.
func (f *File) Filter(name string) (Filter, error) {
	return build(f, filterObject, name, (*builder).filter)
}

// Server makes a server.
func (f *File) Server(name string) (Server, error) {
	return build(f, serverObject, name, (*builder).server)
}

func (f *File) builder() *builder {
	b := &builder{options: f.options, files: map[string]*parsedFile{}}
	if f.parsed != nil {
		b.files[f.path] = f.parsed
	}
	return b
}

func build[T any](f *File, what *object, name string, create func(*builder, *part) (T, error)) (made T, err error) {
	if name == "" {
		name = "main"
	}
	b := f.builder()
	p, err := f.resolve(b, what, name)
	if err == nil {
		err = b.bind(p)
	}
	if err == nil {
		made, err = create(b, p)
	}
	if err != nil {
		var none T
		return none, &LoadError{name, f.path, err}
	}
	return made, nil
}

// resolve finds what is asked for by name.
func (f *File) resolve(b *builder, what *object, name string) (*part, error) {
	l, err := b.open(f.path)
	if err != nil {
		return nil, err
	}
	var global *conf
	if len(f.options.Global) > 0 {
		global = confOf(f.options.Global)
		l.addDefaults(global)
	}
	return l.resolve(b, what, name, global, place{file: l.file})
}
