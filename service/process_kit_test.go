// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

// Programs with worker processes are made of these parts. All of them print a line for whatever happens
// to them, the launcher in its hooks and the services in their methods:
//
//	ready api/0 gen 1 pid 4711
//	api shutdown replace, api/0 of 2 gen 1 pid 4711

// myName begins the last line of a program that fails.
var myName = filepath.Base(os.Args[0])

// controlVar has the path of the control socket of a program.
const controlVar = "SERVICE_TEST_CONTROL"

// baseOptions returns the options that programs begin with.
func baseOptions() service.Options {
	return service.Options{Name: "demo", Control: os.Getenv(controlVar), Hooks: []service.Hooks{printed()}}
}

// printed are hooks that print.
func printed() service.Hooks {
	who := func(w service.Worker) string { return fmt.Sprintf("%s/%d gen %d", w.Set, w.ID, w.Generation) }
	return service.Hooks{
		Ready: func(w service.Worker, pid int) { fmt.Printf("ready %s pid %d\n", who(w), pid) },
		Gone: func(w service.Worker, g service.Gone) {
			fmt.Printf("gone %s pid %d asked %v code %d signal %q reason %q\n", who(w), g.Pid, g.Asked, g.Code, g.Signal, g.Reason)
		},
		Reloaded: func(generation int) { fmt.Printf("reloaded %d\n", generation) },
		Stopping: func() { fmt.Println("stopping") },
	}
}

// runSets runs sets under a launcher and ends the process as that says.
func runSets(opts service.Options, sets ...service.Set) {
	l := service.NewProcessLauncher(opts)
	for _, set := range sets {
		if err := l.Add(set); err != nil {
			service.Exit(err)
		}
	}
	service.Exit(l.Run(context.Background()))
}

// Programs would inherit from a test under nohup that HUP is ignored. What is caught they do not inherit.
func init() {
	if os.Getenv(programVar) == "" && signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}

// A narrator is a service that prints what is asked of it and does what its functions say. Without them
// it serves until Shutdown.
type narrator struct {
	name                                 string
	start, serve, shutdown, reset, check func(ctx context.Context) error

	quit func()          // ends Serve
	over <-chan struct{} // closed by quit
}

func narrate(name string) *narrator {
	ctx, cancel := context.WithCancel(context.Background())
	return &narrator{name: name, quit: cancel, over: ctx.Done()}
}

func (s *narrator) Name() string                    { return s.name }
func (s *narrator) Start(ctx context.Context) error { return s.call(ctx, "start", s.start) }
func (s *narrator) Reset(ctx context.Context) error { return s.call(ctx, "reset", s.reset) }
func (s *narrator) Check(ctx context.Context) error { return s.call(ctx, "check", s.check) }

func (s *narrator) Serve(ctx context.Context) error {
	if s.serve != nil {
		return s.call(ctx, "serve", s.serve)
	}
	s.say(ctx, "serve")
	select {
	case <-ctx.Done():
		s.say(ctx, "cancelled")
	case <-s.over:
		s.say(ctx, "done")
	}
	return nil
}

func (s *narrator) Shutdown(ctx context.Context) error {
	defer s.quit()
	return s.call(ctx, "shutdown "+service.Draining(ctx).String(), s.shutdown)
}

func (s *narrator) say(ctx context.Context, what string) {
	w := service.WorkerOf(ctx)
	fmt.Printf("%s %s, %s/%d of %d gen %d pid %d\n", s.name, what, w.Set, w.ID, w.Count, w.Generation, os.Getpid())
}

func (s *narrator) call(ctx context.Context, what string, f func(context.Context) error) error {
	s.say(ctx, what)
	if f == nil {
		return nil
	}
	return f(ctx)
}

// plainService is a service with nothing but Serve.
func plainService(name string) service.Service {
	return service.Named(name, service.Func(func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}))
}

// forever is a method that nothing ends.
func forever(context.Context) error { select {} }

// fails is a method that fails.
func fails(context.Context) error { return errors.New("boom") }

// A fleet is a program with worker processes and a control socket.
type fleet struct {
	*process
	ctl *control.Client
}

// startFleet starts a program of [asProgram] that takes its options from baseOptions.
func startFleet(t *testing.T, name string, options ...func(*exec.Cmd)) *fleet {
	t.Helper()
	path := filepath.Join(shortDir(t), "control")
	t.Cleanup(func() {
		if t.Failed() {
			killAllWith(controlVar + "=" + path)
		}
	})
	env := withEnv(controlVar+"="+path, "GORACE=atexit_sleep_ms=0") // by default each process takes a second to end
	return &fleet{program(t, name, append(options, env)...), control.NewClient(path)}
}

// killAllWith ends what a failed test has left: all processes with a variable that only its program has.
func killAllWith(variable string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		environ, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(strings.Split(path, "/")[2]); err == nil && slices.Contains(strings.Split(string(environ), "\x00"), variable) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// shortDir returns a directory for sockets: the path of t.TempDir may be too long for one.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil { // programs may run as somebody else
		t.Fatal(err)
	}
	return dir
}

// until asks for the status until it is as wanted, and returns it.
func (f *fleet) until(what string, wanted func(control.Status) bool) control.Status {
	f.t.Helper()
	late := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithDeadline(context.Background(), late)
		st, err := f.ctl.Status(ctx)
		cancel()
		if err == nil && wanted(st) {
			return st
		}
		f.alive()
		if time.Now().After(late) {
			f.fail("status is not %s, last %+v, %v", what, st, err)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

// up waits until the workers that are wanted run and no others, and returns the status.
func (f *fleet) up() control.Status {
	f.t.Helper()
	return f.until("all up", func(st control.Status) bool {
		if st.State != "running" {
			return false
		}
		for _, set := range st.Sets {
			if len(set.Slots) != set.Workers || len(pidsOf(st, set.Name)) != set.Workers {
				return false
			}
		}
		return true
	})
}

// pids waits as up does and returns the pids of a set, which must be so many, by their ids.
func (f *fleet) pids(set string, n int) []int {
	f.t.Helper()
	pids := pidsOf(f.up(), set)
	if len(pids) != n {
		f.t.Fatalf("set %s has workers %v, want %d", set, pids, n)
	}
	return pids
}

// pidsOf returns the pids of the workers of a set that run, by their ids.
func pidsOf(st control.Status, set string) []int {
	var pids []int
	for _, w := range slots(st, set) {
		if w.State == "running" {
			pids = append(pids, w.Pid)
		}
	}
	return pids
}

// slots returns the workers of a set that there are.
func slots(st control.Status, set string) []control.Worker {
	i := slices.IndexFunc(st.Sets, func(s control.Set) bool { return s.Name == set })
	if i < 0 {
		return nil
	}
	return st.Sets[i].Slots
}

// disjoint reports whether two lists of pids have none in common.
func disjoint(a, b []int) bool {
	return !slices.ContainsFunc(a, func(pid int) bool { return slices.Contains(b, pid) })
}

// seen waits until so many lines have text in them, whatever else comes before and between.
func (p *process) seen(n int, text string) {
	p.t.Helper()
	late := time.After(patience)
	for {
		p.mu.Lock()
		eof, more := p.eof, p.more
		p.mu.Unlock()
		got := p.count(text)
		if got >= n {
			return
		}
		if eof {
			p.t.Fatalf("ended with %d lines with %q in them, want %d:\n%s", got, text, n, p.output())
		}
		select {
		case <-more:
		case <-late:
			p.fail("%d lines with %q in them, want %d", got, text, n)
		}
	}
}

// said wants exactly so many lines so far with text in them.
func (p *process) said(n int, text string) {
	p.t.Helper()
	if got := p.count(text); got != n {
		p.t.Errorf("%d lines with %q in them, want %d:\n%s", got, text, n, p.output())
	}
}

// ends waits for the end of the program with its exit code, and of all that it started.
func (p *process) ends(code int) {
	p.t.Helper()
	p.exits(code)
	p.silent()
}

// goes waits until a process is gone.
func (p *process) goes(pid int) {
	p.t.Helper()
	for late := time.Now().Add(patience); living(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			p.fail("process %d lives on", pid)
		}
	}
}

// living reports whether a process is there and no zombie.
func living(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// sendSignal sends a signal to a process that a program started.
func sendSignal(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("kill %d with %v: %v", pid, sig, err)
	}
}

// numberAfter returns the number that follows word in line.
func numberAfter(t *testing.T, line, word string) int {
	t.Helper()
	fields := strings.Fields(line)
	i := slices.Index(fields, word)
	if i < 0 || i+1 == len(fields) {
		t.Fatalf("no %q in %q", word, line)
	}
	n, err := strconv.Atoi(fields[i+1])
	if err != nil {
		t.Fatalf("%s in %q: %v", word, line, err)
	}
	return n
}
