// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/paste"
)

const pasteDir = "../paste/testdata/"

// pasteDeploy runs PasteDeploy on a corpus, or on a file with a name and a list of factories.
func pasteDeploy(t *testing.T, args ...string) string {
	t.Helper()
	python := "/usr/bin/python3" // Debian's, which need not be the first in PATH
	if _, err := try(python, "-c", "import paste.deploy.loadwsgi"); err != nil {
		missing(t, "python3-pastedeploy")
	}
	cmd := exec.Command(python, append([]string{"-B", "testdata/read_paste.py"}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("PasteDeploy on %v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// TestPasteCorpus holds that the results in package paste, which its own test of the corpus is held to,
// are those of PasteDeploy: the same tree or the same refusal. With -update it writes them.
func TestPasteCorpus(t *testing.T) {
	got := pasteDeploy(t, pasteDir+"corpus")
	compareRecord(t, got, pasteDir+"pastedeploy.json")
	if n := strings.Count(got, ".ini\": {"); n < 200 {
		t.Errorf("%d cases, want 200 and more", n)
	}
}

// TestDebianPasteFiles loads api-paste.ini of Debian's packages as they are, with stand-ins for the
// factories that they name, every application on its own. PasteDeploy makes the same of them.
func TestDebianPasteFiles(t *testing.T) {
	for program, c := range map[string]struct {
		apps    int // sections that are applications
		factors int // factories named
	}{
		"nova":    {12, 19},
		"neutron": {6, 15},
	} {
		t.Run(program, func(t *testing.T) {
			dir := unpack(t, program+"-common")
			file := filepath.Join(dir, "usr/share", program+"-common", "api-paste.ini")
			f, err := paste.Open(file, paste.Options{})
			if err != nil {
				t.Fatal(err)
			}
			factories := factoriesOf(t, f)
			if len(factories) < c.factors {
				t.Errorf("%d factories in %s, want %d: %v", len(factories), file, c.factors, factories)
			}
			list, err := json.Marshal(factories)
			if err != nil {
				t.Fatal(err)
			}
			listFile := write(t, dir, "factories.json", list)
			apps := 0
			for _, s := range f.Sections() {
				if s.Kind == "filter" || s.Kind == "server" {
					continue
				}
				apps++
				want := pasteDeploy(t, file, s.Name, listFile)
				got := loadStandIns(t, file, s.Name, factories)
				if got != want {
					t.Errorf("[%s:%s]: %s", s.Kind, s.Name, firstDifference(got, want))
				}
			}
			if apps < c.apps {
				t.Errorf("%d applications in %s, want %d", apps, file, c.apps)
			}
		})
	}
}

// factoriesOf returns protocol and name of every factory that the sections of a file name.
func factoriesOf(t *testing.T, f *paste.File) (factories [][2]string) {
	t.Helper()
	seen := map[[2]string]bool{}
	for _, s := range f.Sections() {
		n, err := f.Graph(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		for node := range n.All() {
			if node.Factory == "" {
				continue
			}
			name := strings.TrimPrefix(strings.TrimPrefix(node.Factory, "egg:"), "call:")
			protocol := map[string]string{"app": "app_factory", "filter": "filter_factory", "composite": "composite_factory", "server": "server_factory"}[node.Kind]
			if one := [2]string{protocol, name}; !seen[one] {
				seen[one] = true
				factories = append(factories, one)
			}
		}
	}
	return factories
}

// A standIn is what read_paste.py makes of a factory.
type standIn map[string]any

func (standIn) ServeHTTP(http.ResponseWriter, *http.Request) {}

// loadStandIns loads an application and writes it as read_paste.py does.
func loadStandIns(t *testing.T, file, name string, factories [][2]string) string {
	t.Helper()
	made := 0
	node := func(kind string, global, local map[string]string) standIn {
		made++
		return standIn{kind: made, "global": global, "local": local}
	}
	urlmap := func(l paste.Loader, global, local map[string]string) (http.Handler, error) {
		n, parts := node("composite", global, local), []any{}
		for _, key := range l.Keys() {
			app, err := l.With(global).App(local[key])
			if err != nil {
				return nil, err
			}
			parts = append(parts, []any{key, app})
		}
		n["parts"] = parts
		return n, nil
	}
	pipeline := func(l paste.Loader, global, local map[string]string) (http.Handler, error) {
		n := node("composite", global, local)
		app, err := paste.Pipelines(func() string { return "keystone" })(l, global, local)
		n["parts"] = []any{[]any{"keystone", app}}
		return n, err
	}
	registry := &paste.Registry{}
	for _, f := range factories {
		switch protocol, name := f[0], f[1]; {
		case protocol == "app_factory":
			registry.App(name, func(global, local map[string]string) (http.Handler, error) { return node("app", global, local), nil })
		case protocol == "filter_factory":
			registry.Filter(name, func(global, local map[string]string) (func(http.Handler) http.Handler, error) {
				n := node("filter", global, local)
				return func(next http.Handler) http.Handler {
					return standIn{"filter": n["filter"], "global": global, "local": local, "next": next}
				}, nil
			})
		case strings.Contains(name, "pipeline_factory"):
			registry.Composite(name, pipeline)
		default:
			registry.Composite(name, urlmap)
		}
	}
	app, err := paste.Load(file, name, paste.Options{Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(map[string]any{"tree": app}); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(out.String(), filepath.Dir(file), "@")
}
