// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/peer"
)

// patience bounds every wait for something that takes milliseconds on an idle machine.
const patience = 30 * time.Second

// bin is the folder that the programs under test are built into.
var bin string

func TestMain(m *testing.M) {
	peer.Main()
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func build() error {
	dir, err := peer.Dir("bin")
	if err != nil {
		return err
	}
	const module = "github.com/mainstay-go/mainstay/"
	cmd := exec.Command("go", "build", "-o", dir+"/", module+"cmd/mainstay", module+"examples/hello")
	cmd.Stderr = os.Stderr
	bin = dir
	return cmd.Run()
}

// need returns the path of a program of somebody else. Without it the test ends: see the package
// comment.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		// Servers live where only root's PATH leads.
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s on this machine, and CI tests with it", program)
	}
	t.Skipf("no %s on this machine: make interop installs it as root on Debian", program)
	return ""
}

// run runs a program to its end and returns what it wrote; it must succeed within patience.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := try(program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v: %s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return out
}

// try is run without the verdict.
func try(program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// start starts a command of ours or a peer and stops it when the test ends. If the test failed, its
// output is logged.
func start(t *testing.T, cmd *exec.Cmd) *peer.Process {
	t.Helper()
	p, err := peer.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(patience); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(cmd.Path), p.Output())
		}
	})
	return p
}

// A daemon is hello, running.
type daemon struct {
	*peer.Process
	addr  string // host and port, or what --listen was given
	state string // folder of its control socket
}

// startHello starts hello on a free port and waits until it accepts.
func startHello(t *testing.T, args ...string) *daemon {
	t.Helper()
	addr := freeAddr(t)
	d := startHelloOn(t, addr, args...)
	if err := d.AwaitAccept("tcp", addr, patience); err != nil {
		t.Fatal(err)
	}
	return d
}

// startHelloOn starts hello on an address and does not wait.
func startHelloOn(t *testing.T, addr string, args ...string) *daemon {
	t.Helper()
	d := &daemon{addr: addr, state: folder(t)}
	args = append([]string{"--listen", addr, "--state-path", d.state}, args...)
	d.Process = start(t, exec.Command(filepath.Join(bin, "hello"), args...))
	return d
}

// url returns the address of a page of d.
func (d *daemon) url(path string) string { return "http://" + d.addr + path }

// socket returns the path of d's control socket.
func (d *daemon) socket() string { return control.SocketPath(d.state, "hello") }

// hangUp asks d for a reload, as kill -HUP does.
func (d *daemon) hangUp(t *testing.T) {
	t.Helper()
	if err := d.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// terminate asks d to end by TERM and holds that it does so with status 0 and leaves nobody behind.
func (d *daemon) terminate(t *testing.T) {
	t.Helper()
	if err := d.Stop(patience); err != nil {
		t.Error(err)
	}
	if got := d.ExitCode(); got != 0 {
		t.Errorf("exit status %d after TERM, want 0", got)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := peer.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// folder returns a new folder with a short path: unix sockets go into it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := peer.Dir("test")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// await polls until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// write makes a file in dir and returns its path.
func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
