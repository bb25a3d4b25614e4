// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/paste"
)

// testdata/corpus has small files and testdata/pastedeploy.json what Python's PasteDeploy makes of each:
// the tree of what its factories were given, in which order, or the error. The test of the same name in
// package interop holds that pastedeploy.json is true.

// different are the cases where this package decides otherwise, with the tree that it makes, as JSON,
// and why.
var different = map[string]struct{ tree, why string }{
	"filter-with-pipeline.ini": {
		`{"filter":1,"next":{"filter":3,"next":{"app":2}}}`,
		filterWithApp,
	},
	"filter-app-with.ini": {
		`{"filter":1,"next":{"filter":3,"next":{"app":2}}}`,
		filterWithApp,
	},
	"filter-with-twice.ini": {
		`{"filter":1,"next":{"filter":2,"next":{"app":3}}}`,
		filterWithApp,
	},
	"use-call-class.ini": {
		`{"app":1}`,
		"call:module:Class.method is documented there, and does not work",
	},
}

const filterWithApp = "there a filter around anything but a plain section is a function that fails with the first request"

type result struct {
	Refused, Text string
	Tree          json.RawMessage
}

func readResults(t testing.TB) map[string]result {
	t.Helper()
	data, err := os.ReadFile("testdata/pastedeploy.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]result
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

func corpusFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.ini")
	if err != nil || len(files) < 200 {
		t.Fatalf("%d files in the corpus, error %v, want 200 and more", len(files), err)
	}
	return files
}

func TestCorpus(t *testing.T) {
	want := readResults(t)
	here, err := filepath.Abs("testdata/corpus")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range corpusFiles(t) {
		file := filepath.Base(path)
		t.Run(file, func(t *testing.T) {
			w, ok := want[file]
			if !ok {
				t.Fatal("not in pastedeploy.json: make interop with -update adds it")
			}
			got, err := loadCase(t, path)
			text := strings.ReplaceAll(string(got), here, "@")
			if d, ok := different[file]; ok {
				if w.Refused == "" || err != nil {
					t.Errorf("PasteDeploy refuses %q, we %v: no difference as described: %s", w.Refused, err, d.why)
				} else if plain := withoutSettings(t, text); !equalJSON(t, plain, d.tree) {
					t.Errorf("made %s, want %s", plain, d.tree)
				}
				return
			}
			switch {
			case w.Refused != "" && err == nil:
				t.Errorf("made %s, PasteDeploy refuses: %s %s", text, w.Refused, w.Text)
			case w.Refused != "":
				checkRefusal(t, err, w, here)
			case err != nil:
				t.Errorf("refused: %v, PasteDeploy makes %s", err, w.Tree)
			case !equalJSON(t, text, string(w.Tree)):
				t.Errorf("made %s, PasteDeploy makes %s", text, w.Tree)
			}
		})
	}
	for file := range different {
		if _, ok := want[file]; !ok {
			t.Errorf("%s is a difference and not in the corpus", file)
		}
	}
}

func loadCase(t *testing.T, path string) ([]byte, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kind, name, global := directives(string(data))
	var s stubs
	app, err := s.load(path, kind, name, paste.Options{Global: global})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	return text, nil
}

// checkRefusal holds that what is a lookup there is one here, in the same words.
func checkRefusal(t *testing.T, err error, want result, here string) {
	t.Helper()
	text := strings.ReplaceAll(err.Error(), here, "@")
	if text == "" || strings.Contains(text, "\n") {
		t.Errorf("error %q is no line", text)
	}
	if want.Refused != "LookupError" && want.Refused != "KeyError" {
		return
	}
	if !errors.Is(err, paste.ErrAppNotFound) {
		t.Errorf("error %v is no ErrAppNotFound, in PasteDeploy a %s", err, want.Refused)
	}
	begin, _, _ := strings.Cut(want.Text, " (protocols: ")
	begin, _, _ = strings.Cut(begin, ": [(")
	if want.Refused == "LookupError" && !strings.Contains(text, begin) && !strings.HasPrefix(begin, "Entry point ") {
		t.Errorf("error %q, in PasteDeploy %q", text, begin)
	}
}

func equalJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// withoutSettings leaves the shape of a tree.
func withoutSettings(t *testing.T, text string) string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	for node := tree; node != nil; node, _ = node["next"].(map[string]any) {
		delete(node, "global")
		delete(node, "local")
	}
	out, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func readCorpus(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
