// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mainstay-go/mainstay/paste"
)

const simpleApp = "[app:main]\npaste.app_factory = stub:app\n"

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// WS-01 and WS-02: a paste file that is not there, by a name to be searched and by a path.
func TestWS01RelativeFileMissing(t *testing.T) {
	_, err := paste.Load("api-paste.ini", "main", paste.Options{Find: func(string) string { return "" }})
	if !errors.Is(err, paste.ErrConfigNotFound) || err.Error() != "could not find config at api-paste.ini" {
		t.Errorf("Load of a file that is nowhere: %v", err)
	}
	t.Chdir(t.TempDir())
	if _, err := paste.Load("api-paste.ini", "main", paste.Options{}); !errors.Is(err, paste.ErrConfigNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of a file that is not in the working directory: %v", err)
	}
}

func TestWS02AbsoluteFileMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api-paste.ini")
	find := func(string) string { t.Error("an absolute path was searched for"); return "" }
	_, err := paste.Load(path, "main", paste.Options{Find: find})
	if !errors.Is(err, paste.ErrConfigNotFound) || !strings.Contains(err.Error(), path) {
		t.Errorf("Load(%q): %v", path, err)
	}
}

func TestWS03FileFound(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "api-paste.ini"), simpleApp)
	find := func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	f, err := paste.Open("api-paste.ini", paste.Options{Find: find})
	if err != nil || f.Path() != path {
		t.Errorf("Open = %v, error %v, want path %s", f, err, path)
	}
}

func TestWS04UnknownApp(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "api-paste.ini"), simpleApp)
	_, err := paste.Load(path, "gone", paste.Options{Registry: new(stubs).registry()})
	var e *paste.LoadError
	if !errors.Is(err, paste.ErrAppNotFound) || !errors.As(err, &e) || e.Name != "gone" || e.Path != path {
		t.Errorf("Load of an unknown application: %v", err)
	}
	if errors.Is(err, paste.ErrConfigNotFound) {
		t.Errorf("%v is no missing file", err)
	}
}

func TestWS05AppLoaded(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "api-paste.ini"), simpleApp+"x = 1\n")
	app, err := paste.Load(path, "", paste.Options{Registry: new(stubs).registry()})
	if err != nil {
		t.Fatal(err)
	}
	got := app.(tree)
	if local := got["local"].(map[string]string); local["x"] != "1" || len(local) != 1 {
		t.Errorf("local settings %v", local)
	}
	if global := got["global"].(map[string]string); global["__file__"] != path || global["here"] != filepath.Dir(path) {
		t.Errorf("global settings %v", global)
	}
}

// All files come through ReadFile, each once in a load.
func TestReadFile(t *testing.T) {
	var read []string
	o := paste.Options{Registry: new(stubs).registry(), ReadFile: func(path string) ([]byte, error) {
		read = append(read, filepath.Base(path))
		if filepath.Base(path) == "two.ini" {
			return []byte(simpleApp), nil
		}
		return []byte("[composite:main]\npaste.composite_factory = stub:urlmap\n/: config:two.ini\n/x: config:two.ini\n"), nil
	}}
	if _, err := paste.Load("one.ini", "", o); err != nil || !slices.Equal(read, []string{"one.ini", "two.ini"}) {
		t.Errorf("read %v, error %v", read, err)
	}
	o.ReadFile = func(string) ([]byte, error) { return nil, fs.ErrPermission }
	if _, err := paste.Load("one.ini", "", o); !errors.Is(err, fs.ErrPermission) || errors.Is(err, paste.ErrConfigNotFound) {
		t.Errorf("a file that may not be read: %v", err)
	}
}

// Every name that is not registered is in the error, with the nearest ones.
func TestUnknownFactories(t *testing.T) {
	const text = `[pipeline:main]
pipeline = a b app
[filter:a]
paste.filter_factory = stub:filtre
[filter:b]
paste.filter_app_factory = stub:filter
[app:app]
use = egg:Nobody#knows
`
	_, err := paste.Load("/x.ini", "", paste.Options{Registry: new(stubs).registry(), ReadFile: fileOf(text)})
	want := []string{
		`could not load paste app "main" from /x.ini: /x.ini:4: [filter:a]: no factory "stub:filtre" is registered for paste.filter_factory; nearest is stub:filter`,
		`/x.ini:6: [filter:b]: no factory "stub:filter" is registered for paste.filter_app_factory, only for paste.filter_factory; nearest is stub:filter_app`,
		`/x.ini:8: [app:app]: no factory "egg:Nobody#knows" is registered for paste.app_factory or paste.composite_factory`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("error %v\nwant  %s", err, strings.Join(want, "\n"))
	}
	if !errors.Is(err, paste.ErrAppNotFound) {
		t.Error("no ErrAppNotFound")
	}
	if _, err := paste.Load("/x.ini", "", paste.Options{ReadFile: fileOf(simpleApp)}); err == nil || strings.Contains(err.Error(), "nearest") {
		t.Errorf("without a registry: %v", err)
	}
}

// What stands in a section may be a password.
func TestErrorsKeepSecrets(t *testing.T) {
	for name, text := range map[string]string{
		"interpolation":     simpleApp + "password = hunter2%\n",
		"missing reference": simpleApp + "password = hunter2%(x)s\n",
		"bad reference":     simpleApp + "password = %(hunter2\n",
		"endless reference": simpleApp + "password = hunter2%(password)s\n",
		"in DEFAULT":        "[DEFAULT]\npassword = hunter2%z\n" + simpleApp,
		"no delimiter":      simpleApp + "hunter2\n",
		"no section":        "x = hunter2\n",
		"a failing factory": "[app:main]\npaste.app_factory = stub:fail\npassword = hunter2\n",
		"an extra setting":  "[pipeline:main]\npipeline = a\npassword = hunter2\n",
		"no loader":         "[app:main]\npassword = hunter2\n",
		"a duplicate":       simpleApp + "password = hunter2\npassword = hunter2\n",
		"not UTF-8":         simpleApp + "password = hunter2\xff\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := paste.Load("/x.ini", "", paste.Options{Registry: new(stubs).registry(), ReadFile: fileOf(text)})
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "/x.ini:") {
				t.Errorf("error %v, want one with a line and without the password", err)
			}
		})
	}
}

// A File may be used by many goroutines, and makes new instances each time.
func TestFileAgain(t *testing.T) {
	r := &paste.Registry{}
	r.App("stub:app", func(_, local map[string]string) (http.Handler, error) {
		local["mine"] = "changed"
		return tree{}, nil
	})
	f, err := paste.Open("/x.ini", paste.Options{Registry: r, ReadFile: fileOf(simpleApp)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := f.App("main"); err != nil {
				t.Error(err)
			}
			if _, err := f.Graph("main"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A factory that keeps no promise is named, and a loader is of no use once it has returned.
func TestFactoriesAtFault(t *testing.T) {
	r := new(stubs).registry()
	r.App("bad:app", func(_, _ map[string]string) (http.Handler, error) { return nil, nil })
	r.Filter("bad:filter", func(_, _ map[string]string) (func(http.Handler) http.Handler, error) { return nil, nil })
	r.FilterApp("bad:wrap", func(http.Handler, map[string]string, map[string]string) (http.Handler, error) { return nil, nil })
	r.Server("bad:server", func(_, _ map[string]string) (paste.Server, error) { return nil, nil })
	var kept paste.Loader
	r.Composite("bad:composite", func(l paste.Loader, _, _ map[string]string) (http.Handler, error) {
		kept = l.With(nil)
		return tree{}, nil
	})
	f, err := paste.Open("/x.ini", paste.Options{Registry: r, ReadFile: fileOf(`[app:app]
paste.app_factory = bad:app
[pipeline:f]
pipeline = f good
[pipeline:w]
pipeline = w good
[filter:f]
paste.filter_factory = bad:filter
[filter:w]
paste.filter_app_factory = bad:wrap
[app:good]
paste.app_factory = stub:app
[composite:c]
paste.composite_factory = bad:composite
[server:s]
paste.server_factory = bad:server
`)})
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{"app": "/x.ini:2: ", "f": "/x.ini:8: ", "w": "/x.ini:10: "} {
		if _, err := f.App(name); err == nil || !strings.Contains(err.Error(), line) || !strings.HasSuffix(err.Error(), "returned nil") {
			t.Errorf("App(%q): %v, want line %s", name, err, line)
		}
	}
	if _, err := f.Server("s"); err == nil {
		t.Error("a server that is nil")
	}
	if _, err := f.App("c"); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.App("good"); err == nil {
		t.Error("a loader that was kept still loads")
	}
}

func TestRegistry(t *testing.T) {
	var s stubs
	r := &paste.Registry{}
	r.App("Some.Dist#main", s.app)
	r.Filter("a.b:c.d", s.filter)
	other := &paste.Registry{}
	other.App("some_dist#other", s.app)
	other.Distribution("Third-Party")
	r.Merge(other)
	if got, want := r.Names(), []string{"a.b:c.d", "some-dist#main", "some-dist#other"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
	if _, err := paste.Load("/x.ini", "", paste.Options{Registry: r, ReadFile: fileOf("[app:main]\nuse = egg:SOME-dist\nrequire = third.party some.dist\n")}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "name", "a:b:c", "#x", "dist#", "a b:c"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a factory called %q was taken", name)
				}
			}()
			r.App(name, s.app)
		}()
	}
}

// Files that would be read without end are refused.
func TestEndless(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("[composite:main]\nuse = call:stub:urlmap\n/a: cA\n")
	for i := range 30 {
		laughs.WriteString("[composite:c" + string(rune('A'+i)) + "]\nuse = call:stub:urlmap\n/a: c" + string(rune('B'+i)) + "\n/b: c" + string(rune('B'+i)) + "\n")
	}
	laughs.WriteString("[app:c" + string(rune('A'+30)) + "]\npaste.app_factory = stub:app\n")
	var doubles strings.Builder
	doubles.WriteString(simpleApp)
	for i := range 9 {
		next := "%(k" + string(rune('B'+i)) + ")s"
		doubles.WriteString("k" + string(rune('A'+i)) + " = " + strings.Repeat(next, 50) + "\n")
	}
	doubles.WriteString("kJ = x\n")
	for name, c := range map[string]struct{ text, want string }{
		"doubling composites": {laughs.String(), "more than 2000"},
		"doubling values":     {doubles.String(), "no end in sight"},
		"growing settings":    {"[DEFAULT]\nx = 1\n[app:main]\nuse = config:x.ini\nset x = %(x)s%(x)s\n", "refers to itself"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := paste.Open("/x.ini", paste.Options{Registry: new(stubs).registry(), ReadFile: fileOf(c.text)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.App(""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("App: %v, want %q", err, c.want)
			}
			if _, err := f.Graph(""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Graph: %v, want %q", err, c.want)
			}
		})
	}
}
