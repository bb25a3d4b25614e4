// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// A portrait is what a child sees of itself.
type portrait struct {
	Role            string
	Args            []string
	Env             []string
	Comm            string
	Files           [7]string // what its descriptors are
	CloseOnExec     []bool    // of descriptors 3 to 6
	ChannelBlocks   bool
	Caught, Ignored uint64 // signals in /proc/self/status, bit n-1 for signal n
	Table, Signals  bool
}

func signalSets() (caught, ignored uint64) {
	status := must(os.ReadFile("/proc/self/status"))
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		switch name {
		case "SigCgt":
			caught = n
		case "SigIgn":
			ignored = n
		}
	}
	return caught, ignored
}

// caughtAtInit is taken while packages are initialised, after that of package proc.
var caughtAtInit, ignoredAtInit = func() (uint64, uint64) {
	if proc.Self().Role() == proc.Alone {
		return 0, 0
	}
	return signalSets()
}()

// link returns what a descriptor of this process is.
func link(t *testing.T, fd int) string {
	t.Helper()
	s, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var describer = program("describer", func() int {
	p := portrait{
		Role: proc.Self().Role().String(), Args: os.Args, Env: os.Environ(),
		Comm:    strings.TrimSpace(string(must(os.ReadFile("/proc/self/comm")))),
		Caught:  caughtAtInit,
		Ignored: ignoredAtInit,
		Signals: proc.Self().Signals() != nil,
		Table:   len(proc.Self().Table().List()) > 0,
	}
	for fd := range p.Files {
		p.Files[fd] = must(os.Readlink(fmt.Sprint("/proc/self/fd/", fd)))
	}
	for fd := 3; fd <= 6; fd++ {
		p.CloseOnExec = append(p.CloseOnExec, must(fcntl(fd, syscall.F_GETFD))&syscall.FD_CLOEXEC != 0)
	}
	p.ChannelBlocks = must(fcntl(3, syscall.F_GETFL))&syscall.O_NONBLOCK == 0
	tell(p)
	return 0
})

func TestChildIsSetUp(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	t.Setenv("WATCHDOG_USEC", "1")
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("MAINSTAY_OTHER", "1")
	t.Setenv("KEPT", "first")
	for _, role := range []proc.Role{proc.Worker, proc.Probe} {
		t.Run(role.String(), func(t *testing.T) {
			c := start(t, newSpawner(t), describer, proc.Command{Role: role, ExtraEnv: []string{"KEPT=second"}})
			p := told[portrait](t, c)
			if exit := wait(t, c); exit.Pid != c.Pid || !exit.Status.Exited() || exit.Status.ExitStatus() != 0 {
				t.Errorf("it ended with %+v", exit)
			}
			if p.Role != role.String() {
				t.Errorf("role %q, want %q", p.Role, role)
			}
			if !slices.Equal(p.Args, os.Args) {
				t.Errorf("arguments %q, want %q", p.Args, os.Args)
			}
			if !slices.Contains(p.Env, "KEPT=second") || slices.Contains(p.Env, "KEPT=first") {
				t.Errorf("environment %q, want KEPT=second once", p.Env)
			}
			for _, v := range p.Env {
				for _, private := range []string{"MAINSTAY_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_"} {
					if strings.HasPrefix(v, private) {
						t.Errorf("environment has %q", v)
					}
				}
			}
			name := filepath.Base(os.Args[0])
			if want := name[:min(15, len(name))]; p.Comm != want {
				t.Errorf("its name is %q, want %q", p.Comm, want)
			}
			stdout, stderr := link(t, 1), link(t, 2)
			for fd, want := range []string{os.DevNull, stdout, "pipe:", "socket:", "/memfd:mainstay-scoreboard", os.DevNull, stderr} {
				if !strings.HasPrefix(p.Files[fd], want) {
					t.Errorf("its descriptor %d is %q, want %q", fd, p.Files[fd], want)
				}
			}
			if p.Files[2] == stderr {
				t.Errorf("its standard error is %q, the launcher's own", stderr)
			}
			if slices.Contains(p.CloseOnExec, false) {
				t.Errorf("descriptors from 3 on close on exec: %v", p.CloseOnExec)
			}
			if p.ChannelBlocks || p.Table || !p.Signals {
				t.Errorf("channel blocks %v, table has sockets %v, signals %v", p.ChannelBlocks, p.Table, p.Signals)
			}
		})
	}
}

func TestNoSignalActsByDefaultFromPackageInitOn(t *testing.T) {
	c := start(t, newSpawner(t), describer, proc.Command{Role: proc.Worker})
	p := told[portrait](t, c)
	in := func(set uint64, sig syscall.Signal) bool { return set&(1<<(sig-1)) != 0 }
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE} {
		if !in(p.Caught, sig) {
			t.Errorf("%v is not caught", sig)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGTTIN, syscall.SIGTTOU} {
		if !in(p.Ignored, sig) {
			t.Errorf("%v is not ignored", sig)
		}
	}
}

// pausing halts the initialisation of packages, in the program of that name, until the test allows it
// to go on.
const pausing = "pausing"

var _ = func() bool {
	if os.Getenv(programVar) == pausing {
		tell("in init")
		<-proc.Self().Messages()
	}
	return true
}()

var _ = program(pausing, func() int {
	var names []string
	for len(names) < 5 {
		select {
		case sig := <-proc.Self().Signals():
			names = append(names, sig.String())
		case <-time.After(patience):
			tell(names)
			return 1
		}
	}
	tell(names)
	return 0
})

func TestSignalsDuringPackageInitAreKept(t *testing.T) {
	s := newSpawner(t)
	c := start(t, s, pausing, proc.Command{Role: proc.Worker})
	told[string](t, c)
	for _, sig := range []syscall.Signal{
		syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU,
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
	} {
		if err := s.Kill(c.Pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Conn.Send(wire.Message{Type: wire.Reopen}); err != nil {
		t.Fatal(err)
	}
	got := told[[]string](t, c)
	slices.Sort(got)
	if want := []string{"hangup", "interrupt", "terminated", "user defined signal 1", "user defined signal 2"}; !slices.Equal(got, want) {
		t.Errorf("signals %q, want %q", got, want)
	}
	if exit := wait(t, c); exit.Status != 0 {
		t.Errorf("it ended with %+v", exit)
	}
}

// sleeper does nothing until it is killed, or its launcher is.
var sleeper = program("sleeper", func() int {
	if proc.Self().Role() == proc.Alone {
		fmt.Println("ready", proc.Self().Role(), os.Getenv("MAINSTAY_PROC"))
		time.Sleep(patience)
	}
	for range proc.Self().Messages() {
	}
	return 0
})

func TestAloneNothingIsTouched(t *testing.T) {
	for name, c := range map[string]struct {
		env  string
		want string
	}{
		"without a marker":    {"A=b", "ready launcher "},
		"with one that leaks": {"MAINSTAY_PROC=1 worker", "ready launcher "},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, out := outer(t, sleeper, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, c.env) })
			if got := line(t, out); got != c.want {
				t.Errorf("it says %q, want %q", got, c.want)
			}
			cmd.Process.Signal(syscall.SIGTERM)
			state, err := cmd.Process.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
				t.Errorf("after TERM: %v, want the default action", state)
			}
		})
	}
}

func TestMarkerOfAnotherVersionEndsTheProcess(t *testing.T) {
	a, b, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(a)
	var stderr strings.Builder
	cmd, _ := outer(t, sleeper, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "MAINSTAY_PROC=99 worker")
		cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(b), "channel")}
		cmd.Stderr = &stderr
	})
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "another version") {
		t.Errorf("it ended with %d and %q, want 1 and a line about the version", code, stderr.String())
	}
}

var counter = program("counter", func() int {
	b := scoreboard.Current()
	b.Beat(scoreboard.Monotonic())
	b.Begin()
	b.End(b.Begin())
	b.AddLost(scoreboard.Panic, 3)
	tell("counted")
	time.Sleep(patience)
	return 0
})

func TestBoardIsReadableAfterTheKill(t *testing.T) {
	before := scoreboard.Monotonic()
	s := newSpawner(t)
	c := start(t, s, counter, proc.Command{Role: proc.Worker})
	told[string](t, c)
	if err := s.Kill(c.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, c); !exit.Status.Signaled() || exit.Status.Signal() != syscall.SIGKILL || exit.Stolen {
		t.Errorf("it ended with %+v, want SIGKILL", exit)
	}
	got := c.Board.Read()
	if got.Running != 1 || got.Served != 1 || got.Lost[scoreboard.Panic] != 3 || got.Beat < before || got.Oldest != got.Beat {
		t.Errorf("Read() = %+v", got)
	}
}

var courier = program("courier", func() int {
	r, w, err := os.Pipe()
	must(0, err)
	m, fds, err := proc.Self().Request(background(), wire.Message{Type: wire.Bind, Name: "swap"}, int(w.Fd()))
	must(m, err)
	w.Close()
	text := must(io.ReadAll(r)) // what the launcher wrote into our pipe, until it closed it
	theirs := os.NewFile(uintptr(fds[0]), "theirs")
	fmt.Fprintf(theirs, "%s and back", text)
	theirs.Close()
	_, _, err = proc.Self().Request(background(), wire.Message{Type: wire.Bind, Name: "refused"})
	tell(fmt.Sprint(err))
	in := <-proc.Self().Messages()
	tell(fmt.Sprintf("%s with %d", in.Type, len(in.FDs)))
	_, open := <-proc.Self().Messages()
	_, _, err = proc.Self().Request(background(), wire.Message{Type: wire.Hello})
	fmt.Fprintln(os.Stderr, open, err)
	return 0
})

func TestDescriptorsAndAnswersBothWays(t *testing.T) {
	c := start(t, newSpawner(t), courier, proc.Command{Role: proc.Worker, Stderr: io.Discard})
	m, fds := receive(t, c, wire.Bind)
	if len(fds) != 1 || m.ID == 0 {
		t.Fatalf("got %+v with %d descriptors, want a request with 1", m, len(fds))
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := c.Conn.Send(wire.Message{Type: wire.Offer, Re: m.ID}, int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	theirs := os.NewFile(uintptr(fds[0]), "theirs")
	theirs.WriteString("there")
	theirs.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	if text, err := io.ReadAll(r); err != nil || string(text) != "there and back" {
		t.Errorf("through the pipes came %q, %v", text, err)
	}

	m, _ = receive(t, c, wire.Bind)
	late := wire.Message{Type: wire.Offer, Re: m.ID + 100} // nobody asked: dropped
	refusal := wire.Message{Type: wire.Offer, Re: m.ID, Error: "listen tcp :80: permission denied"}
	if err := errors.Join(c.Conn.Send(late), c.Conn.Send(refusal)); err != nil {
		t.Fatal(err)
	}
	if got := told[string](t, c); got != refusal.Error {
		t.Errorf("the error is %q, want %q", got, refusal.Error)
	}
	if err := c.Conn.Send(wire.Message{Type: wire.Offer}, 0); err != nil {
		t.Fatal(err)
	}
	if got := told[string](t, c); got != "offer with 1" {
		t.Errorf("the unasked message was %q, want an offer with 1 descriptor", got)
	}
	c.Conn.Close()
	wait(t, c)
	if got, want := c.Stderr.Lines(), []string{"false EOF"}; !slices.Equal(got, want) {
		t.Errorf("at the launcher's end it says %q, want %q", got, want)
	}
}

func TestHelloLearnsTheIdentity(t *testing.T) {
	c := start(t, newSpawner(t), greeter, proc.Command{Role: proc.Worker})
	m, _ := receive(t, c, wire.Hello)
	if m.Version != wire.Version || m.Pid != c.Pid {
		t.Errorf("hello is %+v, want version %d and pid %d", m, wire.Version, c.Pid)
	}
	id := wire.Identity{Set: "api", Slot: 3, Count: 4, Generation: 5, Incarnation: 6, Program: "p"}
	if err := c.Conn.Send(wire.Message{Type: wire.Welcome, Re: m.ID, Version: 1, Identity: &id}); err != nil {
		t.Fatal(err)
	}
	if got := told[[2]wire.Identity](t, c); got != [2]wire.Identity{{}, id} {
		t.Errorf("identities before and after are %+v, want none and %+v", got, id)
	}
}

var greeter = program("greeter", func() int {
	before := proc.Self().Identity()
	must(proc.Self().Hello(background()))
	tell([2]wire.Identity{before, proc.Self().Identity()})
	return 0
})

// TestWrongWelcome shows that hello takes no other answer.
func TestWrongWelcome(t *testing.T) {
	a, b, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	launcher := wire.NewConn(a)
	p := proc.NewProcess(proc.Worker, wire.NewConn(b))
	defer p.Conn().Close()
	defer launcher.Close()
	go func() {
		m, _, _ := launcher.Receive()
		launcher.Send(wire.Message{Type: wire.Done, Re: m.ID, Body: json.RawMessage("{}")})
	}()
	if id, err := p.Hello(deadline(t)); err == nil {
		t.Errorf("Hello() = %+v, want an error", id)
	}
}
