// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package peer_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
)

// ownerMarker in the environment makes the test binary start programs and wait to be killed.
const ownerMarker = "MAINSTAY_PEER_TEST_OWNER"

func TestMain(m *testing.M) {
	peer.Main()
	if os.Getenv(ownerMarker) != "" {
		own()
	}
	os.Exit(m.Run())
}

// own starts a program that has a child, makes a folder, says both and waits.
func own() {
	dir, err := peer.Dir("owned")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	p, err := peer.Start(stubborn())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.Pid(), dir)
	io.Copy(io.Discard, os.Stdin)
	select {}
}

// stubborn is a shell with a child, both deaf to TERM, that says when it is.
func stubborn() *exec.Cmd {
	return exec.Command("sh", "-c", `trap "" TERM; sleep 1000 & echo deaf; wait`)
}

func TestGuardEndsWhatAKilledOwnerLeaves(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), ownerMarker+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()

	var pgid int
	var dir string
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, serr := fmt.Sscan(line, &pgid, &dir); err != nil || serr != nil {
		t.Fatalf("owner said %q, %v", line, err)
	}
	if len(peer.Group(pgid)) == 0 {
		t.Fatalf("no process in group %d while its owner lives", pgid)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the group's end", func() bool { return len(peer.Group(pgid)) == 0 })
	await(t, "the folder's end", func() bool {
		_, err := os.Stat(filepath.Dir(dir))
		return os.IsNotExist(err)
	})
}

func TestStop(t *testing.T) {
	p, err := peer.Start(exec.Command("sh", "-c", "echo up; exec sleep 1000"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "output", func() bool { return p.Output() == "up" })
	if err := p.Stop(time.Minute); err != nil {
		t.Errorf("Stop = %v, want nil", err)
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Errorf("second Stop = %v, want nil", err)
	}
	if got := p.ExitCode(); got != -1 {
		t.Errorf("ExitCode = %d, want -1 for a death by TERM", got)
	}
}

func TestStopKillsTheGroup(t *testing.T) {
	p, err := peer.Start(stubborn())
	if err != nil {
		t.Fatal(err)
	}
	await(t, "its being deaf", func() bool { return p.Output() == "deaf" })
	await(t, "its child", func() bool { return len(peer.Children(p.Pid())) == 1 })
	if got := peer.Group(p.Pid()); !slices.Contains(got, p.Pid()) || len(got) != 2 {
		t.Errorf("Group = %v, want %d and its child", got, p.Pid())
	}
	if err := p.Stop(10 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Stop = %v, want an error that says killed", err)
	}
	await(t, "the group's end", func() bool { return len(peer.Group(p.Pid())) == 0 })
}

func TestAwaitAccept(t *testing.T) {
	addr, err := peer.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	p, err := peer.Start(exec.Command("sh", "-c", "echo no luck; exit 7"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(time.Minute)
	err = p.AwaitAccept("tcp", addr, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "7") || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("AwaitAccept = %v, want an error with the exit code and the output", err)
	}

	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := p.AwaitAccept("tcp", addr, time.Minute); err != nil {
		t.Errorf("AwaitAccept = %v, want nil", err)
	}
}

// await polls until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
