// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A format is a format string of Python's % operator, taken apart once: %(key)s and the like.
type format []segment

// A segment is literal text, or a key and how to write it.
type segment struct {
	literal string
	key     key
	name    string // of the key
	verb    byte   // s, d, f, e or g; F, E and G; 0 for literal text
	bare    bool   // no flags, no width, no precision
	left    bool
	zeros   bool
	sign    byte // '+' or ' ' before what is not negative
	width   int
	prec    int // -1 for none
}

// maxWidth bounds width and precision: nobody has wider columns, and a mistake fills no disk.
const maxWidth = 1000

// parseFormat takes a format string apart. The keys it may have are those of keys; with nil it may have
// any, all text.
func parseFormat(text string, keys keySet) (format, error) {
	var f format
	fail := func(what, why string, args ...any) (format, error) {
		return nil, fmt.Errorf("%q: %s: %s", text, what, fmt.Sprintf(why, args...))
	}
	literal := func(s string) {
		if n := len(f); n > 0 && f[n-1].verb == 0 {
			f[n-1].literal += s
		} else if s != "" {
			f = append(f, segment{literal: s})
		}
	}
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "%")
		literal(cleanLiteral(before))
		if !found {
			break
		}
		if strings.HasPrefix(after, "%") {
			literal("%")
			rest = after[1:]
			continue
		}
		if !strings.HasPrefix(after, "(") {
			return fail("%"+head(after), "want %%(key)s, or %%%% for a %%")
		}
		name, spec, ok := strings.Cut(after[1:], ")")
		if !ok {
			return fail("%"+head(after), "want a ) behind the key")
		}
		s := segment{name: name, prec: -1}
		k, known := keys[name]
		if keys != nil && !known {
			return fail("%("+name+")", "unknown key, want one of %s", strings.Join(keys.names(), ", "))
		}
		s.key = k
		n, err := s.parse(spec, keys != nil && k.numeric())
		if err != nil {
			return fail("%("+name+")"+head(spec), "%v", err)
		}
		rest = spec[n:]
		f = append(f, s)
	}
	return f, nil
}

// head returns enough of text to find it by.
func head(text string) string {
	const enough = 12
	if utf8.RuneCountInString(text) <= enough {
		return text
	}
	return string([]rune(text)[:enough])
}

// cleanLiteral lets the writer of a format string break lines and colour them, as oslo.log does.
func cleanLiteral(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// parse reads what stands behind the key and returns its length.
func (s *segment) parse(spec string, numeric bool) (int, error) {
	i := 0
	for ; i < len(spec); i++ {
		switch c := spec[i]; c {
		case '-':
			s.left = true
			continue
		case '0':
			s.zeros = true
			continue
		case '+':
			s.sign = c
			continue
		case ' ':
			if s.sign == 0 {
				s.sign = c
			}
			continue
		}
		break
	}
	number := func() (int, error) {
		from := i
		for i < len(spec) && '0' <= spec[i] && spec[i] <= '9' {
			i++
		}
		if from == i {
			return 0, nil
		}
		n, err := strconv.Atoi(spec[from:i])
		if err != nil || n > maxWidth {
			return 0, fmt.Errorf("want a width and precision of at most %d", maxWidth)
		}
		return n, nil
	}
	var err error
	if s.width, err = number(); err != nil {
		return 0, err
	}
	if i < len(spec) && spec[i] == '.' {
		i++
		if s.prec, err = number(); err != nil {
			return 0, err
		}
	}
	// Python reads C's length modifiers and makes nothing of them.
	if i < len(spec) && strings.IndexByte("hlL", spec[i]) >= 0 {
		i++
	}
	if i == len(spec) {
		return 0, fmt.Errorf("want a letter behind it: %%(key)s")
	}
	switch c := spec[i]; {
	case c == 's':
	case numeric && (c == 'd' || c == 'i' || c == 'u'):
		c = 'd'
		s.verb = c
	case numeric && strings.IndexByte("fFeEgG", c) >= 0:
	case numeric:
		return 0, fmt.Errorf("want s, d, f, e or g, not %q", c)
	default:
		return 0, fmt.Errorf("want s for this key, not %q", c)
	}
	if s.verb == 0 {
		s.verb = spec[i]
	}
	s.bare = s.width == 0 && s.prec < 0 && s.sign == 0
	return i + 1, nil
}

// A keySet is the keys that a format may have, by name.
type keySet map[string]key

func (s keySet) names() []string {
	var names []string
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// append writes the format for a line.
func (f format) append(b []byte, e *entry) []byte {
	for i := range f {
		s := &f[i]
		switch {
		case s.verb == 0:
			b = append(b, s.literal...)
		case s.bare && (s.verb == 's' || s.verb == 'd'):
			b = e.appendKey(b, s.key, s.verb)
		default:
			b = s.appendWide(b, e)
		}
	}
	return b
}

// appendWide writes a key with flags, width or precision.
func (s *segment) appendWide(b []byte, e *entry) []byte {
	from := len(b)
	switch s.verb {
	case 's':
		b = e.appendKey(b, s.key, 's')
		if s.prec >= 0 {
			b = append(b[:from], cut(string(b[from:]), s.prec)...)
		}
		return s.pad(b, from, from)
	case 'd':
		n := int64(e.number(s.key))
		b = s.appendSign(b, n < 0)
		digits := len(b)
		b = strconv.AppendInt(b, max(n, -n), 10)
		for range s.prec - (len(b) - digits) {
			b = slices.Insert(b, digits, '0')
		}
		return s.pad(b, from, digits)
	}
	v := e.number(s.key)
	b = s.appendSign(b, v < 0)
	digits := len(b)
	b = fmt.Appendf(b, "%.*"+string(rune(s.verb)), s.digits(), max(v, -v))
	return s.pad(b, from, digits)
}

func (s *segment) digits() int {
	if s.prec < 0 {
		return 6
	}
	return s.prec
}

func (s *segment) appendSign(b []byte, negative bool) []byte {
	switch {
	case negative:
		return append(b, '-')
	case s.sign != 0:
		return append(b, s.sign)
	}
	return b
}

// cut returns the first n characters of text.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

// pad brings what begins at from to the width; digits is where zeros would go.
func (s *segment) pad(b []byte, from, digits int) []byte {
	missing := s.width - utf8.RuneCount(b[from:])
	if missing <= 0 {
		return b
	}
	fill, at := byte(' '), from
	switch {
	case s.left:
		at = len(b)
	case s.zeros && s.verb != 's':
		fill, at = '0', digits
	}
	b = append(b, make([]byte, missing)...)
	copy(b[at+missing:], b[at:len(b)-missing])
	for i := range missing {
		b[at+i] = fill
	}
	return b
}
