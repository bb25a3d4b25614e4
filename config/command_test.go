// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/config"
)

var update = flag.Bool("update", false, "write testdata/sample.conf")

type daemonOptions struct {
	Host     string   `config:"host,cli" default:"localhost" help:"Name of this host."`
	Workers  *int     `config:"workers" min:"1" deprecated:"DEFAULT.api_workers,procs" help:"Processes.\n\n* unset: as many as CPUs"`
	Debug    bool     `config:"debug,mutable,cli" short:"d" default:"false" help:"Say more."`
	Level    string   `config:"level" choices:"low,high," default:"low" removal:"Nobody turns it." since:"2026.1" help:"How far."`
	Drivers  []string `config:"driver,multi" help:"Where to send messages."`
	Password string   `config:"password,secret" default:"initial" help:"A secret."`
	Timeout  int      `config:"timeout,advanced" unit:"seconds" default:"60" min:"0" max:"3600" help:"A line of help that is so long that it does not fit into one line of the sample file."`
	Names    []string `config:"names" default:"a,b" sample:"x,y" help:"Names."`
	Blank    string   `config:"blank" default:" x "`
}

func newDaemon(t *testing.T, w *world) *config.Config {
	t.Helper()
	c := config.New(w.options())
	if err := c.Register("", daemonOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Declare("api", config.Option{Name: "port", Type: config.Port{}, Default: 80, Help: "Port."}); err != nil {
		t.Fatal(err)
	}
	c.DescribeGroup("api", "The API.")
	return c
}

func TestSample(t *testing.T) {
	c := newDaemon(t, &world{})
	if err := c.SetDefault("", "timeout", 90); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := c.WriteSample(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/sample.conf", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/sample.conf")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("WriteSample wrote\n%s\nwant testdata/sample.conf", got.String())
	}
}

// The sample of the corpus' options is that of oslo-config-generator, which package interop records. It
// shows the default of a secret, and this package does not.
func TestOsloSample(t *testing.T) {
	want, err := os.ReadFile("testdata/oslo-sample.conf")
	if err != nil {
		t.Fatal(err)
	}
	c := config.New((&world{}).options())
	for _, d := range readSchema(t, "testdata/schema.json") {
		if err := c.Declare(d.Group, d.option()); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	if err := c.WriteSample(&got); err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d differs: %d lines, %q; want %d, %q", i+1, len(g), g[min(i, len(g)-1)], len(w), w[min(i, len(w)-1)])
		}
	}
}

// A sample with all its comments removed from assignments sets every option to its default.
func TestSampleSetsDefaults(t *testing.T) {
	var b strings.Builder
	if err := newDaemon(t, &world{}).WriteSample(&b); err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for line := range strings.Lines(b.String()) {
		plain := strings.Contains(line, "<None>") || strings.HasPrefix(line, "#password") || strings.HasPrefix(line, "#names") || strings.HasPrefix(line, "#driver")
		if !plain && strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") && strings.Contains(line, " = ") {
			line = line[1:]
		}
		file.WriteString(line)
	}
	w := &world{files: map[string]string{"/c": file.String()}}
	c := newDaemon(t, w)
	defaults := c.Snapshot()
	if err := c.Parse([]string{"--config-file=/c"}); err != nil {
		t.Fatal(err)
	}
	if changes := config.Compare(defaults, c.Snapshot()); len(changes) > 0 {
		t.Errorf("the sample changes %v", changes)
	}
	if at, _ := c.Location("", "timeout"); at.Source != config.FromFile {
		t.Errorf("timeout is from %v, want the sample file", at)
	}
}

func TestCommand(t *testing.T) {
	const file = "[DEFAULT]\nhost = web1\nprocs = 2\npassword = hunter2\ndriver = a\ndriver = $host\ntimout = 5\n"
	for name, c := range map[string]struct {
		file string
		args string
		want string // what it writes
		err  string
	}{
		"not ours": {file, "run", "", ""},
		"validate": {file, "config validate --config-file=/c",
			"warning: /c:3: [DEFAULT] procs is deprecated: use [DEFAULT] workers\nwarning: /c:7: unknown option [DEFAULT] timout; nearest is [DEFAULT] timeout\n/c, configuration: good\n", ""},
		"validate strictly": {file, "config validate --strict --config-file=/c",
			"warning: /c:3: [DEFAULT] procs is deprecated: use [DEFAULT] workers\n", "/c:7: unknown option [DEFAULT] timout; nearest is [DEFAULT] timeout"},
		"validate a broken file": {"[DEFAULT]\nworkers = 0\ndebug\n", "config validate --config-file=/c", "",
			"/c:2: [DEFAULT] workers = \"0\": want an integer of at least 1\n/c:3: want \"key = value\", \"key: value\", \"[section]\" or a comment"},
		"show what is set": {file, "config show --set --config-file=/c --debug",
			"[DEFAULT]\n# /c:2\nhost = web1\n# /c:3\nworkers = 2\n# command line\ndebug = true\n# /c:6\ndriver = a\ndriver = web1\n# /c:4\npassword = ****\n", ""},
		"show a default": {"", "config show --config-file=/c", "[api]\n# default\nport = 80\n", ""},
		"diff": {file, "config diff /running --config-file=/c",
			"DEFAULT.host changed from [old] to [web1] (needs a reload)\nDEFAULT.workers changed from [None] to [2] (needs a reload)\nDEFAULT.driver changed from [] to [a, web1] (needs a reload)\n", ""},
		"no verb": {file, "config", "config sample", ""},
		"unknown": {file, "config shout", "", "config shout: want sample, validate, show or diff"},
		"help":    {file, "config show --help", "config sample", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{files: map[string]string{"/c": c.file, "/old": "[DEFAULT]\nhost = old\ndriver =\n"}}
			var running strings.Builder
			if _, err := newDaemon(t, w).Command([]string{"config", "show", "--json", "--config-file=/old"}, &running); err != nil {
				t.Fatal(err)
			}
			w.files["/running"] = running.String()
			var out strings.Builder
			done, err := newDaemon(t, w).Command(strings.Fields(c.args), &out)
			if done != strings.HasPrefix(c.args, "config") {
				t.Errorf("done = %v", done)
			}
			if text := errorText(err); text != c.err {
				t.Errorf("error %q, want %q", text, c.err)
			}
			if !strings.Contains(out.String(), c.want) || c.want == "" && out.String() != "" {
				t.Errorf("wrote\n%s\nwant\n%s", out.String(), c.want)
			}
			if strings.Contains(out.String()+errorText(err), "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckUnknown(t *testing.T) {
	w := &world{files: map[string]string{"/c": "[DEFAULT]\nnope = 1\n"}}
	c := newDaemon(t, w)
	if err := c.Parse([]string{"--config-file=/c"}); err != nil {
		t.Fatal(err)
	}
	var u config.UnknownError
	if err := c.CheckUnknown(); !errors.As(err, &u) || u[0].Option != "nope" {
		t.Errorf("CheckUnknown = %v", err)
	}
}

func TestUsage(t *testing.T) {
	var b strings.Builder
	if err := newDaemon(t, &world{}).Usage(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"usage: nova-api [flags]", "  --config-file PATH  ", "  --host HOST                        Name of this host.\n", "  -d, --debug, --nodebug             Say more.\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("Usage has no %q:\n%s", want, b.String())
		}
	}
}
