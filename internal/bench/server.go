// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/peer"
)

//go:embed peers
var peerFiles embed.FS

// Deadlines for servers that behave; who misses one is broken.
const (
	startLimit = 30 * time.Second
	stopLimit  = 10 * time.Second
)

// A kind is a sort of server that can be started.
type kind struct {
	name    string
	needs   string // file without which it is not installed; empty for our own
	workers int    // children that serve; 0 if the process serves itself
	// command returns what to run; it may write files into dir.
	command func(b *bench, dir, addr string) (*exec.Cmd, error)
}

// The servers. What they have in common: the address, the answer and two workers where there are any.
var (
	bare = kind{name: "bare net/http", command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		return exec.Command(b.bare, "-listen", addr, "-body", b.body), nil
	}}
	bare2 = kind{name: "bare net/http, GOMAXPROCS 2", command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		cmd, err := bare.command(b, dir, addr)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
		return cmd, err
	}}
	// An application alone, and with the filters of a stock nova pipeline around it, request_log silent
	// or writing a file.
	application = kind{name: "the application", command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		return exec.Command(b.pipeline, "-listen", addr, "-body", b.body, "-filters=false"), nil
	}}
	pipeline = kind{name: "eight filters", command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		return exec.Command(b.pipeline, "-listen", addr, "-body", b.body), nil
	}}
	pipelineLog = kind{name: "eight filters and a log file", command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		return exec.Command(b.pipeline, "-listen", addr, "-body", b.body, "-log", filepath.Join(dir, "request.log")), nil
	}}
	inProcess   = hello("hello in process", 0)
	twoWorkers  = hello("hello, 2 workers", 2)
	twoWorkers1 = hello("hello, 2 workers, procs 1", 2, "--procs", "1")
	fourWorkers = hello("hello, 4 workers", 4)

	// withShutdown is what many programs do at TERM.
	withShutdown = kind{name: "http.Server.Shutdown", command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		return exec.Command(b.bare, "-listen", addr, "-body", b.body, "-shutdown"), nil
	}}

	haproxy = kind{name: "HAProxy", needs: "/usr/sbin/haproxy", workers: 1, command: haproxyCommand} // one, with threads
	nginx   = nginxWith("nginx", 2)
	nginx4  = nginxWith("nginx, 4 workers", 4)
	// gthread is the worker that keeps connections alive; the default one closes each.
	gunicorn = kind{name: "gunicorn", needs: "/usr/bin/gunicorn", workers: 2, command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		return python(b, dir, "/usr/bin/gunicorn", "--chdir", dir, "--bind", addr, "--workers", "2",
			"--worker-class", "gthread", "--threads", "4", "--keep-alive", "75", "app:app")
	}}
	oslo = kind{name: "oslo.service", needs: "/usr/lib/python3/dist-packages/oslo_service", workers: 2,
		command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return python(b, dir, "/usr/bin/python3", filepath.Join(dir, "oslo.py"), host, port, "2")
		}}
)

// hello is the example of that name with a number of workers; 0 serves in process.
func hello(name string, workers int, args ...string) kind {
	return kind{name: name, workers: workers, command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		args := append([]string{"--listen", addr, "--workers", strconv.Itoa(workers), "--state-path", dir}, args...)
		return exec.Command(b.hello, args...), nil
	}}
}

func nginxWith(name string, workers int) kind {
	return kind{name: name, needs: "/usr/sbin/nginx", workers: workers, command: func(b *bench, dir, addr string) (*exec.Cmd, error) {
		path, err := configured(b, dir, addr, "nginx.conf")
		return exec.Command("/usr/sbin/nginx", "-p", dir, "-c", path, "-g", fmt.Sprintf("worker_processes %d;", workers)), err
	}}
}

// haproxyCommand is a master with a worker, as units run it.
func haproxyCommand(b *bench, dir, addr string) (*exec.Cmd, error) {
	path, err := configured(b, dir, addr, "haproxy.cfg")
	return exec.Command("/usr/sbin/haproxy", "-W", "-C", dir, "-f", path), err
}

// configured writes a configuration file with what it names in braces filled in.
func configured(b *bench, dir, addr, name string) (string, error) {
	text, err := peerFiles.ReadFile("peers/" + name)
	if err != nil {
		return "", err
	}
	conf := strings.NewReplacer("{{dir}}", dir, "{{addr}}", addr, "{{body}}", strconv.Quote(b.body)).Replace(string(text))
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, []byte(conf), 0o644)
}

// python is a command that has the Python programs in dir.
func python(b *bench, dir string, args ...string) (*exec.Cmd, error) {
	for _, name := range []string{"app.py", "oslo.py"} {
		text, err := peerFiles.ReadFile("peers/" + name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "BENCH_BODY="+b.body)
	return cmd, nil
}

// errNotInstalled says that a peer is not on this machine.
var errNotInstalled = errors.New("not installed")

// A server is one that runs.
type server struct {
	*peer.Process
	kind
	addr    string
	dir     string
	started time.Time // just before it was started
}

// launch starts a server and does not wait for it.
func (k kind) launch(b *bench) (*server, error) {
	if k.needs != "" {
		if _, err := os.Stat(k.needs); err != nil {
			return nil, errNotInstalled
		}
	}
	dir, err := peer.Dir("server")
	if err != nil {
		return nil, err
	}
	addr, err := peer.FreeAddr()
	if err != nil {
		return nil, err
	}
	cmd, err := k.command(b, dir, addr)
	if err != nil {
		return nil, err
	}
	s := &server{kind: k, addr: addr, dir: dir, started: time.Now()}
	if s.Process, err = peer.Start(cmd); err != nil {
		return nil, err
	}
	return s, nil
}

// start starts a server and waits until it answers and has all its workers.
func (k kind) start(b *bench) (*server, error) {
	s, err := k.launch(b)
	if err != nil {
		return nil, err
	}
	if err = s.AwaitAccept("tcp", s.addr, startLimit); err == nil {
		if _, err = get(s.addr); err == nil {
			err = s.await(startLimit, "all workers", func() bool { return len(peer.Children(s.Pid())) >= k.workers })
		}
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// stop ends a server, however it takes that: no row depends on it.
func (s *server) stop() {
	s.Stop(stopLimit)
	os.RemoveAll(s.dir)
}

// pids returns the server's processes.
func (s *server) pids() []int { return append([]int{s.Pid()}, peer.Children(s.Pid())...) }

// await polls until cond holds, but no longer than the server lives, nor than limit.
func (s *server) await(limit time.Duration, what string, cond func() bool) error {
	for deadline := time.Now().Add(limit); !cond(); {
		select {
		case <-s.Done():
			return fmt.Errorf("%s ended before %s: %s", s.name, what, s.Output())
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: waited %v for %s: %s", s.name, limit, what, s.Output())
		}
	}
	return nil
}

// workersReady returns the pids of the workers that are ready, as the control socket of hello says.
func (s *server) workersReady(ctx context.Context) ([]int, error) {
	status, err := control.NewClient(control.SocketPath(s.dir, "hello")).Status(ctx)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, set := range status.Sets {
		for _, w := range set.Slots {
			if w.State == "running" {
				pids = append(pids, w.Pid)
			}
		}
	}
	return pids, nil
}

// get asks a server once, on a connection of its own, and returns the body of a 200.
func get(addr string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, startLimit)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(startLimit))
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", addr); err != nil {
		return "", err
	}
	var buf []byte
	for chunk := make([]byte, 4096); ; {
		n, err := conn.Read(chunk)
		buf = append(buf, chunk[:n]...)
		a, perr := parseAnswer(buf)
		switch {
		case perr == nil && a.status == 200:
			return string(a.body), nil
		case perr == nil:
			return "", fmt.Errorf("status %d from %s", a.status, addr)
		case !errors.Is(perr, errMore):
			return "", perr
		case err == io.EOF:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		}
	}
}
