// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/paste"
)

// FuzzLoad loads any text, which may refer to itself and to one other file. Whatever comes of it comes
// again, in bounded time; an error is text without what only a value has; what loads has a graph.
func FuzzLoad(f *testing.F) {
	for _, path := range corpusFiles(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	const secret = "xyzzy-secret"
	other := []byte("[DEFAULT]\nb = 1\n[app:main]\npaste.app_factory = stub:app\n[filter:f]\nuse = egg:Stub.Dist\n[composite:c]\nuse = call:stub:urlmap\n/: main\n")
	f.Fuzz(func(t *testing.T, data []byte) {
		text := bytes.ReplaceAll(data, []byte("\npassword"), []byte("\n"))
		o := paste.Options{
			Global: map[string]string{"password": secret},
			ReadFile: func(path string) ([]byte, error) {
				switch filepath.Base(path) {
				case "x.ini":
					return text, nil
				case "plain.ini":
					return other, nil
				}
				return nil, fs.ErrNotExist
			},
		}
		kind, name, _ := directives(string(text))
		load := func() (string, error) {
			var s stubs
			app, err := s.load("/x.ini", kind, name, o)
			if err != nil {
				return "", err
			}
			made, err := json.Marshal(app)
			if err != nil {
				t.Fatal(err)
			}
			return string(made), nil
		}
		made, err := load()
		again, errAgain := load()
		if made != again || (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Errorf("made %s, error %v, and then %s, error %v", made, err, again, errAgain)
		}
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" || strings.Contains(err.Error(), secret) && !bytes.Contains(text, []byte("%(password")) {
				t.Errorf("error %q", err)
			}
			return
		}
		file, err := paste.Open("/x.ini", paste.Options{Registry: new(stubs).registry(), ReadFile: o.ReadFile, Global: o.Global})
		if err != nil {
			t.Fatal(err)
		}
		// By name an application comes first, and only strings that are names of sections are certain to
		// be what was loaded.
		if kind != "app" {
			return
		}
		n, err := file.Graph(name)
		var e *paste.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("loads, and has no graph: %v", err)
		}
		if err == nil {
			if err := n.WriteTree(&strings.Builder{}); err != nil {
				t.Error(err)
			}
		}
	})
}
