// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Tests of real processes turn this test binary into a program of their own:
//
//	var _ = asProgram("sleeper", func() {
//		service.Exit(service.Launch(context.Background(), service.Options{}, sleeper{}))
//	})
//
//	p := program(t, "sleeper", withArgs("-v"), withEnv("A=b"))
//	p.expect("running")             // the next line of its output that has that in it
//	p.signal(syscall.SIGTERM)
//	p.exits(service.ExitOK)         // and no data race was reported on the way
//	p.silent()                      // nor does a process live that has its output: no worker is left
//
// The name travels in an environment variable that no launcher strips, so the workers and probes that
// a program starts become the same program. It is a session of its own without a terminal, so that it
// is the same wherever the test runs, and ends when the test process does, however that ends.

// programVar names the program. It must not begin with MAINSTAY_: that is stripped from workers.
const programVar = "SERVICE_TEST_PROGRAM"

var programs = map[string]func(){}

// asProgram makes main a program. Call it in the declaration of a variable, beside the test.
func asProgram(name string, main func()) string {
	if programs[name] != nil {
		panic("two programs " + name)
	}
	programs[name] = main
	return name
}

func TestMain(m *testing.M) {
	name := os.Getenv(programVar)
	if name == "" {
		os.Exit(m.Run())
	}
	main := programs[name]
	if main == nil {
		fmt.Fprintf(os.Stderr, "no program %q\n", name)
		os.Exit(125)
	}
	go endWithTest()
	main()
}

// endWithTest ends this program when the test process is gone, whose end of a pipe it has as its
// standard input. A worker, or a program with another input, is none of the test's own.
func endWithTest() {
	if st, err := os.Stdin.Stat(); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	io.Copy(io.Discard, os.Stdin)
	os.Exit(124)
}

// A process is a program that a test has started.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	exit chan struct{} // closed when it was waited for

	mu    sync.Mutex
	lines []string      // of its standard output and error
	next  int           // the first line that expect has not passed
	more  chan struct{} // closed, and made anew, when a line came or the last writer went
	eof   bool          // nobody has its output open
}

// program starts a program of [asProgram], which is killed when the test ends. The options are
// functions on its exec.Cmd, so everything can be had; both outputs go to expect unless they say else.
func program(t *testing.T, name string, options ...func(*exec.Cmd)) *process {
	t.Helper()
	if programs[name] == nil {
		t.Fatalf("no program %q", name)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe), exit: make(chan struct{}), more: make(chan struct{})}
	// The race detector sleeps a second at the end of a program, to see more; tests look at exits.
	p.cmd.Env = append(os.Environ(), programVar+"="+name, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	p.cmd.Stdout, p.cmd.Stderr = w, w
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if _, err := p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	for _, option := range options {
		option(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(r)
	go func() {
		defer close(p.exit)
		p.cmd.Wait()
	}()
	t.Cleanup(p.close)
	return p
}

// withArgs gives the program arguments.
func withArgs(args ...string) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Args = append(c.Args, args...) }
}

// withEnv gives the program variables, each NAME=value.
func withEnv(vars ...string) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Env = append(c.Env, vars...) }
}

// withStdout gives the program another standard output than the one that expect reads.
func withStdout(f *os.File) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Stdout = f }
}

// throughShell starts the program by script, in which "$@" stands for it.
func throughShell(script string) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		c.Args = append([]string{"sh", "-c", script, "sh"}, c.Args...)
		c.Path = "/bin/sh"
	}
}

// pid returns the program's process id.
func (p *process) pid() int { return p.cmd.Process.Pid }

// signal sends sig to the program. One that has ended already is a failure of the test.
func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signal %v: %v\n%s", sig, err, p.output())
	}
}

// expect waits for a line with text in it, beginning behind the line it found last, and returns it.
func (p *process) expect(text string) string {
	p.t.Helper()
	late := time.After(patience)
	for {
		line, found, more, eof := p.find(text)
		if found {
			return line
		}
		if eof {
			p.t.Fatalf("ended without a line with %q in it:\n%s", text, p.output())
		}
		select {
		case <-more:
		case <-late:
			p.fail("no line with %q in it", text)
		}
	}
}

// expectAll is expect for lines that come in any order.
func (p *process) expectAll(texts ...string) {
	p.t.Helper()
	first, last := p.next, p.next // only the test's own goroutine moves it
	for _, text := range texts {
		p.next = first
		p.expect(text)
		last = max(last, p.next)
	}
	p.next = last
}

// count returns how many lines so far have text in them.
func (p *process) count(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, line := range p.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// output returns everything that the program has written so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// code waits for the end of the program and returns its exit code, or what a shell would show where a
// signal ended it: 128 and the number of the signal.
func (p *process) code() int {
	p.t.Helper()
	select {
	case <-p.exit:
	case <-time.After(patience):
		p.fail("it does not end")
	}
	p.awaitEnd(time.Second) // of its output: what others of its processes say may come later
	if st := p.cmd.ProcessState.Sys().(syscall.WaitStatus); st.Signaled() {
		return 128 + int(st.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// exits waits for the end of the program and wants its exit code.
func (p *process) exits(want int) {
	p.t.Helper()
	if got := p.code(); got != want {
		p.t.Errorf("exit code %d, want %d:\n%s", got, want, p.output())
	}
	if p.count("WARNING: DATA RACE") > 0 {
		p.t.Errorf("data race:\n%s", p.output())
	}
}

// alive wants the program not to have ended.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.exit:
		p.t.Fatalf("ended with %v:\n%s", p.cmd.ProcessState, p.output())
	default:
	}
}

// silent waits until no process has the program's output open any more: it and all that it started
// are gone.
func (p *process) silent() {
	p.t.Helper()
	if !p.awaitEnd(patience) {
		p.fail("a process still has its output open")
	}
}

// awaitEnd waits until nobody has the program's output open, and reports whether that came in time.
func (p *process) awaitEnd(patience time.Duration) bool {
	late := time.After(patience)
	for {
		p.mu.Lock()
		eof, more := p.eof, p.more
		p.mu.Unlock()
		if eof {
			return true
		}
		select {
		case <-more:
		case <-late:
			return false
		}
	}
}

// find moves behind the next line with text in it.
func (p *process) find(text string) (line string, found bool, more <-chan struct{}, eof bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, line := range p.lines[p.next:] {
		if strings.Contains(line, text) {
			p.next += i + 1
			return line, true, nil, false
		}
	}
	return "", false, p.more, p.eof
}

// read takes in the program's output until nobody can write any more.
func (p *process) read(r *os.File) {
	defer r.Close()
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		if line != "" {
			p.lines = append(p.lines, strings.TrimSuffix(line, "\n"))
		}
		p.eof = err == io.EOF
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// fail ends the test with the output of the program, and its goroutines where it lives.
func (p *process) fail(format string, args ...any) {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.exit:
	case <-time.After(5 * time.Second):
	}
	p.t.Fatalf("%s after %v:\n%s", fmt.Sprintf(format, args...), patience, p.output())
}

// close kills the program if it has not ended.
func (p *process) close() {
	p.cmd.Process.Kill()
	<-p.exit
}
