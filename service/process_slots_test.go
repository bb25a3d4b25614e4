// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

// The program slots answers each line with its set and pid. Its arguments are the sets, each NAME=WORKERS=ADDRESS;
// a set stops after those that follow it. The word shared before them has workers share sockets.
var _ = asProgram("slots", func() {
	args := os.Args[1:]
	config := socket.Config{}
	if args[0] == "shared" {
		config.Shared, args = true, args[1:]
	}
	l := service.NewProcessLauncher(baseOptions())
	var before []string
	for _, arg := range args {
		parts := strings.Split(arg, "=")
		network, address, err := socket.ParseAddress(parts[2])
		if err != nil {
			service.Exit(err)
		}
		ln, err := config.Listen(context.Background(), network, address)
		if err != nil {
			service.Exit(err)
		}
		workers, _ := strconv.Atoi(parts[1])
		err = l.Add(service.Set{
			Name: parts[0], Workers: workers, After: before,
			Services: []service.Service{&slotServer{parts[0], socket.Server{Listener: ln, Grace: patience}}},
		})
		if err != nil {
			service.Exit(err)
		}
		before = append(before, parts[0])
	}
	service.Exit(l.Run(context.Background()))
})

// The program moving serves at the addresses that its settings say, one set of two workers.
var _ = asProgram("moving", func() {
	data, err := service.ReadFile(os.Getenv(settingsVar))
	if err != nil {
		service.Exit(err)
	}
	set := service.Set{Name: "api", Workers: 2}
	for i, addr := range strings.Fields(string(data)) {
		ln, err := socket.Listen(context.Background(), "tcp", addr)
		if err != nil {
			service.Exit(err)
		}
		set.Services = append(set.Services, &slotServer{fmt.Sprintf("api%d", i), socket.Server{Listener: ln, Grace: patience}})
	}
	runSets(baseOptions(), set)
})

type slotServer struct {
	name string
	socket.Server
}

func (s *slotServer) Name() string { return s.name }

func (s *slotServer) Start(ctx context.Context) error {
	s.Handler = func(_ context.Context, c *socket.Conn) {
		r := bufio.NewReader(c)
		for c.Wait(r) == nil {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if line == "hang\n" {
				fmt.Println("hangs")
				select {}
			}
			fmt.Fprintln(c, s.name, os.Getpid())
		}
	}
	if err := s.Server.Start(ctx); err != nil {
		return err
	}
	fmt.Printf("at %s %s\n", s.Listener.Addr().Network(), s.Listener.Addr())
	return nil
}

// slotsFleet starts the program slots with one set, and returns where it listens.
func slotsFleet(t *testing.T, options []func(*exec.Cmd), args ...string) (f *fleet, network, addr string) {
	t.Helper()
	f = startFleet(t, "slots", append(options, withArgs(args...))...)
	fields := strings.Fields(f.expect("at "))
	f.up()
	return f, fields[1], fields[2]
}

// query sends one line over a connection of its own and returns the pid that answers it.
func query(network, addr string) (pid int, err error) {
	c, err := net.Dial(network, addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return queryOver(c)
}

// errLost is of a connection that was made and then got no answer.
var errLost = errors.New("lost")

func queryOver(c net.Conn) (pid int, err error) {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return 0, fmt.Errorf("%w: %w", errLost, err)
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errLost, err)
	}
	_, last, _ := strings.Cut(strings.TrimSpace(answer), " ")
	return strconv.Atoi(last)
}

// clients ask over fresh connections until they are refused, or stopped by the function returned,
// which says how many were answered. What is lost is an error of the test.
func clients(t *testing.T, n int, network, addr string) (answered *atomic.Int64, stop func()) {
	answered = new(atomic.Int64)
	var done atomic.Bool
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for !done.Load() {
				_, err := query(network, addr)
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
	return answered, func() { done.Store(true); all.Wait() }
}

// listening counts the sockets that listen at an address of 127.0.0.1.
func listening(t *testing.T, addr string) (n int) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	data, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(data), fmt.Sprintf(":%04X 00000000:0000 0A ", number))
}

// untilListening waits until so many sockets listen at addr.
func untilListening(t *testing.T, addr string, want int) {
	t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got := listening(t, addr)
		if got == want {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("%d sockets listen at %s, want %d", got, addr, want)
		}
	}
}

// asNobody starts a program as a user without rights, where the test is root.
func asNobody(c *exec.Cmd) {
	if os.Geteuid() != 0 {
		return
	}
	c.Path = "/proc/self/exe" // the test's binary, in a folder that others cannot enter
	c.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
}

// TestEachWorkerHasASocket counts sockets over resizes and restarts.
func TestEachWorkerHasASocket(t *testing.T) {
	f, _, addr := slotsFleet(t, nil, "api=3=127.0.0.1:0")
	untilListening(t, addr, 3)
	scale := func(n int) {
		t.Helper()
		if _, err := f.ctl.Scale(t.Context(), "api", n); err != nil {
			t.Fatal(err)
		}
	}
	scale(5)
	untilListening(t, addr, 5)
	scale(2)
	untilListening(t, addr, 2)
	for _, pid := range f.pids("api", 2) {
		sendSignal(t, pid, syscall.SIGKILL)
		f.goes(pid)
	}
	f.pids("api", 2)
	untilListening(t, addr, 2)
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	untilListening(t, addr, 2)
	if _, err := net.Listen("tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("net.Listen at the address of workers: %v, want EADDRINUSE", err)
	}
	other := program(t, "slots", withArgs("api=2="+addr))
	other.expect("address already in use")
	other.ends(service.ExitFailed)
	scale(0)
	untilListening(t, addr, 0)
	scale(2)
	untilListening(t, addr, 2)
	if _, err := query("tcp", addr); err != nil {
		t.Errorf("after none and two again: %v", err)
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

func TestSharedSockets(t *testing.T) {
	f, _, addr := slotsFleet(t, nil, "shared", "api=3=127.0.0.1:0")
	untilListening(t, addr, 1)
	_, stop := clients(t, 4, "tcp", addr)
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	untilListening(t, addr, 1)
	stop()
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// TestAddressOfNobodyStaysClosed scales a set to none: its address is closed, and stays so when main of
// other workers asks for it, until the set is back.
func TestAddressOfNobodyStaysClosed(t *testing.T) {
	f := startFleet(t, "slots", withArgs("db=1=127.0.0.1:0", "api=2=127.0.0.1:0"))
	addr := f.up().Listeners[1].Address
	scale := func(n int) {
		t.Helper()
		if _, err := f.ctl.Scale(t.Context(), "api", n); err != nil {
			t.Fatal(err)
		}
	}
	scale(0)
	untilListening(t, addr, 0)
	pid := f.pids("db", 1)[0]
	sendSignal(t, pid, syscall.SIGKILL)
	f.goes(pid)
	f.pids("db", 1)
	if n := listening(t, addr); n != 0 {
		t.Errorf("%d sockets listen at the address of a set without workers", n)
	}
	scale(2)
	untilListening(t, addr, 2)
	if _, err := query("tcp", addr); err != nil {
		t.Error(err)
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// TestFairAccept counts connections by worker: at most 1.2 times the mean on any.
func TestFairAccept(t *testing.T) {
	f, network, addr := slotsFleet(t, nil, "api=4=127.0.0.1:0")
	const n, workers = 1024, 4
	counts := map[int]int{}
	var conns []net.Conn
	for range n {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c) // all at a time
		pid, err := queryOver(c)
		if err != nil {
			t.Fatal(err)
		}
		counts[pid]++
	}
	var each []int
	for _, c := range counts {
		each = append(each, c)
	}
	if len(each) != workers || slices.Max(each) > n/workers*12/10 {
		t.Errorf("%d connections came to workers as %v, want at most %d on each of %d", n, each, n/workers*12/10, workers)
	}
	t.Logf("connections by worker: %v", each)
	for _, c := range conns {
		c.Close() // a drain would wait for it
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}
