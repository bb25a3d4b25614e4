// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// programVar makes the test binary one of programs instead. It reaches workers: unlike those that
// begin with MAINSTAY_ it is not stripped.
const programVar = "PROC_TEST_PROGRAM"

// patience bounds every wait for a process. It only runs out when a test fails.
const patience = 30 * time.Second

// programs are what the test binary can be; each returns its exit code.
var programs = map[string]func() int{}

// program registers main under name, for the declaration of a variable beside the test.
func program(name string, main func() int) string {
	if programs[name] != nil {
		panic("two programs " + name)
	}
	programs[name] = main
	return name
}

func TestMain(m *testing.M) {
	name := os.Getenv(programVar)
	if name == "" {
		// With the race detector every process would sleep for a second before it ends.
		os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
		os.Exit(m.Run())
	}
	os.Exit(programs[name]())
}

// deadline is a context that only ends when a test fails.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func newSpawner(t *testing.T) *proc.Spawner {
	t.Helper()
	s, err := proc.NewSpawner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start starts a child as the named program; it is killed at the end of the test.
func start(t *testing.T, s *proc.Spawner, name string, c proc.Command) *proc.Child {
	t.Helper()
	c.ExtraEnv = append(c.ExtraEnv, programVar+"="+name)
	child, err := s.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill(child.Pid, syscall.SIGKILL)
		child.Wait()
		child.Close()
	})
	return child
}

// wait returns how the child ended.
func wait(t *testing.T, c *proc.Child) proc.Exit {
	t.Helper()
	select {
	case <-c.Done():
		return c.Wait()
	case <-time.After(patience):
		t.Fatalf("process %d does not end; its standard error: %q", c.Pid, c.Stderr.Lines())
		panic("unreachable")
	}
}

// receive returns the next message of the child, which must be of the given type.
func receive(t *testing.T, c *proc.Child, kind string) (wire.Message, []int) {
	t.Helper()
	type packet struct {
		m   wire.Message
		fds []int
		err error
	}
	got := make(chan packet, 1)
	go func() {
		m, fds, err := c.Conn.Receive()
		got <- packet{m, fds, err}
	}()
	select {
	case p := <-got:
		if p.err != nil || p.m.Type != kind {
			t.Fatalf("Receive() = %+v, %v, want a %s; standard error: %q", p.m, p.err, kind, c.Stderr.Lines())
		}
		return p.m, p.fds
	case <-time.After(patience):
		t.Fatalf("no %s from process %d; its standard error: %q", kind, c.Pid, c.Stderr.Lines())
		panic("unreachable")
	}
}

// tell is called in a child: it sends v to the test.
func tell(v any) {
	body, err := json.Marshal(v)
	if err == nil {
		err = proc.Self().Conn().Send(wire.Message{Type: wire.Plan, Body: body})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tell:", err)
		os.Exit(120)
	}
}

// told returns what a child tells.
func told[T any](t *testing.T, c *proc.Child) T {
	t.Helper()
	m, _ := receive(t, c, wire.Plan)
	var v T
	if err := json.Unmarshal(m.Body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// poll waits until ok returns true.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so after %v", what, patience)
		}
	}
}

// outer starts the test binary as a program that is not a child, by package os/exec, and kills it at
// the end of the test. Its output can be read line by line.
func outer(t *testing.T, name string, change func(*exec.Cmd)) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), programVar+"="+name)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if change != nil {
		change(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	waited := sync.OnceValue(cmd.Wait)
	t.Cleanup(func() {
		cmd.Process.Kill()
		waited()
		r.Close()
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("standard error of %s:\n%s", name, stderr.String())
		}
	})
	return cmd, bufio.NewScanner(r)
}

// line returns the next line of an outer program.
func line(t *testing.T, s *bufio.Scanner) string {
	t.Helper()
	if !s.Scan() {
		t.Fatalf("no line comes, error %v", s.Err())
	}
	return s.Text()
}

// must is for programs: it ends them at an error.
func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "program:", err)
		os.Exit(121)
	}
	return v
}

// mustStart starts a worker in a program that is a launcher.
func mustStart(s *proc.Spawner, name string) *proc.Child {
	return must(s.Start(proc.Command{Role: proc.Worker, ExtraEnv: []string{programVar + "=" + name}}))
}

func fcntl(fd, cmd int) (int, error) {
	r, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), uintptr(cmd), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

func nonBlocking(t *testing.T, fd int) bool {
	t.Helper()
	flags, err := fcntl(fd, syscall.F_GETFL)
	if err != nil {
		t.Fatal(err)
	}
	return flags&syscall.O_NONBLOCK != 0
}

// background is the context of programs.
func background() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	time.AfterFunc(patience, cancel)
	return ctx
}

// A running is a process started by launch.
type running struct {
	*os.Process
}

func (r running) wait(t *testing.T) {
	t.Helper()
	state, err := r.Wait()
	if err != nil || !state.Success() {
		t.Errorf("it ended with %v, %v", state, err)
	}
}

// launch starts the test binary as a program with the given standard descriptors, as they are: package
// os/exec would make them block. Output -1 can be read line by line.
func launch(t *testing.T, name string, std [3]int) (running, *bufio.Scanner) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if std[1] < 0 {
		std[1] = int(w.Fd())
	}
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args[:1], &syscall.ProcAttr{
		Env:   append(os.Environ(), programVar+"="+name),
		Files: []uintptr{uintptr(std[0]), uintptr(std[1]), uintptr(std[2])},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	r.SetReadDeadline(time.Now().Add(patience))
	t.Cleanup(func() {
		p.Kill() // fails if it was waited for
		p.Wait()
		r.Close()
	})
	return running{p}, bufio.NewScanner(r)
}
