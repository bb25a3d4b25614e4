// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

// subprocess is a program that another one starts: it prints every signal that it gets, and ends with 7
// at the end of the pipe that is its descriptor 3.
var subprocess = asProgram("subprocess", func() {
	sigc := make(chan os.Signal, 16) // more than any test sends
	signal.Notify(sigc)
	go func() {
		for sig := range sigc {
			if sig != syscall.SIGURG { // the Go runtime's own
				fmt.Println("subprocess got", sig)
			}
		}
	}()
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		target, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.HasPrefix(target, "socket:") || strings.HasPrefix(target, "/memfd:") {
			fmt.Println("subprocess has descriptor", fd.Name(), target)
		}
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "MAINSTAY_") {
			fmt.Println("subprocess has", v)
		}
	}
	fmt.Println("subprocess began", os.Args[1])
	io.Copy(io.Discard, os.NewFile(3, "life"))
	os.Exit(7)
})

// startSubprocess starts one and returns a function that ends it and says how.
func startSubprocess(of string) (end func()) {
	cmd := exec.Command("/proc/self/exe", of)
	cmd.Env = append(os.Environ(), programVar+"="+subprocess)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	r, life, err := os.Pipe()
	if err == nil {
		cmd.ExtraFiles = []*os.File{r}
		err = cmd.Start()
		r.Close()
	}
	if err != nil {
		service.Exit(err)
	}
	return func() {
		life.Close()
		fmt.Println("subprocess of", of, "ended with", cmd.Wait())
	}
}

// family is a program whose launcher and worker have a process of their own each.
var family = asProgram("family", func() {
	opts := baseOptions()
	var end func() // hooks come one at a time
	opts.Hooks = append(opts.Hooks, service.Hooks{
		Ready: func(service.Worker, int) {
			if end == nil {
				end = startSubprocess("launcher")
			}
		},
		Stopping: func() { end() },
	})
	api := narrate("api")
	var endOfWorker func()
	api.start = func(context.Context) error {
		endOfWorker = startSubprocess("worker")
		return nil
	}
	api.shutdown = func(context.Context) error {
		endOfWorker()
		return nil
	}
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{api}})
})

func TestX09SubprocessesKeepTheirExitStatusAndGetNoSignals(t *testing.T) {
	t.Parallel()
	f := startFleet(t, family)
	f.seen(1, "subprocess began launcher")
	pid := f.pids("api", 1)[0]
	sendSignal(t, pid, syscall.SIGINT)
	sendSignal(t, pid, syscall.SIGHUP)
	f.seen(1, "api reset")
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	f.seen(1, "subprocess of worker ended with exit status 7")
	f.seen(2, "subprocess began worker")
	sendSignal(t, f.pids("api", 1)[0], syscall.SIGTERM)
	f.seen(2, "subprocess of worker ended with exit status 7")
	f.seen(3, "subprocess began worker")
	f.up()
	f.stops()
	f.said(3, "subprocess of worker ended with exit status 7")
	f.said(1, "subprocess of launcher ended with exit status 7")
	f.said(0, "subprocess got")
	f.said(0, "subprocess has")
}

// A worker that is killed leaves its subprocess behind. It may hold the worker's standard error open
// for as long as it likes: the worker is replaced at once, and the program ends without it.
func TestX09OrphanOfAWorkerIsNobodysBusiness(t *testing.T) {
	t.Parallel()
	f := startFleet(t, abandoning)
	f.seen(1, "sleeper ")
	sleeper := numberAfter(t, f.expect("sleeper "), "sleeper")
	pid := f.pids("api", 1)[0]
	sendSignal(t, pid, syscall.SIGKILL)
	f.seen(2, "ready api/0")
	f.up()
	f.signal(syscall.SIGTERM)
	f.exits(service.ExitOK)
	if !living(sleeper) {
		t.Error("the subprocess has ended with the worker")
	}
	for line := range strings.Lines(f.output()) {
		if strings.HasPrefix(line, "sleeper ") {
			sendSignal(t, numberAfter(t, line, "sleeper"), syscall.SIGKILL)
		}
	}
	f.silent()
}

var abandoning = asProgram("abandoning", func() {
	api := narrate("api")
	api.start = func(context.Context) error {
		cmd := exec.Command("sleep", "3600")
		cmd.Stderr = os.Stderr
		err := cmd.Start()
		fmt.Println("sleeper", cmd.Process.Pid)
		return err
	}
	runSets(baseOptions(), service.Set{Workers: 1, Services: []service.Service{api}})
})

func TestX10HangupReloadsWhereverItComesFrom(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(*exec.Cmd){
		"no terminal": withoutTerminal,
		"nohup":       throughShell(`trap "" HUP; exec "$@"`),
		"background":  throughShell(`"$@" & trap "kill -TERM $!" TERM; trap "kill -HUP $!" HUP; wait; wait; wait; wait $!`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, pair, option)
			before := f.pids("api", 2)
			f.signal(syscall.SIGHUP)
			f.seen(1, "reloaded 2")
			if after := f.pids("api", 2); !disjoint(before, after) {
				t.Errorf("workers %v became %v, want others", before, after)
			}
			sendSignal(t, f.pids("api", 2)[0], syscall.SIGHUP)
			f.seen(1, "api reset")
			f.stops()
		})
	}
}

func TestX10TerminalOfALauncher(t *testing.T) {
	t.Parallel()
	master, slave := openTerminal(t)
	f := startFleet(t, pair, withTerminal(slave))
	before := f.pids("api", 2)
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	if after := f.pids("api", 2); !disjoint(before, after) {
		t.Errorf("workers %v became %v, want others", before, after)
	}
	slave.Close()
	master.Close() // the kernel sends HUP to the launcher, whose terminal is gone
	f.ends(service.ExitOK)
	f.said(2, "api shutdown stop")
}

// Ctrl-C reaches the launcher and its workers at once, which must not look like workers that die.
func TestX10InterruptFromTheTerminalOfALauncher(t *testing.T) {
	t.Parallel()
	master, slave := openTerminal(t)
	f := startFleet(t, pair, withTerminal(slave))
	f.up()
	if _, err := master.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	f.ends(service.ExitFailed)
	f.said(2, "ready api/")
}

func TestX10FirstProcessOfAContainerHasWorkers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a PID namespace of its own")
	}
	inContainer := func(c *exec.Cmd) {
		throughShell(`mount -t proc proc /proc && exec "$@"`)(c)
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	}
	f := startFleet(t, family, inContainer)
	if pid := f.up().Pid; pid != 1 {
		t.Fatalf("the launcher is process %d of its container", pid)
	}
	f.seen(1, "subprocess began launcher")
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	f.seen(1, "subprocess of worker ended with exit status 7")
	f.up()
	f.stops()
	f.said(1, "subprocess of launcher ended with exit status 7")
	f.said(0, "subprocess got")
}

// reaper is process 1 of a container, where it becomes the parent of every orphan.
var reaper = asProgram("reaper", func() {
	api := narrate("api")
	api.serve = func(ctx context.Context) error {
		out, err := exec.Command("sh", "-c", "sleep 0.1 </dev/null >/dev/null 2>&1 & echo orphaned").CombinedOutput()
		fmt.Printf("%s%v\n", out, err)
		<-api.over
		return nil
	}
	runSets(baseOptions(), service.Set{Workers: 3, Services: []service.Service{api}})
})

func TestX10FirstProcessOfAContainerReapsOrphans(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a PID namespace of its own")
	}
	f := startFleet(t, reaper, func(c *exec.Cmd) {
		throughShell(`mount -t proc proc /proc && exec "$@"`)(c)
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	})
	f.seen(3, "orphaned")
	f.up()
	for late := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		states := childrenOf(f.pid())
		if len(states) == 3 && !strings.Contains(strings.Join(states, ""), "Z") {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("the launcher has children in states %v, want three workers", states)
		}
	}
	f.stops()
}

// childrenOf returns the states of the children of a process.
func childrenOf(pid int) (states []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			states = append(states, fields[0])
		}
	}
	return states
}

// slowSet is ready when a file is there.
var slowSet = asProgram("slowSet", func() {
	slow := narrate("slow")
	slow.start = func(ctx context.Context) error {
		for ctx.Err() == nil {
			if _, err := os.Stat(os.Getenv(settingsVar)); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		fmt.Printf("env %q %q %q\n", os.Getenv("NOTIFY_SOCKET"), os.Getenv("WATCHDOG_USEC"), os.Getenv("LISTEN_FDS"))
		return ctx.Err()
	}
	runSets(baseOptions(), service.Set{Workers: 2, Services: []service.Service{narrate("fast")}},
		service.Set{Workers: 2, Services: []service.Service{slow}})
})

// notified listens as a service manager does and returns its address and what it is told, in order.
func notified(t *testing.T) (address string, told <-chan string) {
	t.Helper()
	address = filepath.Join(shortDir(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	words := make(chan string, 64) // more than any program here has to say
	go func() {
		defer close(words)
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			word, _, _ := strings.Cut(string(buf[:n]), "\n")
			words <- word
		}
	}()
	return address, words
}

func TestX11ReadyIsToldWhenEverySetServes(t *testing.T) {
	t.Parallel()
	address, told := notified(t)
	file := filepath.Join(t.TempDir(), "go")
	f := startFleet(t, slowSet, withEnv("NOTIFY_SOCKET="+address, "WATCHDOG_USEC=1000000", "LISTEN_FDS=0", settingsVar+"="+file))
	f.seen(2, "ready fast/")
	f.until("two wait", func(st control.Status) bool { return st.State == "starting" && len(slots(st, "slow")) == 2 })
	select {
	case word := <-told:
		t.Errorf("told %q before all sets serve", word)
	default:
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := func(word string) {
		t.Helper()
		select {
		case got := <-told:
			if got != word {
				t.Errorf("told %q, want %q", got, word)
			}
		case <-time.After(patience):
			f.fail("not told %s", word)
		}
	}
	want("READY=1")
	f.up()
	f.signal(syscall.SIGHUP)
	want("RELOADING=1")
	want("READY=1")
	f.up()
	f.signal(syscall.SIGTERM)
	want("STOPPING=1")
	f.ends(service.ExitOK)
	f.said(4, `env "" "" ""`)
}

func TestX11ReadyIsNeverToldWhenASetCannotServe(t *testing.T) {
	t.Parallel()
	address, told := notified(t)
	f := startFleet(t, failingStart, withEnv("NOTIFY_SOCKET="+address))
	f.ends(service.ExitFailed)
	if got := <-told; got != "STOPPING=1" {
		t.Errorf("told %q, want STOPPING=1", got)
	}
}
