// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// appendClean writes text so that it stays on its line and does not reach into a terminal: control
// characters, what breaks or turns lines around in Unicode, and what is no UTF-8 are escaped. Tabs stay.
func appendClean(b []byte, text string) []byte {
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != 0x7f || c == '\t' {
				i++
				continue
			}
			b = append(b, text[from:i]...)
			b = appendByte(b, c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, text[from:i]...)
			b = appendByte(b, c)
			from = i + n
		} else if unsafeRune(r) {
			b = append(b, text[from:i]...)
			b = appendRune(b, r)
			from = i + n
		}
		i += n
	}
	return append(b, text[from:]...)
}

// clean is appendClean for what is cleaned once.
func clean(text string) string { return string(appendClean(nil, text)) }

func appendByte(b []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	}
	return append(b, '\\', 'x', hex[c>>4], hex[c&15])
}

func appendRune(b []byte, r rune) []byte {
	b = append(b, `\u`...)
	for shift := 12; shift >= 0; shift -= 4 {
		b = append(b, hex[r>>shift&15])
	}
	return b
}

const hex = "0123456789abcdef"

// unsafeRune reports whether r, not ASCII, would break a line, or turn around how it is shown. All of
// them have four digits.
func unsafeRune(r rune) bool {
	switch {
	case r < 0xa0: // C1 controls, with NEL and a CSI of one character
		return true
	case r < 0x2028:
		return r == 0x061c || r == 0x200e || r == 0x200f
	}
	return r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// appendValue writes the value of an attribute in text, quoted where it needs to be.
func appendValue(b []byte, s string) []byte {
	if needsQuotes(s) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

func needsQuotes(s string) bool {
	if s == "" {
		return true
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c <= ' ' || c == '"' || c == '=' || c == 0x7f {
				return true
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return true
		}
		i += n
	}
	return false
}

// appendJSONString writes a string of JSON. What breaks lines for some readers is escaped too, and what
// is no UTF-8 becomes the replacement character.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = appendRune(b, rune(c))
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[from:i]...)
			b = append(b, `\ufffd`...)
			from = i + n
		} else if unsafeRune(r) {
			b = append(b, s[from:i]...)
			b = appendRune(b, r)
			from = i + n
		}
		i += n
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}
