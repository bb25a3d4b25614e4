// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package middleware_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "keep oslo.middleware's answers in testdata/oslo.json")

// TestInteropOslo sends each case to Debian's oslo.middleware and to ours.
func TestInteropOslo(t *testing.T) {
	addr := startOslo(t)
	answers := map[string]peerAnswer{}
	for name, c := range peerCases() {
		t.Run(name, func(t *testing.T) {
			theirs := exchange(t, addr, c, [][2]string{{"Case", name}})
			answers[name] = theirs
			if ours := answerOf(t, c); !sameAnswer(ours, theirs) {
				t.Errorf("ours   %+v\ntheirs %+v", ours, theirs)
			}
		})
	}
	text, err := json.MarshalIndent(answers, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/oslo.json", append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// startOslo starts the Python side and returns its address.
func startOslo(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/usr/lib/python3/dist-packages/oslo_middleware"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no python3-oslo.middleware on this machine, and CI tests with it")
		}
		t.Skip("no python3-oslo.middleware on this machine: make interop installs it as root on Debian")
	}
	text, err := json.Marshal(peerCases())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cases.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/oslo.py", file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	port, err := bufio.NewReader(io.LimitReader(out, 16)).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}
