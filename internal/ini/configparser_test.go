// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package ini_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/ini"
)

func TestParseConfigParser(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"both delimiters":                   {"[a]\nx = 1\ny: 2\n", []string{`2 a.x="1"`, `3 a.y="2"`}},
		"the first delimiter splits":        {"[a]\nx = 1:2=3\ny: 1=2", []string{`2 a.x="1:2=3"`, `3 a.y="1=2"`}},
		"quotes stay":                       {"[a]\nx = '1'\n", []string{`2 a.x="'1'"`}},
		"no comment behind a value":         {"[a]\nx = 1 ; one\n", []string{`2 a.x="1 ; one"`}},
		"comments anywhere":                 {"# a\n  ; b\n[a]\n\t#x = 1\nx = 2\n", []string{`5 a.x="2"`}},
		"a comment within a value":          {"[a]\nx = 1\n  # c\n# d\n  2\n", []string{`2 a.x="1\n2"`}},
		"empty lines within a value":        {"[a]\nx = 1\n\n \n  2\n\n\ny = 3", []string{`2 a.x="1\n\n\n2"`, `8 a.y="3"`}},
		"an indented header is a value":     {"[a]\nx = 1\n  [b]\ny = 2", []string{`2 a.x="1\n[b]"`, `4 a.y="2"`}},
		"an indented key":                   {"[a]\n  x = 1\n  y = 2\n   3\n z = 4\n  5", []string{`2 a.x="1"`, `3 a.y="2\n3"`, `5 a.z="4\n5"`}},
		"an indented header is a header":    {"[a]\n  [b]\n  x = 1\n", []string{`3 b.x="1"`}},
		"what follows a header":             {"[a] ; c\nx = 1\n[b] y = 2\nx = 2", []string{`2 a.x="1"`, `4 b.x="2"`}},
		"the last bracket ends a header":    {"[a]b]\nx = 1\n", []string{`2 a]b.x="1"`}},
		"blanks in a header stay":           {"[ a ]\nx = 1\n", []string{`2  a .x="1"`}},
		"DEFAULT again":                     {"[DEFAULT]\nx = 1\n[DEFAULT]\ny = 2", []string{`2 DEFAULT.x="1"`, `4 DEFAULT.y="2"`}},
		"an empty value goes on":            {"[a]\nx =\n  1\n", []string{`2 a.x="\n1"`}},
		"keys keep their case and blanks":   {"[a]\nset X y = 1\n", []string{`2 a.set X y="1"`}},
		"indentation counts characters":     {"[a]\n\u2003x = 1\n \ty = 2\n", []string{`2 a.x="1\ny = 2"`}},
		"ends of lines as Python has them":  {"[a]\r\nx = 1\ry = 2\r\n", []string{`2 a.x="1"`, `3 a.y="2"`}},
		"blanks as Python has them":         {"[a]\nx\u00a0=\x1f1\u2003\x1c\n", []string{`2 a.x="1"`}},
		"a bracket that closes a line late": {"[a\u00a0=]\nx=1", []string{"2 a\u00a0=.x=\"1\""}},
	} {
		t.Run(name, func(t *testing.T) {
			f := ini.ParseConfigParser([]byte(c.text))
			if got := entries(f); !slices.Equal(got, c.want) || len(f.Errors) > 0 {
				t.Errorf("ParseConfigParser(%q) = %q, errors %v, want %q", c.text, got, f.Errors, c.want)
			}
		})
	}
}

func TestParseConfigParserErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // lines with an error
		rest []string
	}{
		"no delimiter":    {"[a]\nx\n  more\ny = 1\nz\n", "2 5", []string{`4 a.y="1"`}},
		"no key":          {"[a]\n= 1\n: 2\n", "2 3", nil},
		"no section":      {"x = 1\ny = 2\n[a]\nz = 3\n", "1", []string{`4 a.z="3"`}},
		"no name":         {"[]\nx = 1\n", "1", nil},
		"a section again": {"[a]\nx = 1\n[b]\n[a]\nx = 2\ny = 3\n[c]\nz = 4", "4", []string{`2 a.x="1"`, `8 c.z="4"`}},
		"a key again":     {"[a]\nx = 1\nx: 2\n  3\ny = 4", "3", []string{`2 a.x="1"`, `5 a.y="4"`}},
		"DEFAULT's key":   {"[DEFAULT]\nx = 1\n[DEFAULT]\nx = 2", "4", []string{`2 DEFAULT.x="1"`}},
		"not UTF-8":       {"[a]\nx = \xff\ny = 1\n", "2", []string{`3 a.y="1"`}},
		"byte order mark": {"\ufeff[a]\nx = 1\n", "1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := ini.ParseConfigParser([]byte(c.text))
			var lines []string
			for _, e := range f.Errors {
				lines = append(lines, fmt.Sprint(e.Line))
			}
			if got := strings.Join(lines, " "); got != c.want || !slices.Equal(entries(f), c.rest) {
				t.Errorf("ParseConfigParser(%q): errors %v, entries %q, want errors in lines %s, entries %q", c.text, f.Errors, entries(f), c.want, c.rest)
			}
		})
	}
}

func FuzzParseConfigParser(f *testing.F) {
	f.Add([]byte("[a]\nx = 1\n  2\n\n; c\ny: '3'\n[a]\nx\n"))
	f.Add([]byte(" x\r[\r\n]\n=\n  [b]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := ini.ParseConfigParser(data)
		seen := map[[2]string]bool{}
		for _, e := range file.Entries {
			if e.Section == "" || e.Key == "" || strings.TrimRightFunc(e.Key, ini.IsSpace) != e.Key || strings.Contains(e.Value, "\r") {
				t.Errorf("entry %+v", e)
			}
			if seen[[2]string{e.Section, e.Key}] {
				t.Errorf("entry %+v comes twice", e)
			}
			seen[[2]string{e.Section, e.Key}] = true
		}
	})
}

func ExampleParseConfigParser() {
	f := ini.ParseConfigParser([]byte("[pipeline:main]\npipeline =\n    cors\n    # not yet: sizelimit\n    app\n"))
	for _, e := range f.Entries {
		fmt.Printf("%s %s %q\n", e.Section, e.Key, e.Value)
	}
	// Output:
	// pipeline:main pipeline "\ncors\napp"
}
