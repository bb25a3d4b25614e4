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

// entries writes what was read, one line each.
func entries(f *ini.File) []string {
	var out []string
	for _, e := range f.Entries {
		out = append(out, fmt.Sprintf("%d %s.%s=%q", e.Line, e.Section, e.Key, e.Value))
	}
	return out
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"both delimiters":                  {"[a]\nx = 1\ny: 2\n", []string{`2 a.x="1"`, `3 a.y="2"`}},
		"the first delimiter splits":       {"[a]\nx = 1:2=3\ny: 1=2", []string{`2 a.x="1:2=3"`, `3 a.y="1=2"`}},
		"no comment behind a value":        {"[a]\nx = 1 # one\n", []string{`2 a.x="1 # one"`}},
		"comments in column 0":             {"# a\n; b\n[a]\n#x = 1\nx = 2\n", []string{`5 a.x="2"`}},
		"continuation is joined":           {"[a]\nx = 1\n  2\n\t3\n\ny = 4", []string{`2 a.x="1\n2\n3"`, `6 a.y="4"`}},
		"continuation of an empty value":   {"[a]\nx =\n  1\n", []string{`2 a.x="\n1"`}},
		"a line of blanks is empty":        {"[a]\nx = 1\n   \ny = 2", []string{`2 a.x="1"`, `4 a.y="2"`}},
		"one pair of quotes":               {"[a]\nx = ''1''\ny = \"2'", []string{`2 a.x="'1'"`, `3 a.y="\"2'"`}},
		"a quote alone":                    {"[a]\nx = '\n", []string{`2 a.x=""`}},
		"quotes over lines stay":           {"[a]\nx = \"1\n  2\"\n", []string{`2 a.x="\"1\n2\""`}},
		"sections as written":              {"[ A b]\nx=1\n[a]]\nx=2\n", []string{`2  A b.x="1"`, `4 a].x="2"`}},
		"a section again":                  {"[a]\nx=1\n[b]\n[a]\nx=2\n", []string{`2 a.x="1"`, `5 a.x="2"`}},
		"ends of lines as Python has them": {"[a]\r\nx = 1\ry = 2\r\n", []string{`2 a.x="1"`, `3 a.y="2"`}},
		"blanks as Python has them":        {"[a]\nx\u00a0=\x1f1\u2003\x1c\n", []string{`2 a.x="1"`}},
		"a key with blanks":                {"[a]\na b = 1\n", []string{`2 a.a b="1"`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := ini.Parse([]byte(c.text))
			if got := entries(f); !slices.Equal(got, c.want) || len(f.Errors) > 0 {
				t.Errorf("Parse(%q) = %q, errors %v, want %q", c.text, got, f.Errors, c.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // lines with an error
		rest []string
	}{
		"continuation at the start":        {" x = 1\n", "1", nil},
		"continuation after a comment":     {"[a]\nx = 1\n# c\n  2\n", "4", []string{`2 a.x="1"`}},
		"continuation after a header":      {"[a]\n  x = 1\n", "2", nil},
		"continuation after an empty line": {"[a]\nx = 1\n\n  2\n  3\ny = 4", "4", []string{`2 a.x="1"`, `6 a.y="4"`}},
		"no delimiter":                     {"[a]\nx\n  more\ny = 1\nz\n", "2 5", []string{`4 a.y="1"`}},
		"no key":                           {"[a]\n= 1\n: 2\n", "2 3", nil},
		"no section":                       {"x = 1\ny = 2\n[a]\nz = 3\n", "1", []string{`4 a.z="3"`}},
		"no bracket":                       {"[a]\nx = 1\n[b\ny = 2\n[c] # c\n[d]\nz = 3", "3 5", []string{`2 a.x="1"`, `7 d.z="3"`}},
		"no name":                          {"[]\nx = 1\n", "1", nil},
		"not UTF-8":                        {"[a]\nx = \xff\ny = 1\n", "2", []string{`3 a.y="1"`}},
		"byte order mark":                  {"\ufeff[a]\nx = 1\n", "1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := ini.Parse([]byte(c.text))
			var lines []string
			for _, e := range f.Errors {
				lines = append(lines, fmt.Sprint(e.Line))
			}
			if got := strings.Join(lines, " "); got != c.want || !slices.Equal(entries(f), c.rest) {
				t.Errorf("Parse(%q): errors %v, entries %q, want errors in lines %s, entries %q", c.text, f.Errors, entries(f), c.want, c.rest)
			}
		})
	}
}

// An error must not show the line: it may be the end of a private key.
func TestErrorsDoNotQuote(t *testing.T) {
	f := ini.Parse([]byte("[a]\nhunter2\n\n  hunter2\n[hunter2\n= hunter2\n"))
	if len(f.Errors) != 4 {
		t.Fatalf("errors %v, want 4", f.Errors)
	}
	for _, e := range f.Errors {
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("%q quotes the line", e)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[a]\nx = 1\n  2\n\n; c\ny: '3'\n"))
	f.Add([]byte(" x\r[\r\n]\n=\n"))
	f.Add([]byte("\ufeff[a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := ini.Parse(data)
		last := 0
		for _, e := range file.Entries {
			if e.Line <= last {
				t.Errorf("line %d after line %d", e.Line, last)
			}
			last = e.Line
			if e.Key == "" || strings.TrimFunc(e.Key, ini.IsSpace) != e.Key {
				t.Errorf("key %q", e.Key)
			}
			if strings.Contains(e.Value, "\r") || e.Section == "" {
				t.Errorf("entry %+v", e)
			}
		}
	})
}

func ExampleParse() {
	f := ini.Parse([]byte("[DEFAULT]\ndebug = true\nname 'x'\n"))
	for _, e := range f.Entries {
		fmt.Println(e.Section, e.Key, e.Value)
	}
	for _, err := range f.Errors {
		fmt.Println(err)
	}
	// Output:
	// DEFAULT debug true
	// line 3: want "key = value", "key: value", "[section]" or a comment
}
