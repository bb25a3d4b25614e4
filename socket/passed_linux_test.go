// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/socket"
)

func init() { roles["activated"] = activated }

// listenEnv is the network and address that an activated program listens on.
const listenEnv = "SOCKET_TEST_LISTEN"

// A report is what an activated program says of its one connection.
type report struct {
	Error       string
	Addr        string
	NonBlocking bool // descriptor 3, the first that is passed
	CloseOnExec bool
	KeepAlive   int // TCP_KEEPIDLE of the connection, -1 without TCP
}

// activated accepts one connection, with keep-alive after 500 s, and writes a report to it.
func activated() {
	var r report
	network, address, _ := strings.Cut(os.Getenv(listenEnv), " ")
	config := socket.Config{KeepAliveIdle: 500 * time.Second}
	ln, err := config.Listen(context.Background(), network, address)
	if err != nil {
		json.NewEncoder(os.Stdout).Encode(report{Error: err.Error()})
		return
	}
	c, err := ln.Accept()
	if err != nil {
		json.NewEncoder(os.Stdout).Encode(report{Error: err.Error()})
		return
	}
	r.Addr, r.KeepAlive = ln.Addr().String(), -1
	if tc, ok := c.(*net.TCPConn); ok {
		rc, _ := tc.SyscallConn()
		rc.Control(func(fd uintptr) {
			r.KeepAlive, _ = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
		})
	}
	status, _, _ := syscall.Syscall(syscall.SYS_FCNTL, 3, syscall.F_GETFL, 0)
	flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, 3, syscall.F_GETFD, 0)
	r.NonBlocking, r.CloseOnExec = status&syscall.O_NONBLOCK != 0, flags&syscall.FD_CLOEXEC != 0
	json.NewEncoder(os.Stdout).Encode(r)
	c.Close()
}

// run starts cmd, connects to addr, waits for the end of both and returns the report.
func run(t *testing.T, cmd *exec.Cmd, network, addr string) (r report) {
	t.Helper()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	connected := make(chan error, 1)
	go func() { connected <- connect(network, addr) }()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil || r.Error != "" {
		t.Fatalf("no report: %v %s\n%s", err, r.Error, &errs)
	}
	if err := <-connected; err != nil {
		t.Error(err)
	}
	return r
}

// connect connects as soon as somebody listens, and waits until the peer closes.
func connect(network, addr string) error {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial(network, addr)
		if err == nil {
			defer c.Close()
			_, err = io.ReadAll(c)
			return err
		}
		if time.Now().After(end) {
			return err
		}
	}
}

// TestPassedSocket passes a listener that is blocking and not closed on exec to a program that asks
// for it in several ways. No service manager is needed.
func TestPassedSocket(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	for name, c := range map[string]struct {
		ln     net.Listener
		listen string
		idle   int
	}{
		"TCP by name":     {tcp, "systemd web", 500},
		"TCP by index":    {tcp, "systemd 0", 500},
		"TCP by address":  {tcp, "tcp " + tcp.Addr().String(), 500},
		"unix by name":    {unix, "systemd web", -1},
		"unix by address": {unix, "unix " + path, -1},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := c.ln.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := syscall.SetNonblock(int(f.Fd()), false); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
			cmd.ExtraFiles = []*os.File{f}
			cmd.Env = append(os.Environ(), roleEnv+"=activated", listenEnv+"="+c.listen, "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
			got := run(t, cmd, c.ln.Addr().Network(), c.ln.Addr().String())
			want := report{Addr: c.ln.Addr().String(), NonBlocking: true, CloseOnExec: true, KeepAlive: c.idle}
			if got != want {
				t.Errorf("report %+v, want %+v", got, want)
			}
		})
	}
}

// TestSystemdSocketActivate does the same with systemd's own tool.
func TestSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("systemd-socket-activate is not installed: %v", err)
	}
	free := listen(t, socket.Config{}, "tcp", "127.0.0.1:0")
	port := free.Addr().String()
	free.Close()
	path := filepath.Join(t.TempDir(), "s")
	for name, c := range map[string]struct {
		network, addr string
		listen        string
		idle          int
	}{
		"TCP by name":     {"tcp", port, "systemd web", 500},
		"TCP by address":  {"tcp", port, "tcp " + port, 500},
		"unix by address": {"unix", path, "unix " + path, -1},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(tool, "--listen="+c.addr, "--fdname=web",
				"--setenv="+roleEnv+"=activated", "--setenv="+listenEnv+"="+c.listen, os.Args[0])
			got := run(t, cmd, c.network, c.addr)
			want := report{Addr: c.addr, NonBlocking: true, CloseOnExec: true, KeepAlive: c.idle}
			if got != want {
				t.Errorf("report %+v, want %+v", got, want)
			}
		})
	}
}
