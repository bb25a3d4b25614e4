// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service_test

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/service"
)

// The program owner owns the signals and prints the commands that they are.
var _ = asProgram("owner", func() {
	s, err := service.Own("first")
	if err != nil {
		service.Exit(err)
	}
	fmt.Println("owns")
	for {
		fmt.Println("command:", s.Command())
	}
})

// THS-02 asks for a handler for each signal of the launcher: here there are eight, and no other.
func TestTHS02EachSignalIsItsCommand(t *testing.T) {
	p := program(t, "owner")
	p.expect("owns")
	for _, c := range []struct {
		sig  syscall.Signal
		want string
	}{
		{syscall.SIGTERM, "stop"}, {syscall.SIGINT, "kill"}, {syscall.SIGHUP, "reload"}, {syscall.SIGUSR1, "reopen"},
		{syscall.SIGUSR2, "report"}, {syscall.SIGTTIN, "more"}, {syscall.SIGTTOU, "fewer"},
	} {
		p.signal(c.sig)
		p.expect("command: " + c.want)
	}
	p.signal(syscall.SIGPIPE) // is kept from its default, and asks for nothing
	p.signal(syscall.SIGUSR1)
	p.expect("command: reopen")
	if n := p.count("command:"); n != 8 {
		t.Errorf("%d commands, want 8:\n%s", n, p.output())
	}
	p.signal(syscall.SIGQUIT) // is the runtime's, for stacks
	p.expect("SIGQUIT: quit")
	p.exits(2)
}

// The program patient looks at its commands only when USR2 was among the signals. It listens to all of
// them itself too.
var _ = asProgram("patient", func() {
	s, err := service.Own("first")
	if err != nil {
		service.Exit(err)
	}
	sigc := make(chan os.Signal, 16)
	signal.Notify(sigc, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN)
	fmt.Println("owns")
	for sig := range sigc {
		fmt.Println("saw", sig)
		if sig == syscall.SIGUSR2 {
			break
		}
	}
	var got []string
	for len(got) < 7 {
		got = append(got, s.Command())
	}
	slices.Sort(got)
	fmt.Println("commands:", strings.Join(got, " "))
})

// Signals are kept while nobody takes them: those that count one by one, the others once. SVC-22 asks
// for two handlers of one signal that are both called: the program's own sees each signal too.
func TestSVC22SignalsAreKeptAndShared(t *testing.T) {
	p := program(t, "patient")
	p.expect("owns")
	for _, sig := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGTTIN, syscall.SIGHUP, syscall.SIGTTIN, syscall.SIGTERM, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1,
	} {
		p.signal(sig)
		p.expect("saw " + sig.String()) // the kernel would make one of two of a kind
	}
	p.signal(syscall.SIGUSR2)
	p.expect("commands: more more reload reopen report stop stop")
	p.exits(0)
}

func TestSecondOwnerIsRefused(t *testing.T) {
	first, err := service.Own("first")
	if err != nil {
		t.Fatal(err)
	}
	_, err = service.Own("second")
	owned, ok := errors.AsType[*service.SignalsOwnedError](err)
	if !ok || owned.Owner != "first" {
		t.Errorf("second owner: %v, want SignalsOwnedError of first", err)
	}
	first.Release(nil)
	first.Release(nil)
	for range 3 {
		again, err := service.Own("again")
		if err != nil {
			t.Fatalf("after release: %v", err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if got := again.Command(); got != "reopen" {
			t.Errorf("command %q, want reopen", got)
		}
		first.Release(nil) // is none of its business any more
		again.Release(nil)
	}
}

// The program outlasting goes on after its launcher has ended with an exit code.
var _ = asProgram("outlasting", func() {
	s, err := service.Own("first")
	if err != nil {
		service.Exit(err)
	}
	fmt.Println("owns")
	s.Command()
	s.Release(&service.ExitError{Code: service.ExitCut, Err: service.ErrShutdownTimeout})
	fmt.Println("released")
	select {}
})

// A signal in the last moment of a program must not give it another exit code than its launcher did.
func TestSignalsAfterTheEnd(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: service.ExitCut, syscall.SIGINT: service.ExitFailed} {
		t.Run(sig.String(), func(t *testing.T) {
			p := program(t, "outlasting")
			p.expect("owns")
			p.signal(syscall.SIGUSR1)
			p.expect("released")
			for _, ignored := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE} {
				p.signal(ignored)
			}
			p.signal(sig)
			p.exits(code)
		})
	}
}
