// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package mainstay_test

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

const (
	copyrightLine = "SPDX-FileCopyrightText: The mainstay authors"
	licenseLine   = "SPDX-License-Identifier: Apache-2.0"
)

// TestHeaders holds that every file of code opens with the two-line licence header; a script may have
// its interpreter line first.
func TestHeaders(t *testing.T) {
	checked, tree := 0, os.DirFS(".")
	err := walkTree(tree, func(name string) error {
		data, err := fs.ReadFile(tree, name)
		if err != nil || !isCode(name, data) {
			return err
		}
		checked++
		if !hasHeader(data) {
			t.Errorf("%s: want %q and %q, as comments, in its first lines", name, copyrightLine, licenseLine)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Fatal("found no files of code")
	}
}

func TestHasHeader(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"a Go file":                {"// " + copyrightLine + "\n// " + licenseLine + "\n\npackage x\n", true},
		"a script":                 {"#!/bin/sh\n# " + copyrightLine + "\n# " + licenseLine + "\n", true},
		"no header":                {"package x\n", false},
		"one line only":            {"// " + licenseLine + "\n\npackage x\n", false},
		"the header further below": {"package x\n\n// " + copyrightLine + "\n// " + licenseLine + "\n", false},
		"an empty file":            {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hasHeader([]byte(c.text)); got != c.want {
				t.Errorf("hasHeader(%q) = %v, want %v", c.text, got, c.want)
			}
		})
	}
}

// isCode reports whether a file is a program's text rather than data or prose.
func isCode(name string, data []byte) bool {
	switch path.Ext(name) {
	case ".go", ".sh", ".py":
		return true
	}
	return path.Base(name) == "Makefile" || bytes.HasPrefix(data, []byte("#!"))
}

// hasHeader reports whether the two lines of the header come first.
func hasHeader(data []byte) bool {
	var lines []string
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan() && len(lines) < 2; {
		if len(lines) == 0 && strings.HasPrefix(s.Text(), "#!") {
			continue
		}
		lines = append(lines, strings.TrimLeft(s.Text(), "/# "))
	}
	return len(lines) == 2 && lines[0] == copyrightLine && lines[1] == licenseLine
}

// walkTree calls visit with each file of a repository that is not somebody's data: hidden folders but
// .ci, testdata and what the build makes are left out.
func walkTree(fsys fs.FS, visit func(name string) error) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case err != nil:
			return err
		case name == "." || name == ".ci":
			return nil
		case d.IsDir() && (strings.HasPrefix(base, ".") || base == "testdata" || name == "bin"):
			return fs.SkipDir
		case d.Type().IsRegular():
			return visit(name)
		}
		return nil
	})
}
