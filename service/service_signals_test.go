// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service_test

import (
	"bufio"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// TestX04TwoSignals sends any two of TERM, INT and HUP, at random moments of start, service, reload and
// stop: none may act by its default, none may be lost.
func TestX04TwoSignals(t *testing.T) {
	sigs := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}
	rounds := 111 // of nine pairs
	if testing.Short() {
		rounds = 11
	}
	rnd := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	slots := make(chan struct{}, 4) // programs at once
	var wg sync.WaitGroup
	for range rounds {
		for _, first := range sigs {
			for _, second := range sigs {
				offsets := [2]time.Duration{time.Duration(rnd.IntN(4000)) * time.Microsecond, time.Duration(rnd.IntN(4000)) * time.Microsecond}
				args := []string{"-start", "1ms", "-drain", "1ms"}
				if rnd.IntN(10) > 0 {
					args = append(args, "-here") // else the plan of a reload is made by a probe, which takes longer
				}
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					twoSignals(t, args, first, second, offsets)
				})
			}
		}
	}
	wg.Wait()
}

// twoSignals sends two signals to a program, each so long after the moment before.
func twoSignals(t *testing.T, args []string, first, second syscall.Signal, offsets [2]time.Duration) {
	p := program(t, "talk", withArgs(args...))
	defer p.close()
	p.expect("owns its signals")
	time.Sleep(offsets[0])
	p.signal(first)
	time.Sleep(offsets[1])
	p.cmd.Process.Signal(second) // it may have ended
	if first == syscall.SIGHUP && second == syscall.SIGHUP {
		p.expect("reloaded 2")
		p.alive()
		p.signal(syscall.SIGTERM)
	}
	has := func(sig syscall.Signal) bool { return first == sig || second == sig }
	want := []int{service.ExitOK}
	switch {
	case has(syscall.SIGINT) && has(syscall.SIGTERM):
		// TERM may have ended it before, even where it was sent later: of two that wait for a busy
		// machine the kernel may deliver either first.
		want = append(want, service.ExitFailed)
	case has(syscall.SIGINT):
		want = []int{service.ExitFailed}
	case first == second && first == syscall.SIGTERM:
		want = append(want, service.ExitCut)
	}
	if got := p.code(); !slices.Contains(want, got) || p.count("WARNING: DATA RACE") > 0 {
		t.Errorf("%v after %v, %v after %v: exit code %d, want one of %v:\n%s",
			first, offsets[0], second, offsets[1], got, want, p.output())
	}
}

func TestX05SignalsWhileItStarts(t *testing.T) {
	p := program(t, "talk", withArgs("-start", "1h"))
	p.expect("talker starts")
	p.signal(syscall.SIGHUP) // is for later
	p.signal(syscall.SIGTERM)
	p.expect("talker does not start")
	p.exits(service.ExitOK)
	if p.count("ready") != 0 {
		t.Errorf("ready although it never was:\n%s", p.output())
	}

	p = program(t, "talk", withArgs("-start", "50ms", "-here"))
	p.expect("talker starts")
	p.signal(syscall.SIGHUP)
	p.expect("talker serves generation 1")
	p.expect("reloaded 2")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
}

// The program parent has a child process of its own, which tells when it gets a signal.
var _ = asProgram("parent", func() {
	child := exec.Command("/bin/sh", "-c", `trap "echo child got a signal" HUP INT TERM USR1; echo child is up; read line; exit 7`)
	child.Stderr = os.Stderr
	done := make(chan struct{})
	stdin, err := child.StdinPipe()
	if err != nil {
		service.Exit(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		service.Exit(err)
	}
	svc := service.Func(func(ctx context.Context) error {
		if err := child.Start(); err != nil {
			return err
		}
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			say("%s", lines.Text())
		}
		err := child.Wait()
		say("child: %v", err)
		close(done)
		<-ctx.Done()
		return nil
	})
	opts := service.Options{
		RestartMethod: service.RestartMutate,
		Reload: func(context.Context) (service.Options, error) {
			return service.Options{RestartMethod: service.RestartMutate}, nil
		},
		Reopen: func(context.Context) error { return stdin.Close() },
		Hooks:  []service.Hooks{{Reloaded: func(int) { say("reloaded") }}},
	}
	service.Exit(service.Launch(context.Background(), opts, svc))
})

func TestX09OwnChildrenKeepTheirStatusAndGetNoSignals(t *testing.T) {
	p := program(t, "parent")
	p.expect("child is up")
	p.signal(syscall.SIGHUP)
	p.expect("reloaded")
	p.signal(syscall.SIGUSR1)
	p.expect("child: exit status 7")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
	if p.count("child got a signal") != 0 {
		t.Errorf("the child got a signal:\n%s", p.output())
	}
}

func TestX10ClosedStandardOutputDoesNotKill(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := program(t, "talk", withArgs("-tick", "-here"), withStdout(w))
	w.Close()
	p.expect("ready")
	r.Close() // as when head has read its lines
	p.expect("print: write /dev/stdout: broken pipe")
	p.signal(syscall.SIGHUP)
	p.expect("reloaded 2")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
}

func TestX10WithoutStandardOutputHangupReloads(t *testing.T) {
	p := program(t, "talk", withArgs("-tick", "-here"), throughShell(`exec "$@" >&- <&-`))
	p.expect("ready")
	p.signal(syscall.SIGHUP)
	p.expect("reloaded 2")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
}

func TestX10HangupIgnoredByNohupReloads(t *testing.T) {
	p := program(t, "talk", withArgs("-here"), throughShell(`trap "" HUP; exec "$@"`))
	p.expect("ready")
	p.signal(syscall.SIGHUP)
	p.expect("reloaded 2")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
}

// A wall clock that jumps moves no deadline that has a monotonic reading.
func TestX12DeadlinesAreMonotonic(t *testing.T) {
	svc := &clocked{quit: make(chan struct{})}
	l, ended := launch(t, service.Options{}, svc)
	if err := l.Await(t.Context(), service.StateRunning); err != nil {
		t.Fatal(err)
	}
	l.Stop(t.Context())
	wantExit(t, <-ended, 0, "")
	for _, d := range svc.deadlines {
		if !strings.Contains(d.String(), "m=+") {
			t.Errorf("deadline %v has no monotonic reading", d)
		}
	}
	if len(svc.deadlines) != 2 {
		t.Errorf("deadlines %v, want one for Start and one for Shutdown", svc.deadlines)
	}
}

// clocked keeps the deadlines of its methods.
type clocked struct {
	deadlines []time.Time
	quit      chan struct{}
}

func (c *clocked) keep(ctx context.Context) {
	if d, ok := ctx.Deadline(); ok {
		c.deadlines = append(c.deadlines, d)
	}
}

func (c *clocked) Start(ctx context.Context) error { c.keep(ctx); return nil }

func (c *clocked) Serve(ctx context.Context) error {
	<-c.quit
	return nil
}

func (c *clocked) Shutdown(ctx context.Context) error {
	c.keep(ctx)
	close(c.quit)
	return nil
}
