// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mainstay-go/mainstay/control"
)

// patience bounds what must happen but has no time of its own.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){programName: main, "ticking": ticking})
}

// TestScripts types the scripts of testdata as a user would. The commands below are added to those of
// testscript.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			// Under the race detector each of our many short processes would sleep for a second.
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" { // root may write anywhere
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await":    await,
			"until":    until,
			"signal":   signalPid,
			"get":      getURL,
			"pids":     pids,
			"same":     same,
			"disjoint": disjoint,
			"take":     takePort,
			"alone":    alone,
		},
	})
}

// await FILE PATTERN [VAR] waits until the file matches, and sets VAR to the first group.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await FILE PATTERN [VAR]")
	}
	re := regexp.MustCompile(args[1])
	poll(ts, func() error {
		data, _ := os.ReadFile(ts.MkAbs(args[0]))
		m := re.FindSubmatch(data)
		if m == nil {
			return fmt.Errorf("%s has no match for %s:\n%s", args[0], args[1], data)
		}
		if len(args) == 3 {
			ts.Setenv(args[2], string(m[1]))
		}
		return nil
	})
}

// until PATTERN PROGRAM ARGS runs a program until its output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN PROGRAM ARGS")
	}
	re := regexp.MustCompile(args[0])
	poll(ts, func() error {
		err := ts.Exec(args[1], args[2:]...)
		if out := ts.ReadFile("stdout"); err == nil && !re.MatchString(out) {
			err = fmt.Errorf("%s has no match for %s", out, args[0])
		}
		return err
	})
}

// signal NAME PID sends a signal.
func signalPid(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal NAME PID")
	}
	pid, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

// get URL prints status and body of the answer.
func getURL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	fmt.Fprintln(ts.Stdout(), resp.StatusCode)
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}

// pids VAR [PIDVAR] waits until the workers that status shows all run, and sets VAR to their pids and
// PIDVAR to that of the launcher.
func pids(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: pids VAR [PIDVAR]")
	}
	poll(ts, func() error {
		if err := ts.Exec("mainstay", "status", "--json"); err != nil {
			return err
		}
		var s control.Status
		if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &s); err != nil {
			return err
		}
		var all []string
		for _, set := range s.Sets {
			for _, w := range set.Slots {
				if w.State != "running" {
					return fmt.Errorf("worker %d is %s", w.Pid, w.State)
				}
				all = append(all, strconv.Itoa(w.Pid))
			}
		}
		ts.Setenv(args[0], strings.Join(all, ","))
		if len(args) == 2 {
			ts.Setenv(args[1], strconv.Itoa(s.Pid))
		}
		return nil
	})
}

// same A B checks that two values are equal.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%q and %q", args[0], args[1])
	}
}

// disjoint A B checks that two lists of pids have as many entries and none in common.
func disjoint(ts *testscript.TestScript, _ bool, args []string) {
	a, b := strings.Split(args[0], ","), strings.Split(args[1], ",")
	if len(a) != len(b) || slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) }) {
		ts.Fatalf("%q and %q", args[0], args[1])
	}
}

// take VAR listens on a port until the script ends and sets VAR to its address.
func takePort(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
}

// alone waits until no process that this script started is left. They have its directory in their
// environment.
func alone(ts *testscript.TestScript, _ bool, _ []string) {
	mark := "WORK=" + ts.Getenv("WORK")
	poll(ts, func() error {
		environs, err := filepath.Glob("/proc/[0-9]*/environ")
		ts.Check(err)
		for _, path := range environs {
			env, _ := os.ReadFile(path) // of a process that ended meanwhile, or another's: empty
			if slices.Contains(strings.Split(string(env), "\x00"), mark) {
				return fmt.Errorf("%s is left over", filepath.Dir(path))
			}
		}
		return nil
	})
}

// poll tries until there is no error.
func poll(ts *testscript.TestScript, try func() error) {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
