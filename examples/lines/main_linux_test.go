// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// mainEnv makes this program lines instead of its tests.
const mainEnv = "LINES_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience bounds what must not hang.
const patience = 30 * time.Second

// A program is lines, running.
type program struct {
	t       *testing.T
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	network string
	addr    string
	ended   chan struct{}
}

// command returns lines with arguments, ready to start.
func command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// start starts lines and waits until its control socket says that it runs.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	dir, err := os.MkdirTemp("", "lines") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &program{t: t, ended: make(chan struct{})}
	p.cmd = command(t, append([]string{"--state-path", dir}, args...)...)
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("standard error:\n%s", &p.stderr)
		}
	})
	client := control.NewClient(control.SocketPath(dir, "lines"))
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		status, err := client.Status(t.Context())
		if err == nil && status.State == "running" && len(status.Listeners) == 1 {
			p.network, p.addr = status.Listeners[0].Network, status.Listeners[0].Address
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("does not run: %+v, %v", status, err)
		}
	}
}

// wait waits for the end and returns the exit code.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// A client speaks lines.
type client struct {
	net.Conn
	r *bufio.Reader
}

func (p *program) dial() *client {
	p.t.Helper()
	c, err := net.Dial(p.network, p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{c, bufio.NewReader(c)}
}

func (p *program) expect(c *client, want string) {
	p.t.Helper()
	if got, err := c.r.ReadString('\n'); got != want {
		p.t.Errorf("read %q, %v, want %q", got, err, want)
	}
}

func TestLines(t *testing.T) {
	for _, workers := range []string{"1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) {
			p := start(t, "--listen", "127.0.0.1:0", "--workers", workers)
			c := p.dial()
			io.WriteString(c, "hello\nworld\n")
			p.expect(c, "hello\n")
			p.expect(c, "world\n")

			long := p.dial()
			io.WriteString(long, strings.Repeat("x", maxLine))
			p.expect(long, "line too long\n")

			// An idle client is let go, a line in hand is answered.
			half := p.dial()
			io.WriteString(half, "one\ntw")
			p.expect(half, "one\n")
			p.signal(syscall.SIGTERM)
			if _, err := c.r.ReadByte(); err != io.EOF {
				t.Errorf("read %v while idle, want EOF", err)
			}
			io.WriteString(half, "o\n")
			p.expect(half, "two\n")
			if _, err := half.r.ReadByte(); err != io.EOF {
				t.Errorf("read %v after the last line, want EOF", err)
			}
			if code := p.wait(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

func TestLinesOverUnix(t *testing.T) {
	name := fmt.Sprintf("@lines-test-%d", os.Getpid())
	p := start(t, "--listen", "unix:"+name, "--workers", "2")
	c := p.dial()
	io.WriteString(c, "hello\n")
	p.expect(c, "hello\n")
	c.Close()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestShutdownTimeoutCuts(t *testing.T) {
	p := start(t, "--listen", "127.0.0.1:0", "--shutdown-timeout", "1")
	c := p.dial()
	io.WriteString(c, "one\nhalf")
	p.expect(c, "one\n")
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 3 {
		t.Errorf("exit code %d, want 3: something was cut", code)
	}
}

// TestNewClientsAreRefusedDuringAStop has one client hold up a stop: others must be refused, not
// taken in and lost at the end.
func TestNewClientsAreRefusedDuringAStop(t *testing.T) {
	for _, workers := range []string{"1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) {
			p := start(t, "--listen", "127.0.0.1:0", "--workers", workers)
			half := p.dial()
			io.WriteString(half, "one\ntw")
			p.expect(half, "one\n")
			p.signal(syscall.SIGTERM)
			for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
				err := once(p.network, p.addr)
				if errors.Is(err, syscall.ECONNREFUSED) {
					break
				}
				if err != nil || time.Now().After(end) {
					t.Fatalf("connecting during a stop: %v, want a refusal", err)
				}
			}
			io.WriteString(half, "o\n")
			p.expect(half, "two\n")
			if code := p.wait(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

// TestReloadAndStopLoseNothing has clients that send one line per connection, through reloads and a
// stop.
func TestReloadAndStopLoseNothing(t *testing.T) {
	for _, workers := range []string{"1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) { reloadAndStop(t, workers) })
	}
}

func reloadAndStop(t *testing.T, workers string) {
	p := start(t, "--listen", "127.0.0.1:0", "--workers", workers)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answered atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				err := once(p.network, p.addr)
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	steer := control.NewClient(control.SocketPath(p.cmd.Args[2], "lines"))
	for range 3 {
		before := answered.Load()
		if _, err := steer.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		for end := time.Now().Add(patience); answered.Load() < before+100 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	clients.Wait()
	if answered.Load() < 300 {
		t.Errorf("%d lines were answered, want at least 300", answered.Load())
	}
}

// once connects, sends a line and reads the answer.
func once(network, addr string) error {
	c, err := net.DialTimeout(network, addr, patience/3)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience / 3))
	if _, err := io.WriteString(c, "line\n"); err != nil {
		return fmt.Errorf("lost: %w", err)
	}
	if answer, err := bufio.NewReader(c).ReadString('\n'); answer != "line\n" {
		return fmt.Errorf("lost: answer %q, %w", answer, err)
	}
	return nil
}

func TestMistakesAreOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":     {[]string{"--bogus"}, "bogus"},
		"an argument":         {[]string{"more"}, "argument more:"},
		"an address":          {[]string{"--listen", "nowhere"}, `"nowhere"`},
		"a port that is used": {[]string{"--listen", taken.Addr().String()}, taken.Addr().String()},
		"a duration":          {[]string{"--shutdown-timeout", "soon"}, "30s"},
		"a number of workers": {[]string{"--listen", "127.0.0.1:0", "--workers", "-1"}, `workers = "-1"`},
		"a directory":         {[]string{"--config-dir", "/no/such"}, "/no/such"},
		"a file":              {[]string{"--config-file", "/no/such.conf"}, "/no/such.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := command(t, c.args...).CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit code 1", err)
			}
			if s := string(out); !strings.Contains(s, c.want) || strings.Count(s, "\n") != 1 {
				t.Errorf("said %q, want one line with %q", s, c.want)
			}
		})
	}
}
