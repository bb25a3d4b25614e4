// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package mainstay_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// importPolicy says which package may import which: imports go down. A line is a package, a colon and
// what it may import besides the standard library and golang.org/x. The word public means every
// package of this module that is not internal; a word with a dot in its first element is a module of
// somebody else, which a driver may have and a core package not. A line that ends in /... speaks for
// all packages below it. External tests (package x_test) may import every package of this module.
//
// A package without a line here is a failure, as is a line without a package. New lines, and longer
// ones, are argued in the commit that adds them.
const importPolicy = `
	# 0: what the others stand on
	.:
	internal/drain:
	internal/memfd:
	internal/scoreboard: internal/memfd
	internal/bind:
	internal/wire:
	internal/handover:
	internal/core:
	internal/ini:
	systemd:
	control:
	looping:
	tlsfiles:

	# 1: processes, and what lives in them
	internal/proc: internal/wire internal/bind internal/scoreboard internal/drain internal/memfd
	socket: internal/proc internal/bind internal/drain systemd
	service: internal/proc internal/core internal/wire internal/bind internal/memfd internal/drain internal/handover internal/scoreboard control systemd
	config: internal/ini
	paste: internal/ini
	urlmap: paste
	route: urlmap
	middleware/stock: middleware paste urlmap config
	logging: config internal/memfd
	prove: control
	workgroup: looping
	periodic:
	periodic/cron: github.com/netresearch/go-cron
	periodic/leasetest: periodic
	# the databases are opened by its tests alone
	periodic/sqllease: periodic modernc.org/sqlite github.com/jackc/pgx github.com/go-sql-driver/mysql

	# 2: services
	web: socket tlsfiles internal/drain internal/handover internal/scoreboard
	middleware: logging
	proxyproto:
	servicetest: service internal/drain

	# 3: programs, and what they are made with
	daemon: service config logging control socket
	cmd/mainstay: public github.com/spf13/cobra github.com/rogpeppe/go-internal
	examples/...: public

	# beside the product: servers and clients of other people, and this product measured among them
	internal/peer:
	internal/samplefile: config
	internal/bench: prove config control logging internal/peer internal/samplefile internal/bench/timers
	internal/bench/bare:
	internal/bench/pipeline: middleware logging
	internal/selfsigned:
	internal/soak: prove control internal/peer internal/selfsigned
	internal/bench/timers: looping periodic
	internal/bench/peers/timers: internal/bench/timers github.com/robfig/cron github.com/go-co-op/gocron
	interop: public internal/peer internal/samplefile
`

const modulePath = "github.com/mainstay-go/mainstay"

// TestImports holds the tree to importPolicy. It reads the files itself, so that files for other
// systems and tags count too, and a package that does not build is no excuse.
func TestImports(t *testing.T) {
	faults, err := checkImports(os.DirFS("."), importPolicy)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func TestCheckImports(t *testing.T) {
	const policy = "low:\nhigh: low\ndriver: example.com/client\nprogs/...: public\n"
	const mod = `"` + modulePath + `/`
	tree := map[string]string{
		"low/low.go":           `package low; import "fmt"`,
		"high/high.go":         `package high; import ` + mod + `low"`,
		"driver/driver.go":     `package driver; import ("example.com/client/v2"; "golang.org/x/sys/unix")`,
		"progs/one/main.go":    `package main; import ` + mod + `high"`,
		"low/low_test.go":      `package low_test; import ` + mod + `high"`,
		"low/testdata/bad.go":  `package bad; import "example.com/elsewhere"`,
		".hidden/whatever.go":  `package whatever`,
		"progs/two/README.txt": `not Go`,
	}
	for name, c := range map[string]struct {
		add    map[string]string // an empty text removes the file
		policy string
		want   []string
	}{
		"a tree in order": {},
		"an import that goes up": {
			add:  map[string]string{"low/up.go": `package low; import ` + mod + `high"`},
			want: []string{"low/up.go: low may not import high"},
		},
		"in a file for another system": {
			add:  map[string]string{"low/up_windows.go": "//go:build never\n\npackage low; import " + mod + `high"`},
			want: []string{"low/up_windows.go: low may not import high"},
		},
		"in a test of the package itself": {
			add:  map[string]string{"low/in_test.go": `package low; import ` + mod + `high"`},
			want: []string{"low/in_test.go: low may not import high"},
		},
		"a client library in a core package": {
			add:  map[string]string{"high/db.go": `package high; import "example.com/client"`},
			want: []string{"high/db.go: high may not import example.com/client, which is not the standard library or golang.org/x"},
		},
		"a client library whose name only begins alike": {
			add:  map[string]string{"driver/db.go": `package driver; import "example.com/clients"`},
			want: []string{"driver/db.go: driver may not import example.com/clients, which is not the standard library or golang.org/x"},
		},
		"C": {
			add:  map[string]string{"high/c.go": `package high; import "C"`},
			want: []string{"high/c.go: high may not import C: mainstay builds without a C compiler"},
		},
		"a program that reaches inside": {
			add:    map[string]string{"internal/in/in.go": `package in`, "progs/one/in.go": `package main; import ` + mod + `internal/in"`},
			policy: policy + "internal/in:\n",
			want:   []string{"progs/one/in.go: progs/one may not import internal/in"},
		},
		"a package without a line": {
			add:  map[string]string{"stray/stray.go": `package stray`},
			want: []string{"stray: no line in the import policy"},
		},
		"a line without a package": {
			add:  map[string]string{"driver/driver.go": ""},
			want: []string{"driver: in the import policy, but there is no such package"},
		},
		"a pattern without a package": {
			add:  map[string]string{"progs/one/main.go": ""},
			want: []string{"progs/...: in the import policy, but there is no such package"},
		},
		"a line that allows what is not there": {
			policy: "low: gone\nhigh: low\ndriver: example.com/client\nprogs/...: public\n",
			want:   []string{"gone: in the import policy, but there is no such package"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for _, files := range []map[string]string{tree, c.add} {
				for name, text := range files {
					fsys[name] = &fstest.MapFile{Data: []byte(text)}
					if text == "" {
						delete(fsys, name)
					}
				}
			}
			if c.policy == "" {
				c.policy = policy
			}
			got, err := checkImports(fsys, c.policy)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("checkImports = %q, want %q", got, c.want)
			}
		})
	}
}

// checkImports returns what in a tree is against a policy, one sentence each, sorted.
func checkImports(fsys fs.FS, policy string) ([]string, error) {
	rules, err := parsePolicy(policy)
	if err != nil {
		return nil, err
	}
	var faults []string
	fault := func(format string, args ...any) {
		if f := fmt.Sprintf(format, args...); !slices.Contains(faults, f) {
			faults = append(faults, f)
		}
	}

	pkgs := map[string]bool{}
	err = walkTree(fsys, func(name string) error {
		if path.Ext(name) != ".go" {
			return nil
		}
		pkg := path.Dir(name)
		pkgs[pkg] = true
		key, ok := ruleOf(rules, pkg)
		if !ok {
			fault("%s: no line in the import policy", pkg)
			return nil
		}
		imports, external, err := importsOf(fsys, name)
		for _, imp := range imports {
			if why := refuse(rules[key], pkg, imp, external); why != "" {
				fault("%s: %s may not import %s", name, pkg, why)
			}
		}
		return err
	})
	for key, allowed := range rules {
		for _, name := range append([]string{key}, allowed...) {
			if name != "public" && !thirdParty(name) && !exists(pkgs, name) {
				fault("%s: in the import policy, but there is no such package", name)
			}
		}
	}
	slices.Sort(faults)
	return faults, err
}

// parsePolicy returns what each package or pattern may import.
func parsePolicy(policy string) (map[string][]string, error) {
	rules := map[string][]string{}
	for line := range strings.Lines(policy) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, allowed, ok := strings.Cut(line, ":")
		if _, twice := rules[name]; !ok || twice {
			return nil, fmt.Errorf("import policy: %q is no line of its own with a colon", line)
		}
		rules[name] = strings.Fields(allowed)
	}
	return rules, nil
}

// ruleOf returns the key of the line that speaks for pkg: its own, else that of the nearest pattern.
func ruleOf(rules map[string][]string, pkg string) (string, bool) {
	if _, ok := rules[pkg]; ok {
		return pkg, true
	}
	for dir := pkg; dir != "."; dir = path.Dir(dir) {
		key := dir + "/..."
		if _, ok := rules[key]; ok {
			return key, true
		}
	}
	return "", false
}

// importsOf returns what a file imports, and whether it belongs to an external test.
func importsOf(fsys fs.FS, name string) (imports []string, external bool, err error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, false, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return nil, false, err
	}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, false, err
		}
		imports = append(imports, imp)
	}
	external = strings.HasSuffix(name, "_test.go") && strings.HasSuffix(f.Name.Name, "_test")
	return imports, external, nil
}

// refuse returns why pkg may not import imp, beginning with its name, or nothing if it may.
func refuse(allowed []string, pkg, imp string, external bool) string {
	own, ours := strings.CutPrefix(imp, modulePath+"/")
	switch {
	case imp == "C":
		return "C: mainstay builds without a C compiler"
	case ours || imp == modulePath:
		isPublic := slices.Contains(allowed, "public") && !slices.Contains(strings.Split(own, "/"), "internal")
		if external || isPublic || own == pkg || slices.Contains(allowed, own) {
			return ""
		}
		return own
	case !thirdParty(imp) || strings.HasPrefix(imp, "golang.org/x/"):
		return ""
	}
	for _, module := range allowed {
		if thirdParty(module) && (imp == module || strings.HasPrefix(imp, module+"/")) {
			return ""
		}
	}
	return imp + ", which is not the standard library or golang.org/x"
}

// thirdParty reports whether an import path is outside the standard library: its first element has a
// dot in it.
func thirdParty(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return strings.Contains(strings.TrimPrefix(first, "."), ".")
}

// exists reports whether there is a package of that name, or one below a name that ends in /...
func exists(pkgs map[string]bool, name string) bool {
	parent, pattern := strings.CutSuffix(name, "/...")
	for pkg := range pkgs {
		if pkg == name || pattern && strings.HasPrefix(pkg, parent+"/") {
			return true
		}
	}
	return false
}
