// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// An Unknown is an option, or a whole group, in a file that nobody declared. It has no effect, and
// never stops a program: another program may share the file.
type Unknown struct {
	At      Location
	Group   string // as written
	Option  string // as written; "" for a group
	Nearest string // "[group] option" or "[group]" that may be meant; "" if none is near
}

// String writes where, what, and what may be meant.
func (u Unknown) String() string {
	text := fmt.Sprintf("%v: unknown group [%s]", u.At, u.Group)
	if u.Option != "" {
		text = fmt.Sprintf("%v: unknown option [%s] %s", u.At, u.Group, u.Option)
	}
	if u.Nearest != "" {
		text += "; nearest is " + u.Nearest
	}
	return text
}

// Unknown returns what in the files nobody declared, in their order. A group is named once for each
// file, where it first has an option; its options are not.
func (c *Config) Unknown() []Unknown {
	files := c.Snapshot().ns.files
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Unknown
	for _, f := range files {
		groups := map[string]bool{}
		for _, e := range f.ini.Entries {
			switch group := fold(e.Section); {
			case c.reg.folded[key{group, e.Key}] != nil:
			case groups[group]:
			case c.reg.knows(group):
				out = append(out, c.reg.unknownOption(f.path, e))
			default:
				groups[group] = true
				out = append(out, c.reg.unknownGroup(f.path, e))
			}
		}
	}
	return out
}

// knows reports whether a group is declared, or was the group of an option once.
func (r *registry) knows(folded string) bool {
	if _, ok := r.knownFolds[folded]; ok {
		return true
	}
	for k := range r.folded {
		if k.group == folded {
			return true
		}
	}
	return false
}

// unknownOption looks for the option that is meant: one spelt with "-" or in another case, one of
// the group that is spelt nearly so, one of that name in another group.
func (r *registry) unknownOption(file string, e ini.Entry) Unknown {
	u := Unknown{At: Location{Source: FromFile, File: file, Line: e.Line}, Group: e.Section, Option: e.Key}
	group, known := fold(e.Section), r.knownFolds[fold(e.Section)]
	wanted := destination(strings.ToLower(e.Key))
	var names []string
	for _, o := range r.ordered {
		if fold(o.group) == group {
			names = append(names, o.name)
		}
	}
	if best := nearest(wanted, names); best != "" {
		u.Nearest = key{known, best}.String()
		return u
	}
	for _, o := range r.ordered {
		if o.name == wanted {
			u.Nearest = o.key.String()
			return u
		}
	}
	return u
}

func (r *registry) unknownGroup(file string, e ini.Entry) Unknown {
	u := Unknown{At: Location{Source: FromFile, File: file, Line: e.Line}, Group: e.Section}
	if strings.EqualFold(e.Section, Default) {
		u.Nearest = "[" + Default + "], in capitals"
	} else if best := nearest(fold(strings.TrimSpace(e.Section)), sortedKeys(r.knownFolds)); best != "" {
		u.Nearest = "[" + r.knownFolds[best] + "]"
	}
	return u
}

// nearest returns the name that takes the fewest edits, at most a third of its length; "" if none does.
func nearest(name string, names []string) string {
	best, least := "", 0
	for _, n := range names {
		limit := max(1, utf8.RuneCountInString(n)/3)
		if d := distance(name, n, limit); d <= limit && (best == "" || d < least) {
			best, least = n, d
		}
	}
	return best
}

// distance counts insertions, deletions, replacements and swaps of neighbours; more than limit is
// limit+1.
func distance(a, b string, limit int) int {
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) > limit || len(t)-len(s) > limit {
		return limit + 1
	}
	rows := [3][]int{make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		before, last, row := rows[(i+1)%3], rows[(i-1)%3], rows[i%3]
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return min(rows[len(s)%3][len(t)], limit+1)
}
