// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
)

// A world is the files and variables that a Config sees.
type world struct {
	files map[string]string
	env   map[string]string
}

func (w *world) options() config.Options {
	return config.Options{
		Project: "nova", Program: "nova-api", Logger: quiet(),
		ReadFile: func(name string) ([]byte, error) {
			if text, ok := w.files[name]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
		ReadDir: func(dir string) ([]string, error) {
			var names []string
			for name := range maps.Keys(w.files) {
				if path.Dir(name) == dir {
					names = append(names, path.Base(name))
				}
			}
			if names == nil {
				return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
			}
			return names, nil
		},
		LookupEnv: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
	}
}

type apiOptions struct {
	Host     string            `config:"host,cli" default:"localhost" type:"hostdomain"`
	Port     uint16            `config:",cli" type:"port" default:"8774"`
	Workers  *int              `config:"workers" min:"1" deprecated:"DEFAULT.api_workers"`
	Timeout  time.Duration     `config:"client_socket_timeout,mutable" default:"900" min:"0"`
	Grace    *time.Duration    `config:"grace" unit:"ms"`
	Debug    bool              `config:"debug,cli,mutable" short:"d"`
	Ratio    float64           `config:"ratio" default:"1.5"`
	Names    []string          `config:"names" default:"a,b"`
	Numbers  []int             `config:"numbers"`
	Labels   map[string]string `config:"labels"`
	Hosts    []string          `config:"hosts,multi"`
	Password string            `config:"password,secret" default:"initial"`
	Span     config.Span       `config:"span" default:"1-3"`
	Level    string            `config:"level" choices:"low,high" default:"low"`
	Ignored  int
}

func parse(t *testing.T, w *world, args ...string) *config.Config {
	t.Helper()
	c := config.New(w.options())
	if err := c.Register("api", apiOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGet(t *testing.T) {
	w := &world{files: map[string]string{"/etc/nova/nova.conf": `
[DEFAULT]
api_workers = 3
[api]
port = 80
client_socket_timeout = 2m
grace = 250
names =
numbers = 1, 2
labels = a:b
hosts = x
hosts = y
span = 5-1
`}}
	got := config.Get[apiOptions](parse(t, w, "--api-debug"), "api")
	want := apiOptions{
		Host: "localhost", Port: 80, Workers: new(3), Timeout: 2 * time.Minute, Grace: new(250 * time.Millisecond), Debug: true,
		Ratio: 1.5, Names: []string{}, Numbers: []int{1, 2}, Labels: map[string]string{"a": "b"}, Hosts: []string{"x", "y"},
		Password: "initial", Span: config.Span{Start: 5, Stop: 0, Step: -1}, Level: "low",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Get = %+v, want %+v", got, want)
	}
	if got := slices.Collect(got.Span.All()); !slices.Equal(got, []int64{5, 4, 3, 2, 1}) {
		t.Errorf("Span 5-1 = %v", got)
	}
}

func TestZeroIsNotUnset(t *testing.T) {
	type options struct {
		N *int           `config:"n"`
		D *time.Duration `config:"d"`
		S *string        `config:"s"`
		B *bool          `config:"b"`
	}
	for text, want := range map[string]options{
		"":                             {},
		"n = 0\nd = 0\ns =\nb = false": {new(0), new(time.Duration(0)), new(""), new(false)},
		"n =\nd =":                     {},
	} {
		w := &world{files: map[string]string{"/c": "[DEFAULT]\n" + text}}
		c := config.New(w.options())
		if err := c.Register("", options{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Parse([]string{"--config-file", "/c"}); err != nil {
			t.Fatal(err)
		}
		if got := config.Get[options](c, ""); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: Get = %+v, want %+v", text, got, want)
		}
	}
}

func TestPrecedence(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		env   string
		args  []string
		want  string
		at    string
	}{
		"default":                 {nil, "", nil, "localhost", "default"},
		"project's file":          {map[string]string{"/etc/nova/nova.conf": "[api]\nhost = a"}, "", nil, "a", "/etc/nova/nova.conf:2"},
		"program's file wins":     {map[string]string{"/etc/nova/nova.conf": "[api]\nhost = a", "/etc/nova-api.conf": "[api]\nhost = b"}, "", nil, "b", "/etc/nova-api.conf:2"},
		"the first folder":        {map[string]string{"/home/me/.nova/nova.conf": "[api]\nhost = a", "/etc/nova/nova.conf": "[api]\nhost = b"}, "", nil, "a", "/home/me/.nova/nova.conf:2"},
		"default folder":          {map[string]string{"/etc/nova/nova.conf": "[api]\nhost = a", "/etc/nova/nova.conf.d/1.conf": "[api]\nhost = b"}, "", nil, "b", "/etc/nova/nova.conf.d/1.conf:2"},
		"named file, no default":  {map[string]string{"/etc/nova/nova.conf": "[api]\nhost = a", "/c": ""}, "", []string{"--config-file=/c"}, "localhost", "default"},
		"named over default dir":  {map[string]string{"/etc/nova/nova.conf.d/1.conf": "[api]\nhost = b", "/c": "[api]\nhost = c"}, "", []string{"--config-file=/c"}, "c", "/c:2"},
		"environment":             {map[string]string{"/etc/nova/nova.conf": "[api]\nhost = a"}, "e", nil, "e", "$OS_API__HOST"},
		"command line":            {map[string]string{"/etc/nova/nova.conf": "[api]\nhost = a"}, "e", []string{"--api-host", "c"}, "c", "command line"},
		"command line after file": {map[string]string{"/c": "[api]\nhost = a"}, "", []string{"--config-file", "/c", "--api-host=c"}, "c", "command line"},
		"file after command line": {map[string]string{"/c": "\n[api]\nhost = a"}, "", []string{"--api-host=c", "--config-file", "/c"}, "a", "/c:3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{files: c.files, env: map[string]string{"HOME": "/home/me"}}
			if c.env != "" {
				w.env["OS_API__HOST"] = c.env
			}
			conf := parse(t, w, c.args...)
			got, err := conf.Value("api", "host")
			at, _ := conf.Location("api", "host")
			if err != nil || got != c.want || at.String() != c.at {
				t.Errorf("host = %v from %v, error %v, want %v from %v", got, at, err, c.want, c.at)
			}
		})
	}
}

// All errors of all files are found at once, in their order, and no secret is shown.
func TestAllErrors(t *testing.T) {
	w := &world{files: map[string]string{
		"/a": "[api]\nport = 99999\nbroken\n\nworkers = 0\npassword = $nope-hunter2\n",
		"/b": "[api]\nlevel = middle\nratio =\n  hunter2\n[nowhere\n",
	}}
	c := config.New(w.options())
	if err := c.Register("api", apiOptions{}); err != nil {
		t.Fatal(err)
	}
	err := c.Parse([]string{"--config-file=/a", "--config-file=/b", "--config-file=/missing", "--pasword", "hunter2", "--api-debug=1"})
	want := []string{
		`/a:2: [api] port = "99999": want a port from 0 to 65535`,
		`/a:3: want "key = value", "key: value", "[section]" or a comment`,
		`/a:5: [api] workers = "0": want an integer of at least 1`,
		`/a:6: [api] password = "****": $nope: no such option; a plain $ is written $$`,
		`/b:2: [api] level = "middle": want one of low, high`,
		`/b:3: [api] ratio = "\nhunter2": want a number`,
		`/b:5: section header without "]" at its end`,
		`read configuration /missing: open /missing: file does not exist`,
		`argument --pasword: no such flag`,
		`argument --api-debug: takes no value: write it alone, or its inverse`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("Parse: error\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	var v *config.ValueError
	if !errors.As(err, &v) || v.Option != "port" || v.At.Line != 2 || v.At.File != "/a" {
		t.Errorf("errors.As = %+v, want the first ValueError", v)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("errors.Is(err, fs.ErrNotExist) = false, want true for a missing file")
	}
}

func TestRefusedDeclarations(t *testing.T) {
	for name, c := range map[string]struct {
		group string
		decl  any
		want  string
	}{
		"unknown flag": {"", struct {
			A int `config:"a,quiet"`
		}{}, `"quiet": want multi`},
		"wrong default": {"", struct {
			A int `config:"a" default:"x"`
		}{}, `default: "x": want an integer`},
		"default off limit": {"", struct {
			A int `config:"a" default:"0" min:"1"`
		}{}, `want an integer of at least 1`},
		"wrong limit": {"", struct {
			A int `config:"a" min:"x"`
		}{}, `min:"x": want an integer`},
		"field type": {"", struct {
			A chan int `config:"a"`
		}{}, "no option can be a chan int"},
		"no fields": {"", struct{ A int }{}, "no field with a config tag"},
		"no struct": {"", 5, "int is not a struct"},
		"not exported": {"", struct {
			a int `config:"a"`
		}{}, "is not exported"},
		"reserved": {"", struct {
			A string `config:"project"`
		}{}, "the name is reserved"},
		"twice": {"", struct {
			A int `config:"x"`
			B int `config:"x"`
		}{}, "declared twice"},
		"unit": {"", struct {
			A time.Duration `config:"x" unit:"days"`
		}{}, "want seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			err := config.New(config.Options{}).Register(c.group, c.decl)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Register = %v, want %q", err, c.want)
			}
		})
	}
}

// Identical declarations are one, different ones a DuplicateError, as with register_opt.
func TestDeclareTwice(t *testing.T) {
	c := config.New(config.Options{})
	a := config.Option{Name: "a", Type: config.Int{Min: new(int64(1))}, Default: 3}
	same := config.Option{Name: "a", Type: config.Int{Min: new(int64(1))}, Default: 3}
	if err := errors.Join(c.Declare("", a), c.Declare("DEFAULT", same), c.Declare("other", a)); err != nil {
		t.Errorf("identical declarations: %v", err)
	}
	var dup *config.DuplicateError
	if err := c.Declare("", config.Option{Name: "a", Type: config.Int{}, Default: 3}); !errors.As(err, &dup) {
		t.Errorf("Declare = %v, want a DuplicateError", err)
	}
}

func TestDeclareAfterParse(t *testing.T) {
	w := &world{files: map[string]string{"/etc/nova/nova.conf": "[late]\nn = 5\nbad = x\n"}}
	c := parse(t, w)
	if err := c.Declare("late", config.Option{Name: "n", Type: config.Int{}}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Value("late", "n"); got != int64(5) || err != nil {
		t.Errorf("n = %v, %v, want 5 from the file that was read before", got, err)
	}
	var v *config.ValueError
	if err := c.Declare("late", config.Option{Name: "bad", Type: config.Int{}}); !errors.As(err, &v) {
		t.Errorf("Declare = %v, want the ValueError of its value", err)
	}
	var f *config.FlagError
	if err := c.Declare("late", config.Option{Name: "flag", CLI: true}); !errors.As(err, &f) {
		t.Errorf("Declare = %v, want a FlagError: the command line was read", err)
	}
}

func TestRequired(t *testing.T) {
	w := &world{}
	c := config.New(w.options())
	if err := c.Declare("api", config.Option{Name: "key", Required: true}); err != nil {
		t.Fatal(err)
	}
	var r *config.RequiredError
	if err := c.Parse(nil); !errors.As(err, &r) || r.Option != "key" {
		t.Errorf("Parse = %v, want a RequiredError", err)
	}
}

func TestHelpAndVersion(t *testing.T) {
	o := (&world{}).options()
	o.Version = "1.2"
	for flag, want := range map[string]error{"--help": config.ErrHelp, "-h": config.ErrHelp, "--version": config.ErrVersion} {
		if err := config.New(o).Parse([]string{flag}); !errors.Is(err, want) {
			t.Errorf("Parse(%s) = %v, want %v", flag, err, want)
		}
	}
}

func TestArgs(t *testing.T) {
	o := (&world{}).options()
	o.AllowArgs = true
	c := config.New(o)
	if err := c.Parse([]string{"run", "-", "-5", "--", "--fast"}); err != nil {
		t.Fatal(err)
	}
	if got := c.Args(); !slices.Equal(got, []string{"run", "-", "-5", "--fast"}) {
		t.Errorf("Args = %q", got)
	}
}

func TestFindFile(t *testing.T) {
	w := &world{env: map[string]string{"HOME": "/home/me"}, files: map[string]string{
		"/a/one.conf": "", "/b/two.conf": "", "/d/x.conf": "",
		"/a/paste.ini": "", "/b/paste.ini": "", "/d/in-dir.ini": "", "/etc/nova/std.ini": "", "/a/only.ini": "",
	}}
	c := parse(t, w, "--config-file=/a/one.conf", "--config-file=/b/two.conf", "--config-dir=/d")
	for name, want := range map[string]string{
		"paste.ini": "/b/paste.ini", "only.ini": "/a/only.ini", "in-dir.ini": "/d/in-dir.ini", "std.ini": "/etc/nova/std.ini",
		"none.ini": "", "/a/paste.ini": "/a/paste.ini", "/none.ini": "",
	} {
		if got := c.FindFile(name); got != want {
			t.Errorf("FindFile(%s) = %q, want %q", name, got, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	w := &world{files: map[string]string{"/c": `[DEFAULT]
tiemout = 5
port = 80
[api]
hots = x
client-socket-timeout = 5
Debug = yes
zebra = 1
host = known
[appi]
host = a
port = 80
[default]
x = 1
[empty]
[API]
api_workers = 1
`}}
	c := parse(t, w, "--config-file", "/c")
	var got []string
	for _, u := range c.Unknown() {
		got = append(got, u.String())
	}
	want := []string{
		"/c:2: unknown option [DEFAULT] tiemout",
		"/c:3: unknown option [DEFAULT] port; nearest is [api] port",
		"/c:5: unknown option [api] hots; nearest is [api] host",
		"/c:6: unknown option [api] client-socket-timeout; nearest is [api] client_socket_timeout",
		"/c:7: unknown option [api] Debug; nearest is [api] debug",
		"/c:8: unknown option [api] zebra",
		"/c:11: unknown group [appi]; nearest is [api]",
		"/c:14: unknown group [default]; nearest is [DEFAULT], in capitals",
		"/c:17: unknown option [API] api_workers",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Unknown =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "abxc", 1}, {"abc", "xyz", 3}, {"abcdef", "badcfe", 3}, {"a", "abcdefgh", 4}} {
		if got := config.Distance(c.a, c.b, 3); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
