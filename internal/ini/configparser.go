// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package ini

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// ParseConfigParser reads a file in the grammar of Python's configparser.ConfigParser with keys that
// keep their case, which is that of paste files. It differs from that of [Parse]:
//
//   - A line that is indented deeper than the key above it continues its value, also one that looks
//     like a section. So a key may be indented, and what is not deeper than that is a new key.
//   - A comment may be indented, also within a value, which goes on behind it. So does it behind empty
//     lines, which become part of it, except at its end.
//   - Nothing is unquoted. What follows the last bracket of a header is of no matter.
//   - A section that comes twice, other than DEFAULT, and a key that comes twice in a section are errors.
//
// As with Parse all errors are collected, and none quotes more than the name of a section or a key.
func ParseConfigParser(data []byte) *File {
	p := strictParser{file: &File{}, seen: map[[2]string]int{}}
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

type strictParser struct {
	file    *File
	section string
	started bool
	indent  int  // of the last key or header, in characters
	open    bool // entry waits for continuation lines
	bad     bool // entry was an error: its continuation is not a second one
	lost    bool // the section was an error: what follows belongs nowhere
	entry   Entry
	more    []string
	seen    map[[2]string]int // line of a section (key "") or of a key in it
}

var (
	headerPattern = regexp.MustCompile(`^\[(.+)\]`)
	commentPrefix = "#;"
)

func (p *strictParser) line(n int, line string) {
	if !utf8.ValidString(line) {
		p.fail(n, errEncoding)
		return
	}
	value := strings.TrimFunc(line, IsSpace)
	if value == "" {
		p.more = append(p.more, "")
		return
	}
	if strings.IndexByte(commentPrefix, value[0]) >= 0 {
		return
	}
	indent := utf8.RuneCountInString(line[:strings.Index(line, value)])
	if p.open && indent > p.indent {
		p.more = append(p.more, value)
		return
	}
	p.flush()
	p.indent = indent
	if m := headerPattern.FindStringSubmatch(value); m != nil {
		p.header(n, m[1])
		return
	}
	p.assignment(n, value)
}

func (p *strictParser) header(n int, name string) {
	p.section, p.started, p.lost = name, true, false
	if first, twice := p.twice(n, name, ""); twice && name != "DEFAULT" {
		p.fail(n, fmt.Sprintf("section %q already exists: it begins in line %d", name, first))
		p.lost = true
		return
	}
	p.file.Sections = append(p.file.Sections, Section{name, n})
}

func (p *strictParser) assignment(n int, line string) {
	p.open, p.bad = true, true
	if !p.started {
		text := errNoSection
		if n == 1 && strings.HasPrefix(line, "\ufeff") {
			text = errByteOrder
		}
		p.fail(n, text)
		p.started, p.lost = true, true // said once
		return
	}
	i := strings.IndexAny(line, "=:")
	if i < 0 {
		p.fail(n, errNoAssignment)
		return
	}
	key := strings.TrimRightFunc(line[:i], IsSpace)
	if key == "" {
		p.fail(n, errNoKey)
		return
	}
	if p.lost {
		return
	}
	if first, twice := p.twice(n, p.section, key); twice {
		p.fail(n, fmt.Sprintf("option %q in section %q already exists: it is in line %d", key, p.section, first))
		return
	}
	p.entry = Entry{Section: p.section, Key: key, Value: strings.TrimFunc(line[i+1:], IsSpace), Line: n}
	p.bad = false
}

// twice reports whether a name was there before, and in which line.
func (p *strictParser) twice(n int, section, key string) (int, bool) {
	first, ok := p.seen[[2]string{section, key}]
	if !ok {
		p.seen[[2]string{section, key}] = n
	}
	return first, ok
}

// flush ends the value that is open.
func (p *strictParser) flush() {
	if p.open && !p.bad {
		lines := append([]string{p.entry.Value}, p.more...)
		p.entry.Value = strings.TrimRightFunc(strings.Join(lines, "\n"), IsSpace)
		p.file.Entries = append(p.file.Entries, p.entry)
	}
	p.open, p.more = false, p.more[:0]
}

func (p *strictParser) fail(n int, text string) {
	p.file.Errors = append(p.file.Errors, &Error{n, text})
}
