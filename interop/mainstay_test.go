// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// TestMainstayUp runs the control plane, uses it with curl and steers it with the command.
func TestMainstayUp(t *testing.T) {
	get := curl(t)
	mainstay := filepath.Join(bin, "mainstay")
	addr, state := freeAddr(t), folder(t)
	// A state path that is not there yet is made.
	state = filepath.Join(state, "made", "on", "demand")
	up := start(t, exec.Command(mainstay, "up", "--listen", addr, "--state-path", state))
	await(t, "its address", func() bool { return strings.Contains(up.Output(), "http://"+addr) })

	var doc map[string]any
	if err := json.Unmarshal([]byte(get("http://"+addr+"/")), &doc); err != nil || doc["versions"] == nil {
		t.Errorf("/ answers %v, %v, want a version document", doc, err)
	}
	if got := strings.TrimSpace(get("http://" + addr + "/healthcheck")); got != "OK" {
		t.Errorf("/healthcheck answers %q, want OK", got)
	}

	var status control.Status
	if err := json.Unmarshal([]byte(run(t, mainstay, "status", "--state-path", state, "--json")), &status); err != nil {
		t.Fatal(err)
	}
	if status.Pid != up.Pid() || status.State != "running" || len(status.Sets) != 1 || len(status.Sets[0].Slots) != 2 {
		t.Errorf("status = %+v, want pid %d running with 2 workers", status, up.Pid())
	}
	if got := run(t, mainstay, "status", "--state-path", state); !strings.Contains(got, addr) {
		t.Errorf("status does not say %s:\n%s", addr, got)
	}
	if got := run(t, mainstay, "reload", "--state-path", state); !strings.Contains(got, "generation 2") {
		t.Errorf("reload says %q, want generation 2", got)
	}

	// A second one is refused in one line that names the address, and harms nobody.
	if out, err := try(mainstay, "up", "--listen", addr, "--state-path", folder(t)); err == nil || !strings.Contains(out, addr) {
		t.Errorf("a second one on %s: %v, %q, want a refusal that names the address", addr, err, out)
	}
	if got := strings.TrimSpace(get("http://" + addr + "/healthcheck")); got != "OK" {
		t.Errorf("after that /healthcheck answers %q, want OK", got)
	}

	run(t, mainstay, "stop", "--state-path", state)
	select {
	case <-up.Done():
	case <-time.After(patience):
		t.Fatalf("still there %v after mainstay stop", patience)
	}
	if got := up.ExitCode(); got != 0 {
		t.Errorf("exit status %d after mainstay stop, want 0", got)
	}
	if out, err := try(mainstay, "status", "--state-path", state); err == nil || strings.Count(strings.TrimSpace(out), "\n") != 0 {
		t.Errorf("status of nobody: %v, %q, want one line that refuses", err, out)
	}
}
