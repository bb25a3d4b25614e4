// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/daemon"
)

func noEnvironment(string) (string, bool) { return "", false }

// oneShot is a program that ends with an error of its own.
func oneShot(err error) daemon.Program {
	return daemon.Program{
		Name: "shot", Command: "gun shot", Version: "3",
		Declare: func(conf *config.Config) error { return conf.Register("", daemon.ServerOptions{}) },
		Run:     func(context.Context, *daemon.Daemon) error { return err },
	}
}

func TestRunSaysWhatItIsAskedAndWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		err    error
		code   int
		stdout []string // all of these; none is nothing at all
		stderr string
	}{
		"nothing": {},
		"help": {
			args:   []string{"--help"},
			stdout: []string{"usage: gun shot [flags]\n", "--listen LISTEN", "--state-path", "--debug, --nodebug", "--log-file", "--check ", "--strict", "gun shot config sample|validate"},
		},
		"version":            {args: []string{"--version"}, stdout: []string{"shot 3\n"}},
		"config --help":      {args: []string{"config", "--help"}, stdout: []string{"config validate [--strict]"}},
		"config diff --help": {args: []string{"config", "diff", "--help"}, stdout: []string{"config diff [FILE]"}},
		"its own error":      {err: errors.New("two\nlines"), code: 1, stderr: "shot: two; lines\n"},
		"an argument":        {args: []string{"more"}, code: 1, stderr: "shot: argument more: not a flag: nothing is expected here\n"},
		"strict alone":       {args: []string{"--strict"}, code: 1, stderr: "shot: argument --strict: it goes with --check\n"},
		"two mistakes": {
			args: []string{"--workers", "x", "--bogus"}, code: 1,
			stderr: "shot: argument --bogus: no such flag\nshot: command line: [DEFAULT] workers = \"x\": want an integer from 0 to 4096\n",
		},
		"check behind a dash": {args: []string{"--", "--check"}, code: 1, stderr: "shot: argument --check: not a flag: nothing is expected here\n"},
		"a log that cannot be": {
			args: []string{"--log-file", "/proc/no/log"}, code: 1, stderr: "shot: log_file: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := daemon.Run(t.Context(), oneShot(c.err), c.args, noEnvironment, &stdout, &stderr)
			if code != c.code || !strings.HasPrefix(stderr.String(), c.stderr) || (c.stderr == "") != (stderr.Len() == 0) {
				t.Errorf("Run(%q) = %d with %q, want %d with %q", c.args, code, &stderr, c.code, c.stderr)
			}
			for _, want := range c.stdout {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("Run(%q) printed %q, want %q in it", c.args, &stdout, want)
				}
			}
			if c.stdout == nil && stdout.Len() > 0 {
				t.Errorf("Run(%q) printed %q, want nothing", c.args, &stdout)
			}
		})
	}
}
