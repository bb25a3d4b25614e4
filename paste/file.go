// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"strings"

	"github.com/mainstay-go/mainstay/internal/ini"
)

const defaultSection = "DEFAULT"

// A parsedFile is a file by section and key, before interpolation. It does not change.
type parsedFile struct {
	path     string // as opened
	sections []*section
	defaults *conf
	lines    map[string]int // of the keys of DEFAULT
}

// A section is one with its keys as written.
type section struct {
	name  string // as written: "filter: cors"
	line  int
	raw   *conf
	lines map[string]int // of its keys
}

// prefix is what stands before the first colon.
func (s *section) prefix() string {
	prefix, _, _ := strings.Cut(s.name, ":")
	return prefix
}

// title is what stands behind it, without blanks around.
func (s *section) title() string {
	_, title, _ := strings.Cut(s.name, ":")
	return strings.TrimFunc(title, ini.IsSpace)
}

// parseFile reads a file. Its error has every line that is wrong.
func parseFile(path string, data []byte) (*parsedFile, error) {
	f := &parsedFile{path: path, defaults: newConf(), lines: map[string]int{}}
	file := ini.ParseConfigParser(data)
	var errs []error
	for _, e := range file.Errors {
		errs = append(errs, &Error{File: path, Line: e.Line, Text: e.Text})
	}
	if err := joinErrors(errs); err != nil {
		return nil, err
	}
	byName := map[string]*section{}
	for _, s := range file.Sections {
		if s.Name != defaultSection {
			byName[s.Name] = &section{name: s.Name, line: s.Line, raw: newConf(), lines: map[string]int{}}
			f.sections = append(f.sections, byName[s.Name])
		}
	}
	for _, e := range file.Entries {
		raw, lines := f.defaults, f.lines
		if s := byName[e.Section]; s != nil {
			raw, lines = s.raw, s.lines
		}
		raw.set(e.Key, e.Value)
		lines[e.Key] = e.Line
	}
	return f, nil
}

// lineOf returns the line of a key of a section, in it or in DEFAULT, or of its header.
func (f *parsedFile) lineOf(s *section, key string) int {
	if line := s.lines[key]; line > 0 {
		return line
	}
	if line := f.lines[key]; line > 0 {
		return line
	}
	return s.line
}
