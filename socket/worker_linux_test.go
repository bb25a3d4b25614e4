// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/wire"
	"github.com/mainstay-go/mainstay/socket"
)

func init() { roles["worker"] = worker }

// worker listens, says that it is ready, and tells each connection its pid and TCP_KEEPIDLE, until a
// message asks for a drain.
func worker() {
	self := proc.Self()
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	network, address, _ := strings.Cut(os.Getenv(listenEnv), " ")
	config := socket.Config{KeepAliveIdle: 500 * time.Second}
	ln, err := config.Listen(context.Background(), network, address)
	if err != nil {
		fail(err)
	}
	go func() {
		self.Conn().Send(wire.Message{Type: wire.Ready, Addr: ln.Addr().String()})
		for m := range self.Messages() {
			if m.Type == wire.Drain {
				why := map[string]drain.Reason{"stop": drain.Stop, "replace": drain.Replace}[m.Reason]
				if err := ln.Shutdown(drain.With(context.Background(), why)); err != nil {
					fail(err)
				}
			}
		}
	}()
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			fail(err)
		}
		idle := -1
		if tc, ok := c.(*net.TCPConn); ok {
			rc, _ := tc.SyscallConn()
			rc.Control(func(fd uintptr) {
				idle, _ = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
			})
		}
		fmt.Fprintln(c, os.Getpid(), idle)
		c.Close()
	}
}

// A launcher gives workers what they ask for.
type launcher struct {
	t       *testing.T
	spawner *proc.Spawner
	table   *proc.Table
	listen  string // of the workers
	slot    int    // of the next worker
}

func newLauncher(t *testing.T, network, address string) *launcher {
	t.Helper()
	s, err := proc.NewSpawner()
	if err != nil {
		t.Fatal(err)
	}
	l := &launcher{t: t, spawner: s, table: proc.NewTable(), listen: network + " " + address}
	t.Cleanup(func() {
		s.Close()
		l.table.CloseAll()
	})
	return l
}

// start starts a worker and returns it, and where it listens, when it is ready.
func (l *launcher) start() (*proc.Child, string) {
	l.t.Helper()
	child, err := l.spawner.Start(proc.Command{
		Role:     proc.Worker,
		ExtraEnv: []string{roleEnv + "=worker", listenEnv + "=" + l.listen},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		l.spawner.Kill(child.Pid, syscall.SIGKILL)
		child.Wait()
		child.Close()
	})
	addr, accepts := "", false
	for addr == "" || !accepts {
		m, _, err := child.Conn.Receive()
		if err != nil {
			l.t.Fatalf("worker: %v\n%s", err, strings.Join(child.Stderr.Lines(), "\n"))
		}
		switch m.Type {
		case wire.Bind:
			l.bind(child, m)
		case wire.Accept:
			l.give(child, m)
			accepts = true
		case wire.Ready:
			addr = m.Addr
		}
	}
	return child, addr
}

func (l *launcher) bind(child *proc.Child, m wire.Message) {
	l.t.Helper()
	var spec bind.Spec
	if err := json.Unmarshal(m.Spec, &spec); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.table.Ensure(l.t.Context(), spec); err != nil {
		l.t.Fatal(err)
	}
	addr, err := l.table.Addr(spec.Key())
	if err != nil {
		l.t.Fatal(err)
	}
	if err := child.Conn.Send(wire.Message{Type: wire.Offer, Re: m.ID, Addr: addr}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *launcher) give(child *proc.Child, m wire.Message) {
	l.t.Helper()
	q, shared, err := l.table.Give(m.Name, proc.Place{Set: "s", Slot: l.slot})
	if err != nil || shared != nil {
		l.t.Fatal(err, shared)
	}
	defer syscall.Close(q.FD)
	answer := wire.Message{Type: wire.Offer, Re: m.ID, Name: q.Key, Addr: q.Addr, Own: q.Own, Slot: l.slot}
	if err := child.Conn.Send(answer, q.FD); err != nil {
		l.t.Fatal(err)
	}
}

func (l *launcher) drain(child *proc.Child, reason string) {
	l.t.Helper()
	if err := child.Conn.Send(wire.Message{Type: wire.Drain, Reason: reason}); err != nil {
		l.t.Error(err)
	}
}

// ask connects and returns what the worker says.
func ask(network, addr string) (pid, idle int, err error) {
	c, err := net.Dial(network, addr)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	answer, err := io.ReadAll(c)
	if err != nil {
		return 0, 0, fmt.Errorf("lost: %w", err)
	}
	if _, err := fmt.Sscan(string(answer), &pid, &idle); err != nil {
		return 0, 0, fmt.Errorf("lost: answer %q", answer)
	}
	return pid, idle, nil
}

// TestWS10KeepAliveInWorkers accepts on a listener that was bound by another process.
func TestWS10KeepAliveInWorkers(t *testing.T) {
	l := newLauncher(t, "tcp", "127.0.0.1:0")
	child, addr := l.start()
	pid, idle, err := ask("tcp", addr)
	if err != nil || pid != child.Pid || idle != 500 {
		t.Errorf("answer from pid %d with TCP_KEEPIDLE %d, %v, want %d with 500", pid, idle, err, child.Pid)
	}
}

// TestWorkersComeAndGo replaces and kills workers under load: nothing that the socket took is lost,
// it never turns blocking, and the file stays until the launcher removes it.
func TestWorkersComeAndGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": path} {
		t.Run(network, func(t *testing.T) {
			l := newLauncher(t, network, address)
			child, addr := l.start()
			q, _, err := l.table.Give(bind.Spec{Network: network, Address: address}.Key(), proc.Place{Set: "s"})
			if err != nil {
				t.Fatal(err)
			}
			fd := q.FD
			defer syscall.Close(fd)

			var done atomic.Bool
			var watchers sync.WaitGroup
			defer watchers.Wait()
			defer done.Store(true)
			for range 4 {
				watchers.Go(func() {
					for !done.Load() {
						if _, _, err := ask(network, addr); err != nil {
							t.Error(err)
							return
						}
						if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0); flags&syscall.O_NONBLOCK == 0 {
							t.Error("the socket is blocking")
							return
						}
					}
				})
			}
			for range 5 {
				next, _ := l.start()
				l.drain(child, "replace")
				if exit := child.Wait(); exit.Status.ExitStatus() != 0 {
					t.Fatalf("worker ended with %v:\n%s", exit.Status, strings.Join(child.Stderr.Lines(), "\n"))
				}
				child = next
			}
		})
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lstat() = %v after the launcher's end, want no file", err)
	}
}

// TestQueueOfADeadWorker kills the only worker: who connects meanwhile is served by the next.
func TestQueueOfADeadWorker(t *testing.T) {
	l := newLauncher(t, "tcp", "127.0.0.1:0")
	child, addr := l.start()
	if _, _, err := ask("tcp", addr); err != nil {
		t.Fatal(err)
	}
	if err := l.spawner.Kill(child.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	var clients sync.WaitGroup
	defer clients.Wait()
	for range 20 {
		clients.Go(func() {
			if _, _, err := ask("tcp", addr); err != nil {
				t.Error(err)
			}
		})
	}
	l.start()
}

// TestStopOfSeveralWorkers stops workers under load, each with a socket of its own where that can be. The
// launcher gives its sockets up as the stop begins, so a worker's end is that of its socket.
func TestStopOfSeveralWorkers(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			l := newLauncher(t, network, address)
			var children []*proc.Child
			var addr string
			for l.slot = range 3 {
				child, at := l.start()
				children, addr = append(children, child), at
			}
			var answered atomic.Int64
			var clients sync.WaitGroup
			for range 8 {
				clients.Go(func() {
					for {
						_, _, err := ask(network, addr)
						if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
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
			for answered.Load() < 200 {
				time.Sleep(time.Millisecond)
			}
			l.table.Leave("s")
			for _, child := range children {
				l.drain(child, "stop")
			}
			for _, child := range children {
				if exit := child.Wait(); exit.Status.ExitStatus() != 0 {
					t.Errorf("worker ended with %v:\n%s", exit.Status, strings.Join(child.Stderr.Lines(), "\n"))
				}
			}
			clients.Wait()
		})
	}
}
