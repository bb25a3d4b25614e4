// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !solaris && !aix

package periodic_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/periodic/leasetest"
)

// hostMarker in the environment makes the test binary a worker with a task that runs once per host.
const hostMarker = "MAINSTAY_PERIODIC_HOST"

func TestMain(m *testing.M) {
	if dir := os.Getenv(hostMarker); dir != "" {
		if err := hostWorker(dir); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hostWorker says "run TOKEN" for each run, until its standard input ends.
func hostWorker(dir string) error {
	s, err := periodic.New(periodic.Options{Name: "test", StatePath: dir, LeaseTime: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)},
		periodic.Task{Name: "task", Every: 20 * time.Millisecond, Scope: periodic.OncePerHost, Run: func(ctx context.Context) error {
			token, ok := periodic.Token(ctx)
			fmt.Println("run", token, ok)
			return nil
		}})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background()) }()
	io.Copy(io.Discard, os.Stdin)
	if err := s.Shutdown(context.Background()); err != nil {
		return err
	}
	return <-done
}

func TestHostLeases(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for it")
	leasetest.Run(t, leasetest.Kit{
		New: func(t *testing.T) periodic.Leases {
			l, err := periodic.HostLeases(dir)
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
		TTL: 200 * time.Millisecond,
	})
}

func TestHostLeasesNoticeThatTheirFileIsGone(t *testing.T) {
	dir := t.TempDir()
	l, err := periodic.HostLeases(dir)
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.Acquire(t.Context(), "a/b", "me", time.Second)
	if err != nil || g.Token != 1 {
		t.Fatalf("Acquire = %+v, %v", g, err)
	}
	if err := os.Remove(filepath.Join(dir, "a%2Fb.lock")); err != nil {
		t.Fatal(err)
	}
	if err := l.Renew(t.Context(), "a/b", g.Token, time.Second, true); !errors.Is(err, periodic.ErrLost) {
		t.Errorf("Renew = %v, want ErrLost", err)
	}
}

func TestHostLeasesRefuseADamagedFile(t *testing.T) {
	for name, content := range map[string]string{
		"not a number": "what is this",
		"half":         "00000000000000000007",
		"negative":     "-0000000000000000007 00000000000000000000\n",
		"at its end":   "09223372036854775807 00000000000000000000\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "task.lock"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := periodic.HostLeases(dir)
			if err != nil {
				t.Fatal(err)
			}
			if g, err := l.Acquire(t.Context(), "task", "me", time.Second); err == nil || !strings.Contains(err.Error(), "task.lock") {
				t.Errorf("Acquire = %+v, %v, want an error that names the file", g, err)
			}
		})
	}
}

// TestOnceOnAHostOfThree starts three workers; the one that runs the task is killed, the next drained.
func TestOnceOnAHostOfThree(t *testing.T) {
	const patience = time.Minute
	type said struct {
		worker int
		token  int64
	}
	dir, heard := t.TempDir(), make(chan said, 1000)
	var cmds []*exec.Cmd
	var stdins []io.Closer
	for i := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), hostMarker+"="+dir)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for lines := bufio.NewScanner(out); lines.Scan(); {
				s := said{worker: i}
				var ok bool
				if _, err := fmt.Sscanf(lines.Text(), "run %d %t", &s.token, &ok); err != nil || !ok {
					t.Errorf("worker %d said %q", i, lines.Text())
				}
				heard <- s
			}
		}()
		t.Cleanup(func() {
			in.Close()
			kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			<-done
			cmd.Wait()
			kill.Stop()
		})
		cmds, stdins = append(cmds, cmd), append(stdins, in)
	}

	gone := map[int]bool{}
	var last said
	// next waits for a run of somebody who is not gone; nobody's token may fall, and no two share one.
	next := func() said {
		timeout := time.After(patience)
		for {
			select {
			case s := <-heard:
				if s.token < last.token || s.token == last.token && s.worker != last.worker {
					t.Errorf("a run of worker %d with token %d after one of worker %d with %d", s.worker, s.token, last.worker, last.token)
				}
				last = s
				if !gone[s.worker] {
					return s
				}
			case <-timeout:
				t.Fatalf("no run within %v", patience)
			}
		}
	}
	for range 5 {
		next()
	}
	first := next()
	gone[first.worker] = true
	if err := cmds[first.worker].Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := next()
	if second.token != first.token+1 {
		t.Errorf("token %d after %d", second.token, first.token)
	}
	gone[second.worker] = true
	stdins[second.worker].Close()
	if third := next(); third.token != second.token+1 {
		t.Errorf("token %d after %d", third.token, second.token)
	}
}
