// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/proc"
)

var exiter = program("exiter", func() int { return 42 })

func TestExitStatus(t *testing.T) {
	s := newSpawner(t)
	c := start(t, s, exiter, proc.Command{Role: proc.Worker})
	exit := wait(t, c)
	if exit.Pid != c.Pid || exit.Stolen || !exit.Status.Exited() || exit.Status.ExitStatus() != 42 {
		t.Errorf("Wait() = %+v, want status 42 of %d", exit, c.Pid)
	}
	if again := c.Wait(); again != exit {
		t.Errorf("a second Wait() = %+v, want the same", again)
	}
	if err := s.Kill(c.Pid, syscall.SIGTERM); !errors.Is(err, proc.ErrGone) {
		t.Errorf("Kill after that: %v, want %v", err, proc.ErrGone)
	}
}

func TestKillRefusesOtherProcesses(t *testing.T) {
	s := newSpawner(t)
	for _, pid := range []int{0, -1, 1, os.Getpid(), os.Getppid()} {
		if err := s.Kill(pid, syscall.Signal(0)); !errors.Is(err, proc.ErrGone) {
			t.Errorf("Kill(%d): %v, want %v", pid, err, proc.ErrGone)
		}
	}
}

func TestManyEndAtOnce(t *testing.T) {
	s := newSpawner(t)
	var list []*proc.Child
	for range 10 {
		list = append(list, start(t, s, sleeper, proc.Command{Role: proc.Worker}))
	}
	for _, c := range list {
		if err := s.Kill(c.Pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	for _, c := range list {
		if exit := wait(t, c); exit.Status.Signal() != syscall.SIGKILL {
			t.Errorf("process %d ended with %+v, want SIGKILL", c.Pid, exit)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	s := newSpawner(t)
	if _, err := s.Start(proc.Command{Role: proc.Alone}); err == nil {
		t.Error("a launcher was started as a child")
	}
	if _, err := s.Start(proc.Command{Role: proc.Worker, Snapshot: 1 << 20}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Start with a snapshot that is not open: %v, want %v", err, syscall.EBADF)
	}
	s.Close()
	before := openFDs(t)
	if _, err := s.Start(proc.Command{Role: proc.Worker}); err == nil {
		t.Error("a closed spawner starts")
	}
	poll(t, "descriptors of the failed start are closed", func() bool { return openFDs(t) <= before })
}

func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestNothingIsLeftOfAChild(t *testing.T) {
	s := newSpawner(t)
	round := func() {
		c := start(t, s, exiter, proc.Command{Role: proc.Worker})
		wait(t, c)
		<-c.Stderr.Done()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	round()
	before := openFDs(t)
	for range 5 {
		round()
	}
	if after := openFDs(t); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// TestOthersChildrenKeepTheirStatus shows that the spawner reaps its own children alone.
func TestOthersChildrenKeepTheirStatus(t *testing.T) {
	const subprocesses = 200
	s := newSpawner(t)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	workers.Go(func() { // children of ours end all the while
		for {
			select {
			case <-stop:
				return
			default:
			}
			c, err := s.Start(proc.Command{Role: proc.Worker, Stderr: io.Discard, ExtraEnv: []string{programVar + "=" + exiter}})
			if err != nil {
				t.Error(err)
				return
			}
			if exit := c.Wait(); exit.Stolen || exit.Status.ExitStatus() != 42 {
				t.Errorf("our own child ended with %+v, want status 42", exit)
			}
			c.Close()
		}
	})
	for i := range subprocesses {
		code := i % 100
		err := exec.Command("/bin/sh", "-c", fmt.Sprintf("exit %d", code)).Run()
		ee, _ := errors.AsType[*exec.ExitError](err)
		if code == 0 && err != nil || code != 0 && (ee == nil || ee.ExitCode() != code) {
			t.Errorf("subprocess %d: %v, want status %d", i, err, code)
		}
	}
	close(stop)
	workers.Wait()
}

func TestStolenStatusIsSaid(t *testing.T) {
	s := newSpawner(t)
	c := start(t, s, exiter, proc.Command{Role: proc.Worker})
	var status syscall.WaitStatus
	// Whether this or the spawner comes first is open; that somebody gets the status is not.
	pid, err := syscall.Wait4(c.Pid, &status, 0, nil)
	exit := wait(t, c)
	switch {
	case err == nil && (pid != c.Pid || !exit.Stolen):
		t.Errorf("Wait() = %+v, want it stolen", exit)
	case err != nil && (exit.Stolen || exit.Status.ExitStatus() != 42):
		t.Errorf("Wait() = %+v, want status 42", exit)
	}
}

// pidOne is a launcher that is process 1 of a name space of its own.
var pidOne = program("pid one", func() int {
	must(0, syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(0, syscall.Mount("proc", "/proc", "proc", 0, ""))
	if os.Getpid() != 1 {
		fmt.Println("not process 1 but", os.Getpid())
		return 1
	}
	s := must(proc.NewSpawner())
	defer s.Close()

	// A child of the application's that is not waited for in a long time.
	late := exec.Command("/bin/sh", "-c", "exit 7")
	must(0, late.Start())

	// Orphans: their parent ends at once.
	for range 5 {
		must(0, exec.Command("/bin/sh", "-c", "sleep 0.05 & sleep 0.2 &").Run())
	}
	c := mustStart(s, exiter)
	if exit := c.Wait(); exit.Status.ExitStatus() != 42 {
		fmt.Println("our own child:", exit)
	}
	for end := time.Now().Add(patience / 2); ; time.Sleep(20 * time.Millisecond) {
		left := childrenOfOne()
		if len(left) == 1 && left[0] == fmt.Sprint(late.Process.Pid) {
			break
		}
		if time.Now().After(end) {
			fmt.Println("processes left:", left)
			break
		}
	}
	err := late.Wait()
	if ee, ok := errors.AsType[*exec.ExitError](err); !ok || ee.ExitCode() != 7 {
		fmt.Println("the application's child:", err)
	}
	fmt.Println("done")
	return 0
})

// childrenOfOne returns the processes, dead ones too, whose parent is process 1.
func childrenOfOne() (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == "1" {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

func TestProcessOneReapsStrangersButNotTheApplicationsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot make a process 1")
	}
	cmd, out := outer(t, pidOne, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	})
	if got := line(t, out); got != "done" {
		t.Errorf("process 1 says: %s", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for name, c := range map[string]struct {
		stat, start string
		dead        bool
	}{
		"running":              {"12 (sh) S" + rest, "4711", false},
		"dead":                 {"12 (sh) Z" + rest, "4711", true},
		"a name full of traps": {"12 (a) Z 1 2) R" + rest, "4711", false},
		"cut short":            {"12 (sh) Z 1 2", "", false},
		"nothing":              {"", "", false},
	} {
		if start, dead := proc.ParseStat([]byte(c.stat)); start != c.start || dead != c.dead {
			t.Errorf("%s: ParseStat(%q) = %q, %v, want %q, %v", name, c.stat, start, dead, c.start, c.dead)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (sh) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"))
	f.Add([]byte(")))"))
	f.Fuzz(func(t *testing.T, stat []byte) {
		if start, dead := proc.ParseStat(stat); dead && start == "" {
			t.Errorf("ParseStat(%q) is dead without a start", stat)
		}
	})
}
