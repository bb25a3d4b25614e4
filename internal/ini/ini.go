// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package ini reads the files of oslo.config, by [Parse], and of PasteDeploy, by [ParseConfigParser],
// into entries: section, key, value, line. What the values mean is the caller's matter.
//
// The grammar of Parse is that of oslo_config/iniparser.py 9.0.0, to the letter:
//
//   - A line is stripped at its end. An empty one ends a value.
//   - A line that begins with a space or a tab continues the value before it, joined by a newline.
//     Without a value before it, also after a comment or an empty line, it is an error.
//   - A line that begins with "#" or ";" is a comment, in its first column only. What looks like a
//     comment behind a value is part of the value.
//   - "[name]" begins a section. Nothing may follow the bracket. The name is taken as it stands.
//   - Anything else is "key = value" or "key: value", whichever of the two comes first. One pair of
//     equal quotes around the value is removed, from its first line only; a single quote alone is an
//     empty value.
//   - Lines end as in Python's text files: \n, \r\n or \r. Blank is what Python's str.strip removes.
//
// Where the Python parser stops at the first error, this one goes on and collects them all. No error
// quotes the line: it may be the rest of a secret.
package ini

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A File is what [Parse] found, in the order of the file. With Errors, the rest is what could be read
// in spite of them.
type File struct {
	Sections []Section
	Entries  []Entry
	Errors   []*Error
}

// A Section is one header line. The same name may come again.
type Section struct {
	Name string // as written
	Line int    // from 1
}

// An Entry is one assignment. The same key may come again.
type Entry struct {
	Section string // as written
	Key     string
	Value   string // lines joined by \n
	Line    int    // of the key, from 1
}

// An Error is a line that is not in the grammar.
type Error struct {
	Line int    // from 1
	Text string // what is wrong, and what was expected
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// The errors of the grammar.
const (
	errContinuation = "continuation line without a value before it: it begins with a blank; comments begin in the first column"
	errNoBracket    = `section header without "]" at its end`
	errNoName       = "section header without a name"
	errNoAssignment = `want "key = value", "key: value", "[section]" or a comment`
	errNoKey        = "assignment without a key"
	errNoSection    = "assignment before any section: begin with [DEFAULT]"
	errEncoding     = "not UTF-8"
	errByteOrder    = "begins with a byte order mark: save the file without it"
)

// Parse reads a file. The result is never nil. Parse keeps no reference to data.
func Parse(data []byte) *File {
	p := parser{file: &File{}}
	text, n := string(data), 0
	for len(text) > 0 {
		var line string
		line, text = cutLine(text)
		n++
		p.line(n, line)
	}
	p.flush()
	return p.file
}

// cutLine returns the first line without its end, and the rest.
func cutLine(text string) (line, rest string) {
	i := strings.IndexAny(text, "\r\n")
	if i < 0 {
		return text, ""
	}
	if strings.HasPrefix(text[i:], "\r\n") {
		return text[:i], text[i+2:]
	}
	return text[:i], text[i+1:]
}

type parser struct {
	file    *File
	section string
	started bool // a section began
	lost    bool // its header was an error: what follows belongs nowhere
	open    bool // entry waits for continuation lines
	skip    bool // the line before was an error: its continuation is not a second one
	entry   Entry
	more    []string // continuation lines of entry
}

func (p *parser) line(n int, line string) {
	if !utf8.ValidString(line) {
		p.fail(n, errEncoding)
		return
	}
	line = strings.TrimRightFunc(line, IsSpace)
	switch {
	case line == "":
		p.flush()
		p.skip = false
	case line[0] == ' ' || line[0] == '\t':
		p.continuation(n, line)
	case line[0] == '[':
		p.flush()
		p.header(n, line)
	case line[0] == '#' || line[0] == ';':
		p.flush()
		p.skip = false
	case n == 1 && strings.HasPrefix(line, "\ufeff"):
		p.fail(n, errByteOrder)
		p.started, p.lost = true, true
	default:
		p.flush()
		p.assignment(n, line)
	}
}

func (p *parser) continuation(n int, line string) {
	switch {
	case p.open:
		p.more = append(p.more, strings.TrimLeftFunc(line, IsSpace))
	case !p.skip:
		p.fail(n, errContinuation)
	}
}

func (p *parser) header(n int, line string) {
	p.skip, p.started = false, true
	p.lost = true
	switch {
	case line[len(line)-1] != ']':
		p.fail(n, errNoBracket)
	case len(line) == 2:
		p.fail(n, errNoName)
	default:
		p.lost = false
		p.section = line[1 : len(line)-1]
		p.file.Sections = append(p.file.Sections, Section{p.section, n})
	}
}

func (p *parser) assignment(n int, line string) {
	i := strings.IndexAny(line, ":=")
	if i < 0 {
		p.fail(n, errNoAssignment)
		return
	}
	key := strings.TrimFunc(line[:i], IsSpace)
	if key == "" {
		p.fail(n, errNoKey)
		return
	}
	if !p.started {
		p.fail(n, errNoSection)
		p.started, p.lost = true, true // said once
		return
	}
	value := strings.TrimFunc(line[i+1:], IsSpace)
	p.entry = Entry{Section: p.section, Key: key, Value: unquote(value), Line: n}
	p.open, p.skip = true, false
}

// unquote removes one pair of quotes. A quote alone is both of them.
func unquote(value string) string {
	if value == "" || value[0] != '"' && value[0] != '\'' || value[len(value)-1] != value[0] {
		return value
	}
	if len(value) == 1 {
		return ""
	}
	return value[1 : len(value)-1]
}

// flush ends the value that is open.
func (p *parser) flush() {
	if !p.open {
		return
	}
	p.open = false
	if len(p.more) > 0 {
		p.entry.Value += "\n" + strings.Join(p.more, "\n")
		p.more = p.more[:0]
	}
	if !p.lost {
		p.file.Entries = append(p.file.Entries, p.entry)
	}
}

func (p *parser) fail(n int, text string) {
	p.flush()
	p.skip = true
	p.file.Errors = append(p.file.Errors, &Error{n, text})
}

// IsSpace reports whether Python's str.strip removes r: what [unicode.IsSpace] knows and the four
// separators of ASCII.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
