// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// A Source is a kind of place that values come from; a higher one wins.
type Source int

// The sources.
const (
	FromDefault     Source = iota // of the declaration, or none at all
	FromSetDefault                // [Config.SetDefault]
	FromFile                      // configuration file
	FromEnvironment               // OS_<GROUP>__<OPTION>
	FromCommandLine
	FromOverride // [Config.SetOverride]
)

var sourceNames = []string{"default", "program's default", "file", "environment", "command line", "override"}

func (s Source) String() string { return sourceNames[s] }

// MarshalText writes the name, for JSON.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Source) UnmarshalText(text []byte) error {
	i := slices.Index(sourceNames, string(text))
	if i < 0 {
		return fmt.Errorf("%q: want one of %s", text, strings.Join(sourceNames, ", "))
	}
	*s = Source(i)
	return nil
}

// A Location is where a value comes from.
type Location struct {
	Source   Source `json:"source"`
	File     string `json:"file,omitempty"`     // of FromFile, absolute
	Line     int    `json:"line,omitempty"`     // of FromFile, from 1
	Variable string `json:"variable,omitempty"` // of FromEnvironment
}

// String writes nova.conf:12 with its folder, the variable as $OS_DEFAULT__DEBUG, or the source.
func (l Location) String() string {
	switch l.Source {
	case FromFile:
		return fmt.Sprintf("%s:%d", l.File, l.Line)
	case FromEnvironment:
		return "$" + l.Variable
	}
	return l.Source.String()
}

// A found is what a place has for an option, before types and interpolation.
type found struct {
	texts []string // one, except for Multi
	flag  *bool    // in place of texts: a Bool on the command line
	at    Location // of the first
	name  key      // under which name
}

// last is the value of an option that is not Multi.
func (f found) last() string { return f.texts[len(f.texts)-1] }

// A namespace is what the command line and the files say, once. It does not change after it is built.
type namespace struct {
	files   []*parsedFile // in the order they were read
	paths   []string      // of files, also those that could not be read
	named   []string      // those of --config-file or the default files, as given
	dirs    []string      // of --config-dir
	lastDir []string      // the value of config_dir: the last of dirs, or the default folders
	cli     map[key]found // options of the command line, from there or from files: the last one wins
	rest    []string      // arguments that are no flags
	errs    Errors
}

// A parsedFile is a file by section and key. Sections are folded as oslo.config folds them.
type parsedFile struct {
	path    string
	ini     *ini.File
	entries map[key][]ini.Entry
}

// fold makes the names of sections comparable: case is of no matter, but DEFAULT is written so.
func fold(section string) string {
	if section == Default {
		return section
	}
	return strings.ToLower(section)
}

func parseFile(path string, data []byte) *parsedFile {
	f := &parsedFile{path: path, ini: ini.Parse(data), entries: map[key][]ini.Entry{}}
	for _, e := range f.ini.Entries {
		k := key{fold(e.Section), e.Key}
		f.entries[k] = append(f.entries[k], e)
	}
	return f
}

// lookup returns what the file has under the first of an option's names, or for Multi under any.
func (f *parsedFile) lookup(o *option) (found, bool) {
	var all found
	for _, name := range o.names {
		entries := f.entries[key{fold(name.group), name.name}]
		if len(entries) == 0 {
			continue
		}
		one := found{name: name}
		for _, e := range entries {
			one.texts = append(one.texts, e.Value)
		}
		last := entries[len(entries)-1]
		one.at = Location{Source: FromFile, File: f.path, Line: last.Line}
		if !o.Multi {
			return one, true
		}
		// As oslo.config has it: what comes under a later name stands first.
		one.texts = append(one.texts, all.texts...)
		all = one
	}
	return all, len(all.texts) > 0
}

// lookupFiles searches all files: the last one that has the option wins, and with Multi all add up.
func (ns *namespace) lookupFiles(o *option) (found, bool) {
	var all found
	for _, f := range slices.Backward(ns.files) {
		one, ok := f.lookup(o)
		if !ok {
			continue
		}
		if !o.Multi {
			return one, true
		}
		one.texts = append(one.texts, all.texts...)
		all = one
	}
	return all, len(all.texts) > 0
}

func (ns *namespace) lookup(o *option) (found, bool) {
	if f, ok := ns.cli[o.key]; ok {
		return f, true
	}
	return ns.lookupFiles(o)
}

// readFile adds a file. Values it has for options of the command line count as if they stood there.
func (c *Config) readFile(ns *namespace, name string) {
	file := c.fixPath(name)
	ns.paths = append(ns.paths, file)
	data, err := c.opts.ReadFile(file)
	if err != nil {
		ns.errs = append(ns.errs, &FileError{file, err})
		return
	}
	f := parseFile(file, data)
	ns.files = append(ns.files, f)
	for _, e := range f.ini.Errors {
		ns.errs = append(ns.errs, &SyntaxError{file, e.Line, e.Text})
	}
	for _, o := range c.ordered {
		if !o.CLI {
			continue
		}
		if one, ok := f.lookup(o); ok {
			ns.addCLI(o, one)
		}
	}
}

// addCLI sets the value of an option of the command line; values of a Multi add up.
func (ns *namespace) addCLI(o *option, f found) {
	if old, ok := ns.cli[o.key]; ok && o.Multi {
		f.texts = append(slices.Clone(old.texts), f.texts...)
	}
	ns.cli[o.key] = f
}

// readDir adds the *.conf files of a folder, sorted by name, those whose name begins with a dot left
// out. A folder that nobody named may be missing.
func (c *Config) readDir(ns *namespace, dir string, explicit bool) {
	dir = c.fixPath(dir)
	names, err := c.opts.ReadDir(dir)
	if err != nil {
		if explicit || !errors.Is(err, fs.ErrNotExist) {
			ns.errs = append(ns.errs, &FileError{dir, err})
		}
		return
	}
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		if ok, _ := path.Match("*.conf", name); ok && name[0] != '.' {
			c.readFile(ns, filepath.Join(dir, name))
		}
	}
}

// fixPath expands a leading ~ and makes the path absolute.
func (c *Config) fixPath(name string) string {
	if name == "~" || strings.HasPrefix(name, "~/") {
		if home := c.home(); home != "" {
			name = filepath.Join(home, name[1:])
		}
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

func (c *Config) home() string {
	home, _ := c.opts.LookupEnv("HOME")
	return home
}
