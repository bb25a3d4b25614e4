// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mainstay-go/mainstay/config"
)

// A home that is closed to us has no files, as os.path.exists says; a file that is closed is an error.
func TestClosedFiles(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "nova.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		home   string
		closed bool
	}{
		"the file is there":                      {home, true},
		"the folder is closed, or there is none": {filepath.Join(home, "other"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{env: map[string]string{"HOME": c.home}}
			o := w.options()
			o.ReadFile = func(name string) ([]byte, error) {
				if filepath.Dir(name) == c.home {
					return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
				}
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			err := config.New(o).Parse(nil)
			if errors.Is(err, fs.ErrPermission) != c.closed || !c.closed && err != nil {
				t.Errorf("Parse = %v, want an error: %v", err, c.closed)
			}
		})
	}
}

// The real disk: files and folders as a program finds them.
func TestDisk(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{
		".nova/nova.conf": "[DEFAULT]\na = file\n", "nova.conf.d/2.conf": "[DEFAULT]\na = two\n",
		"nova.conf.d/1.conf": "[DEFAULT]\na = one\n", "nova.conf.d/.3.conf": "[DEFAULT]\na = hidden\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	c := config.New(config.Options{Project: "nova", Program: "mainstay-test", Logger: quiet()})
	if err := c.Declare("", config.Option{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse(nil); err != nil {
		t.Fatal(err)
	}
	at, err := c.Location("", "a")
	want := config.Location{Source: config.FromFile, File: filepath.Join(home, "nova.conf.d/2.conf"), Line: 2}
	if err != nil || at != want {
		t.Errorf("a is from %v, %v, want %v", at, err, want)
	}
	if got := c.Snapshot().Files(); len(got) != 1 || got[0] != filepath.Join(home, ".nova/nova.conf") {
		t.Errorf("Files = %q", got)
	}
}
