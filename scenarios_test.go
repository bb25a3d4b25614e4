// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package mainstay_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestScenarioTable holds docs/scenarios.md to the tests there are: each one that it names exists in
// the package that it names, and each test whose name begins with an id is in it.
func TestScenarioTable(t *testing.T) {
	page, err := os.ReadFile("docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	there, err := scenarioTests(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^\| [A-Z]+-\d\S* \|([^|]*)\|`).FindAllStringSubmatch(string(page), -1) {
		for part := range strings.SplitSeq(row[1], ";") {
			pkg, names, _ := strings.Cut(strings.TrimSpace(part), ": ")
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(names, -1) {
				named[pkg+" "+name[1]] = true
			}
		}
	}
	for test := range named {
		if !there[test] {
			t.Errorf("docs/scenarios.md names %s, which is not there", test)
		}
	}
	for test := range there {
		if !named[test] {
			t.Errorf("%s is not in docs/scenarios.md", test)
		}
	}
	if len(named) < 100 {
		t.Errorf("docs/scenarios.md names %d tests, which cannot be all", len(named))
	}
}

// scenarioTests returns the tests and transcripts whose names begin with the id of a scenario, each
// as package and name.
func scenarioTests(fsys fs.FS) (map[string]bool, error) {
	ids := regexp.MustCompile(`^(SVC|CT|THS|THL|LC|TG|PT|OPT|WS|SSL|SD|X)-?\d\d`)
	tests := regexp.MustCompile(`(?m)^func Test(\w+)\(`)
	there := make(map[string]bool)
	err := fs.WalkDir(fsys, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(file, "_test.go"):
			text, err := fs.ReadFile(fsys, file)
			if err != nil {
				return err
			}
			for _, m := range tests.FindAllStringSubmatch(string(text), -1) {
				if ids.MatchString(m[1]) {
					there[fmt.Sprintf("%s Test%s", path.Dir(file), m[1])] = true
				}
			}
		case strings.HasPrefix(file, "internal/core/testdata/") && ids.MatchString(path.Base(file)):
			there["internal/core "+path.Base(file)] = true
		}
		return nil
	})
	return there, err
}
