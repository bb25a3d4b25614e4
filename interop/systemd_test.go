// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
)

// TestSocketActivation starts a program by the first connection to a socket that systemd bound.
func TestSocketActivation(t *testing.T) {
	activate := need(t, "systemd-socket-activate")
	for name, workers := range map[string]string{"in process": "1", "with 2 workers": "2"} {
		t.Run(name, func(t *testing.T) {
			get := curl(t)
			addr, state := freeAddr(t), folder(t)
			d := &daemon{addr: addr, state: state}
			d.Process = start(t, exec.Command(activate, "--listen="+addr, filepath.Join(bin, "hello"),
				"--listen", addr, "--workers", workers, "--state-path", state))
			// The connection is what starts hello, and waits in the queue of its socket meanwhile.
			if err := d.AwaitAccept("tcp", addr, patience); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(get(d.url("/"))); got != "hello, world" {
				t.Errorf("/ answers %q, want hello, world", got)
			}
			before := get(d.url("/pid"))
			d.hangUp(t)
			if workers != "1" {
				await(t, "an answer of another worker", func() bool {
					return get(d.url("/pid")) != before
				})
			}
			if got := strings.TrimSpace(get(d.url("/"))); got != "hello, world" {
				t.Errorf("after a reload / answers %q, want hello, world", got)
			}
			d.terminate(t)
		})
	}
}

// receiver is what systemd does with the messages of a service: it reads datagrams, one by one, and
// asks the kernel who sent each.
const receiver = `
import json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1].replace("@", "\0", 1))
print(json.dumps({"pid": os.getpid(), "text": "listening"}), flush=True)
while True:
    data, anc, flags, addr = s.recvmsg(65536, socket.CMSG_SPACE(struct.calcsize("3i")))
    pid = next(struct.unpack("3i", d)[0] for l, t, d in anc if t == socket.SCM_CREDENTIALS)
    print(json.dumps({"pid": pid, "text": data.decode()}), flush=True)
`

// A notice is one datagram as the receiver saw it.
type notice struct {
	Pid  int
	Text string
}

// lines returns the assignments of a datagram.
func (n notice) lines() []string { return strings.Split(strings.TrimSpace(n.Text), "\n") }

// receive starts the receiver on a notify socket. The channel is closed when it ends.
func receive(t *testing.T, socket string) <-chan notice {
	t.Helper()
	python := need(t, "python3")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", receiver, socket)
	cmd.Stdout = w
	start(t, cmd)
	w.Close()
	notices := make(chan notice, 1000) // far more than a test makes: the reader never waits
	go func() {
		defer close(notices)
		defer r.Close()
		for s := bufio.NewScanner(r); s.Scan(); {
			var n notice
			if err := json.Unmarshal(s.Bytes(), &n); err != nil {
				n.Text = fmt.Sprintf("%v: %s", err, s.Text())
			}
			notices <- n
		}
	}()
	awaitNotice(t, notices, "listening")
	return notices
}

// awaitNotice returns the next datagram with a line, and those that came before it.
func awaitNotice(t *testing.T, notices <-chan notice, line string) (n notice, before []notice) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case n, ok := <-notices:
			if !ok {
				t.Fatalf("the receiver ended; before %q came %v", line, before)
			}
			if slices.Contains(n.lines(), line) {
				return n, before
			}
			before = append(before, n)
		case <-timeout:
			t.Fatalf("waited %v for %q; what came is %v", patience, line, before)
		}
	}
}

// TestNotify tells a service manager of start, reload and stop, over both sorts of socket.
func TestNotify(t *testing.T) {
	for name, socket := range map[string]string{
		"a path":   filepath.Join(folder(t), "notify"),
		"abstract": fmt.Sprintf("@mainstay-interop-notify-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			get := curl(t)
			notices := receive(t, socket)
			addr, state := freeAddr(t), folder(t)
			cmd := exec.Command(filepath.Join(bin, "hello"), "--listen", addr, "--workers", "2", "--state-path", state)
			cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
			d := &daemon{Process: start(t, cmd), addr: addr, state: state}

			ready, _ := awaitNotice(t, notices, "READY=1")
			if ready.Pid != d.Pid() {
				t.Errorf("READY=1 came from process %d, want the launcher, %d", ready.Pid, d.Pid())
			}
			if got := strings.TrimSpace(get(d.url("/"))); got != "hello, world" {
				t.Errorf("once ready / answers %q, want hello, world", got)
			}
			workers := peer.Children(d.Pid())
			if len(workers) != 2 {
				t.Errorf("workers once ready: %v, want 2", workers)
			}
			for _, pid := range workers {
				checkNoVariables(t, pid)
			}

			d.hangUp(t)
			reloading, _ := awaitNotice(t, notices, "RELOADING=1")
			if !slices.ContainsFunc(reloading.lines(), func(l string) bool { return strings.HasPrefix(l, "MONOTONIC_USEC=") }) {
				t.Errorf("reloading says %q, want MONOTONIC_USEC in the same message", reloading.Text)
			}
			awaitNotice(t, notices, "READY=1")

			d.terminate(t)
			awaitNotice(t, notices, "STOPPING=1")
		})
	}
}

// TestNotifyNotReady holds that a program that cannot serve never says that it is ready.
func TestNotifyNotReady(t *testing.T) {
	socket := filepath.Join(folder(t), "notify")
	notices := receive(t, socket)
	taken := startHello(t, "--workers", "2")
	cmd := exec.Command(filepath.Join(bin, "hello"), "--listen", taken.addr, "--workers", "2", "--state-path", folder(t))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	p := start(t, cmd)
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatalf("still there after %v although its address is taken", patience)
	}
	if got := p.ExitCode(); got != 1 {
		t.Errorf("exit status %d where the address is taken, want 1", got)
	}
	// A message of our own comes after all that it sent.
	send(t, socket, "STATUS=end of test")
	_, before := awaitNotice(t, notices, "STATUS=end of test")
	for _, n := range before {
		if slices.Contains(n.lines(), "READY=1") {
			t.Errorf("a program that could not start said %q", n.Text)
		}
	}
}

// send sends a message with systemd's own client.
func send(t *testing.T, socket, message string) {
	t.Helper()
	cmd := exec.Command(need(t, "systemd-notify"), "--no-block", message)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("systemd-notify: %v: %s", err, out)
	}
}

// checkNoVariables holds that a worker has none of systemd's variables: it is not whom they mean.
func checkNoVariables(t *testing.T, pid int) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	env, err := io.ReadAll(f)
	if err != nil {
		t.Error(err)
	}
	for v := range strings.SplitSeq(string(env), "\x00") {
		for _, name := range []string{"NOTIFY_SOCKET=", "LISTEN_PID=", "LISTEN_FDS=", "WATCHDOG_"} {
			if strings.HasPrefix(v, name) {
				t.Errorf("worker %d has %s in its environment", pid, v)
			}
		}
	}
}
