// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
)

// substitute replaces $name and ${name} in text by the values of other options, as oslo.config does
// with Python's string.Template. A group of "" stands for DEFAULT.
//
//   - $$ and \$ are a plain "$"; a "$" before anything that is no name stays.
//   - A name takes letters, digits, "_" and ".": $host.example.com is option example.com of group host.
//     Braces end a name: ${host}.example.com.
//   - A name without "." is searched for in group, then in DEFAULT. One with "." is an option of the
//     group before it, which must exist.
//   - Deprecated names are found too. Unset is "". Other values are written as Python's str does.
func (r *resolver) substitute(text, group string) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	text = strings.ReplaceAll(text, `\$`, "$$")
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "$")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		if after, ok := strings.CutPrefix(rest, "$"); ok {
			b.WriteByte('$')
			text = after
			continue
		}
		name, after := cutName(rest)
		if name == "" {
			b.WriteByte('$')
			text = rest
			continue
		}
		value, err := r.refer(name, group)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = after
	}
}

// cutName returns the name at the begin of text, braced or not, and what follows; "" if there is none.
func cutName(text string) (name, rest string) {
	inner, braced := strings.CutPrefix(text, "{")
	if !braced {
		inner = text
	}
	n := 0
	for n < len(inner) && isNameByte(inner[n], n == 0) {
		n++
	}
	name, rest = inner[:n], inner[n:]
	if braced {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, "}"); !ok {
			return "", text
		}
	}
	return name, rest
}

func isNameByte(c byte, first bool) bool {
	switch {
	case c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return true
	}
	return !first && (c == '.' || '0' <= c && c <= '9')
}

// refer returns the text of the option that a name means inside a group.
func (r *resolver) refer(name, group string) (string, error) {
	scope, opt, dotted := strings.Cut(name, ".")
	if !dotted {
		scope, opt = group, name
	}
	var o *option
	if scope != "" && scope != Default || dotted {
		if !r.reg.hasGroup(scope) || scope == Default {
			return "", fmt.Errorf("$%s: no such group: [%s]%s", name, scope, braceHint(name, dotted))
		}
		o = r.reg.find(key{scope, opt})
	}
	if o == nil {
		if r.reg.hasGroup(name) && name != Default {
			return "", fmt.Errorf("$%s: that is a group, want an option", name)
		}
		o = r.reg.find(key{Default, name})
	}
	if o == nil {
		return "", fmt.Errorf("$%s: no such option%s; a plain $ is written $$", name, braceHint(name, dotted))
	}
	e, err := r.get(o)
	if err != nil {
		return "", fmt.Errorf("$%s: %w", name, err)
	}
	if e.err != nil {
		return "", fmt.Errorf("$%s: its value is refused", name)
	}
	if e.value == nil {
		return "", nil
	}
	return pyString(e.value), nil
}

func braceHint(name string, dotted bool) string {
	if !dotted {
		return ""
	}
	first, _, _ := strings.Cut(name, ".")
	return fmt.Sprintf(" (a name ends before a dot as ${%s})", first)
}
