// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package peer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is a running program, the leader of its own process group.
type Process struct {
	name string
	cmd  *exec.Cmd
	out  tail
	done chan struct{} // closed when the program has ended and is reaped
	end  time.Time     // of the program, valid after done
}

// Start starts cmd in a process group of its own and under guard. Its standard output and standard
// error are kept for [Process.Output] where cmd does not set them. The caller ends it by Stop.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{name: cmd.Args[0], cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.out
	}
	// What a program leaves behind may hold its output open; its end does not wait for that.
	cmd.WaitDelay = time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	if err := tell(fmt.Sprint("add ", cmd.Process.Pid)); err != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		return nil, err
	}
	go p.wait()
	return p, nil
}

// wait reaps the program; it ends with the program.
func (p *Process) wait() {
	p.cmd.Wait()
	p.end = time.Now()
	close(p.done)
}

// Pid returns the process id of the program, and of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// End returns when the program ended; valid once Done is closed.
func (p *Process) End() time.Time { return p.end }

// ExitCode returns the exit status, -1 for death by a signal; valid once Done is closed.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Output returns the last of what the program wrote.
func (p *Process) Output() string { return p.out.String() }

// Signal sends a signal to the program, not to its group.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Stop asks the program to end by TERM, kills it after timeout, and then kills what is left of its
// group. It returns an error if the program had to be killed or left somebody behind. Stopping what
// has ended does no harm.
func (p *Process) Stop(timeout time.Duration) error {
	p.Signal(syscall.SIGTERM)
	var err error
	select {
	case <-p.done:
	case <-time.After(timeout):
		err = fmt.Errorf("%s: still there %v after TERM: killed", p.name, timeout)
		syscall.Kill(-p.Pid(), syscall.SIGKILL)
		<-p.done
	}
	if left := Group(p.Pid()); len(left) > 0 {
		syscall.Kill(-p.Pid(), syscall.SIGKILL)
		if err == nil {
			err = fmt.Errorf("%s: ended and left processes %d of its group behind: killed", p.name, left)
		}
	}
	tell(fmt.Sprint("gone ", p.Pid()))
	return err
}

// FreeAddr returns an address of the loopback interface whose port was free a moment ago.
func FreeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// AwaitAccept waits until addr accepts connections, p has ended, or timeout has passed.
func (p *Process) AwaitAccept(network, addr string, timeout time.Duration) error {
	for deadline := time.Now().Add(timeout); ; {
		conn, err := net.DialTimeout(network, addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s: ended with %d before it listened on %s: %s", p.name, p.ExitCode(), addr, p.Output())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w after %v: %s", p.name, err, timeout, p.Output())
		}
	}
}

// tailSize is how much of a program's output is kept: enough for a stack dump's beginning to matter.
const tailSize = 64 << 10

// A tail keeps the last bytes that were written to it. It is safe for concurrent use.
type tail struct {
	mu  sync.Mutex
	buf []byte // guarded by mu
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
