// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// CT-08: the two options of oslo.service's glue are there, and all options are dumped at start, once for
// all processes.
func TestCT08OptionsAreLoggedAtStart(t *testing.T) {
	for _, workers := range []string{"1", "3"} {
		t.Run(workers, func(t *testing.T) {
			p := start(t, "--workers", workers, "--debug", "--shutdown-timeout", "7")
			p.said(2, strings.Repeat("*", 80))
			p.said(1, "graceful_shutdown_timeout", "= 7")
			p.said(1, "log_options", "= True")
			p.said(1, "app.token", "= ****")
			p.said(1, "app.first", "= 1")
			p.said(1, "Configuration options gathered from:")
			p.stops()
		})
	}
	t.Run("not with log_options = false", func(t *testing.T) {
		p := prepare(t, "--debug", "--listen", "127.0.0.1:0")
		p.write("conf.d/zz.conf", "[DEFAULT]\nlog_options = false\n")
		p.begin()
		p.all(1)
		p.said(0, strings.Repeat("*", 80))
		p.stops()
	})
}

// run runs the program with more arguments to its end.
func (p *program) run(args ...string) (out string, code int) {
	p.t.Helper()
	cmd := p.command(append(append([]string{}, p.cmd.Args[1:]...), args...)...)
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text), 0
}

func TestUnknownOptionsStopNothing(t *testing.T) {
	p := prepare(t, "--listen", "127.0.0.1:0")
	p.write("conf.d/zz.conf", "[DEFAULT]\ngraceful_shutdown_timeuot = 5\n[app]\nwrod = x\n[ap]\nfirst = 1\n")
	want := []string{
		"zz.conf:2: unknown option [DEFAULT] graceful_shutdown_timeuot; nearest is [DEFAULT] graceful_shutdown_timeout",
		"zz.conf:4: unknown option [app] wrod; nearest is [app] word",
		"zz.conf:6: unknown group [ap]; nearest is [app]",
	}
	for flags, code := range map[string]int{"--check": 0, "--check --strict": 1} {
		out, got := p.run(strings.Fields(flags)...)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s said %q, want %q in it", flags, out, w)
			}
		}
		if got != code || strings.Contains(out, "app: ok, reload on HUP") != (code == 0) {
			t.Errorf("%s: exit code %d, want %d; it said %q", flags, got, code, out)
		}
	}
	p.begin()
	p.agree(1, 1, "word 1")
	p.said(1, "options that nobody declared", "count=3")
	p.stops()
}

func TestCheckSaysAllThatIsWrong(t *testing.T) {
	p := prepare(t)
	p.write("conf.d/zz.conf", "[app]\nfirst = many\nsize = 0\n")
	for _, flags := range []string{"--check", "", "--listen 127.0.0.1:0 --workers 2"} {
		out, code := p.run(strings.Fields(flags)...)
		want := "app: " + p.path("conf.d/zz.conf") + `:2: [app] first = "many": want an integer` + "\n" +
			"app: " + p.path("conf.d/zz.conf") + `:3: [app] size = "0": want an integer from 1 to 9` + "\n"
		if code != 1 || out != want {
			t.Errorf("%q: exit code %d with %q, want 1 with %q", flags, code, out, want)
		}
	}
}

func TestMistakeOfTheProgramHasItsPlace(t *testing.T) {
	p := prepare(t)
	p.write("conf.d/zz.conf", "[DEFAULT]\nlisten = nowhere\n")
	for _, flag := range []string{"--check", "--debug"} {
		out, code := p.run(flag)
		if want := p.path("conf.d/zz.conf") + `:2: [DEFAULT] listen = "nowhere": `; code != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d with %q, want 1 with %q", flag, code, out, want)
		}
	}
}

// What runs, and what the files say now.
func TestConfigDiffWithTheRunningProgram(t *testing.T) {
	for _, workers := range []string{"1", "2"} {
		t.Run(workers, func(t *testing.T) {
			p := start(t, "--workers", workers)
			diff := func() string {
				t.Helper()
				cmd := p.command(append([]string{"config", "diff"}, p.cmd.Args[1:]...)...)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("config diff: %v: %s", err, out)
				}
				return string(out)
			}
			if got := diff(); got != "" {
				t.Errorf("config diff at start = %q, want nothing", got)
			}
			p.serial(2)
			want := "app.first changed from [1] to [2] (needs a reload)\n" +
				"app.second changed from [1] to [2] (needs a reload)\n" +
				"app.folder changed from [1] to [2] (needs a reload)\n" +
				"app.word changed from [word 1] to [word 2] (mutable)\n"
			if got := diff(); got != want {
				t.Errorf("config diff = %q, want %q", got, want)
			}
			p.reload()
			p.agree(len(p.pids(count(workers))), 2, "word 2")
			p.said(1, "option changed", "app.first", "old=1", "new=2")
			if got := diff(); got != "" {
				t.Errorf("config diff after the reload = %q, want nothing", got)
			}
			p.stops()
		})
	}
	p := prepare(t)
	out, err := p.command("config", "diff", "--state-path", p.dir).CombinedOutput()
	if err == nil || !regexp.MustCompile(`^app: config diff: control socket .*app.sock: no program answers: [^\n]*\n$`).Match(out) {
		t.Errorf("config diff with nobody there: %v, %q", err, out)
	}
}
