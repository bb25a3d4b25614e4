// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
)

// testdata/corpus has small files, testdata/schema.json the options they set, and testdata/oslo.json
// what Python's oslo.config makes of each: the values that differ from those without any file, as
// Python's repr writes them, or "error" for one that cannot be read, or the refusal of the whole. The
// test of the same name in package interop holds that oslo.json is true.

// different are the cases where this package decides otherwise, with what it does and why.
var different = map[string]struct {
	values map[string]string // in place of oslo.config's
	why    string
}{
	"env-multi.conf": {
		map[string]string{"DEFAULT.multi": "['ab']"},
		"oslo.config takes a variable for a Multi option letter by letter: a, b",
	},
	"env-cli-and-file.conf": {
		map[string]string{"DEFAULT.cli_str": "'arg'"},
		"the command line wins over the environment, as oslo.config documents; there the variable wins if a file has the option too",
	},
	"int-too-big.conf": {
		map[string]string{"DEFAULT.num": "error"},
		"an integer has 64 bits",
	},
}

type result struct {
	Refused string
	Values  map[string]string
}

func TestCorpus(t *testing.T) {
	var want map[string]result
	readJSON(t, "testdata/oslo.json", &want)
	schema := readSchema(t, "testdata/schema.json")
	t.Chdir("testdata/corpus")
	files, err := filepath.Glob("*.conf")
	if err != nil || len(files) < 150 {
		t.Fatalf("%d files in the corpus, error %v, want 150 and more", len(files), err)
	}
	nothing := readCase(t, schema, "")
	if err := compareCase(nothing, want[""], want[""].Values); err != "" {
		t.Errorf("without a file: %s", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			w, ok := want[file]
			if !ok {
				t.Fatalf("not in oslo.json: make interop with -update adds it")
			}
			if d, ok := different[file]; ok {
				w = result{Values: d.values}
			}
			if err := compareCase(readCase(t, schema, file), w, want[""].Values); err != "" {
				t.Error(err)
			}
		})
	}
}

// A reading is what this package made of a case.
type reading struct {
	config *config.Config
	err    error
	schema []declaration
}

func readCase(t *testing.T, schema []declaration, file string) reading {
	t.Helper()
	args, env := []string{}, map[string]string{}
	if file != "" {
		args, env = directives(t, file)
	}
	c := config.New(config.Options{
		Project: "corpus", Program: "corpus", DefaultFiles: []string{}, DefaultDirs: []string{}, Logger: quiet(),
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	for _, d := range schema {
		if err := c.Declare(d.Group, d.option()); err != nil {
			t.Fatal(err)
		}
	}
	return reading{c, c.Parse(args), schema}
}

func directives(t *testing.T, file string) (args []string, env map[string]string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	args, env = []string{"--config-file", "@"}, map[string]string{}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "#args:"); ok {
			args = strings.Fields(rest)
		} else if rest, ok := strings.CutPrefix(line, "#env:"); ok {
			name, value, _ := strings.Cut(strings.TrimSpace(rest), "=")
			env[name] = value
		}
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "@", file)
	}
	return args, env
}

// compareCase returns what is not as wanted. A refusal of the whole must be one of ours, and a value
// that oslo.config refuses when it is read must be in our error.
func compareCase(got reading, want result, nothing map[string]string) string {
	if want.Refused != "" {
		if got.err == nil {
			return "no error, oslo.config refuses: " + want.Refused
		}
		return ""
	}
	refused := map[string]bool{}
	for _, err := range flatten(got.err) {
		var v *config.ValueError
		if !errors.As(err, &v) {
			return "refused, by oslo.config not: " + err.Error()
		}
		refused[v.Group+"."+v.Option] = true
	}
	for _, d := range got.schema {
		name := d.dotted()
		w, ok := want.Values[name]
		if !ok {
			w = nothing[name]
		}
		value, err := got.config.Value(d.Group, d.Name)
		text := config.PyRepr(value)
		if err != nil {
			text = "error"
		}
		if text != w || refused[name] != (w == "error") {
			return name + " is " + text + ", in oslo.config " + w
		}
	}
	return ""
}

func flatten(err error) []error {
	var errs config.Errors
	if errors.As(err, &errs) {
		return errs
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// A declaration is an option of schema.json.
type declaration struct {
	Group, Name string
	Help        string
	typeSpec
	Default    any
	Multi, CLI bool
	Secret     bool
	Short      string
	Deprecated [][2]string
	Removal    *string
}

type typeSpec struct {
	Type       string
	Min, Max   *float64
	Choices    []any
	Regex      string
	IgnoreCase bool `json:"ignore_case"`
	MaxLength  int  `json:"max_length"`
	Quotes     bool
	Bounds     bool
	Exclusive  bool
	Version    int
	Schemes    []string
	Item       *typeSpec
}

func (d declaration) dotted() string {
	group := d.Group
	if group == "" {
		group = config.Default
	}
	return group + "." + strings.ReplaceAll(d.Name, "-", "_")
}

func (d declaration) option() config.Option {
	o := config.Option{
		Name: d.Name, Type: d.typ(), Default: d.Default, Multi: d.Multi, CLI: d.CLI, Secret: d.Secret, Short: d.Short, Help: d.Help,
	}
	if f, ok := d.Default.(float64); ok && d.Type == "int" {
		o.Default = int64(f)
	}
	if items, ok := d.Default.([]any); ok && d.Type == "int" {
		items = slices.Clone(items)
		for i := range items {
			items[i] = int64(items[i].(float64))
		}
		o.Default = items
	}
	for _, n := range d.Deprecated {
		o.Deprecated = append(o.Deprecated, config.Name{Group: n[0], Name: n[1]})
	}
	if d.Removal != nil {
		o.Removal = &config.Removal{Reason: *d.Removal}
	}
	return o
}

func integer(f *float64) *int64 {
	if f == nil {
		return nil
	}
	return new(int64(*f))
}

func (s typeSpec) typ() config.Type {
	var item config.Type
	if s.Item != nil {
		item = s.Item.typ()
	}
	switch s.Type {
	case "string":
		t := config.String{IgnoreCase: s.IgnoreCase, Quotes: s.Quotes, MaxLength: s.MaxLength}
		for _, c := range s.Choices {
			t.Choices = append(t.Choices, config.Choice{Value: c.(string)})
		}
		if s.Regex != "" {
			t.Regex = regexp.MustCompile(s.Regex)
		}
		return t
	case "bool":
		return config.Bool{}
	case "int":
		t := config.Int{Min: integer(s.Min), Max: integer(s.Max)}
		for _, c := range s.Choices {
			t.Choices = append(t.Choices, int64(c.(float64)))
		}
		return t
	case "float":
		return config.Float{Min: s.Min, Max: s.Max}
	case "port":
		return config.Port{Min: integer(s.Min), Max: integer(s.Max)}
	case "list":
		return config.List{Item: item, Bounds: s.Bounds}
	case "dict":
		return config.Dict{Value: item, Bounds: s.Bounds}
	case "range":
		return config.Range{Min: integer(s.Min), Max: integer(s.Max), Exclusive: s.Exclusive}
	case "ip":
		return config.IP{Version: s.Version}
	case "hostname":
		return config.Hostname{}
	case "hostaddress":
		return config.HostAddress{}
	case "hostdomain":
		return config.HostDomain{}
	case "uri":
		return config.URI{Schemes: s.Schemes, MaxLength: s.MaxLength}
	}
	panic("no type " + s.Type)
}

func readSchema(t *testing.T, file string) []declaration {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decodeSchema(t, data)
}

func decodeSchema(tb testing.TB, data []byte) []declaration {
	tb.Helper()
	var ds []declaration
	if err := json.Unmarshal(data, &ds); err != nil {
		tb.Fatal(err)
	}
	return ds
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// Reading and validating takes under 10 ms for a file of the size of nova.conf.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString("[DEFAULT]\n")
	var options []config.Option
	for i := range 1000 {
		name := "option_" + strings.Repeat("x", i%20) + string(rune('a'+i%26)) + time.Duration(i).String()
		name = strings.NewReplacer("µ", "u", ".", "_").Replace(name)
		options = append(options, config.Option{Name: name, Type: config.Int{}, Default: "4"})
		text.WriteString("#\n# Some help that says what this is, in a line or more.\n# (integer value)\n#\n# of more lines\n#x\n#y\n\n" + name + " = 5\n")
	}
	for b.Loop() {
		c := config.New(config.Options{
			Program: "bench", DefaultFiles: []string{"/bench.conf"}, DefaultDirs: []string{}, NoEnvironment: true, Logger: quiet(),
			ReadFile: func(string) ([]byte, error) { return []byte(text.String()), nil },
		})
		if err := c.Declare("", options...); err != nil {
			b.Fatal(err)
		}
		if err := c.Parse(nil); err != nil {
			b.Fatal(err)
		}
	}
}
