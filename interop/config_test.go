// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/internal/samplefile"
)

var updateCorpus = flag.Bool("update", false, "write what oslo.config makes of the corpus into package config")

const corpusDir = "../config/testdata/"

// oslo runs oslo.config on a corpus or a file.
func oslo(t *testing.T, schema, path string) string {
	t.Helper()
	python := needOslo(t)
	cmd := exec.Command(python, "-B", "testdata/read_corpus.py", schema, path)
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oslo.config on %s: %v: %s", path, err, stderr.String())
	}
	return string(out)
}

// needOslo returns the Python that has oslo.config: Debian's, which need not be the first in PATH.
func needOslo(t *testing.T) string {
	t.Helper()
	python := "/usr/bin/python3"
	if _, err := try(python, "-c", "import oslo_config.cfg"); err != nil {
		missing(t, "python3-oslo.config")
	}
	return python
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s on this machine, and CI tests with it", what)
	}
	t.Skipf("no %s on this machine: make interop installs it as root on Debian", what)
}

// TestOsloCorpus holds that the results in package config, which its own test of the corpus is held
// to, are those of oslo.config: same values or same refusal. With -update it writes them.
func TestOsloCorpus(t *testing.T) {
	got := oslo(t, corpusDir+"schema.json", corpusDir+"corpus")
	compareRecord(t, got, corpusDir+"oslo.json")
	if n := strings.Count(got, ".conf\": {"); n < 150 {
		t.Errorf("%d cases, want 150 and more", n)
	}
}

// TestOsloSample is the same for the sample file of the corpus' options.
func TestOsloSample(t *testing.T) {
	compareRecord(t, oslo(t, corpusDir+"schema.json", "--sample"), corpusDir+"oslo-sample.conf")
}

func compareRecord(t *testing.T, got, file string) {
	t.Helper()
	if *updateCorpus {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what oslo.config says: %s; -update writes it", file, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is %q, want %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// TestDebianFiles reads nova.conf and neutron.conf of Debian's packages, with the options that their
// comments describe, as they are and with every default written out. All options must have the values
// that oslo.config gives them, down to the text of its dump.
func TestDebianFiles(t *testing.T) {
	needOslo(t)
	for program, file := range map[string]string{
		"nova":    "usr/share/nova-common/nova.conf",
		"neutron": "usr/share/neutron-common/neutron.conf",
	} {
		t.Run(program, func(t *testing.T) {
			dir := unpack(t, program+"-common")
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			options, full := samplefile.Read(string(data))
			if len(options) < 200 {
				t.Fatalf("%d options found in %s", len(options), file)
			}
			schema, err := json.Marshal(options)
			if err != nil {
				t.Fatal(err)
			}
			schemaFile := write(t, dir, "schema.json", schema)
			for name, text := range map[string]string{"as packaged": string(data), "with all defaults": full} {
				t.Run(name, func(t *testing.T) {
					path := write(t, dir, program+".conf", []byte(text))
					want := oslo(t, schemaFile, path)
					got := dump(t, options, path)
					if got != want {
						t.Errorf("%d options: %s", len(options), firstDifference(got, want))
					}
				})
			}
		})
	}
}

// unpack downloads a package and unpacks it into a folder of the test.
func unpack(t *testing.T, pkg string) string {
	t.Helper()
	aptGet, dpkg := need(t, "apt-get"), need(t, "dpkg-deb")
	dir := folder(t)
	cmd := exec.Command(aptGet, "-q", "download", pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("%s", out)
		missing(t, "package "+pkg+" to be had")
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("downloaded %v, error %v", debs, err)
	}
	run(t, dpkg, "-x", debs[0], dir)
	return dir
}

// dump returns what LogValues logs for a file.
func dump(t *testing.T, options []samplefile.Option, path string) string {
	t.Helper()
	c := config.New(config.Options{Project: "corpus", Program: "corpus", DefaultFiles: []string{}, DefaultDirs: []string{}})
	if err := samplefile.Declare(c, options); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--config-file", path}); err != nil {
		t.Fatal(err)
	}
	var out lines
	c.LogValues(slog.New(&out), slog.LevelDebug)
	return out.String()
}

// lines is a handler of a logger that keeps the messages.
type lines struct{ strings.Builder }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	fmt.Fprintln(l, r.Message)
	return nil
}
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *lines) WithGroup(string) slog.Handler      { return l }
