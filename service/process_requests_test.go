// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

// desk serves on a port with three workers. Its protocol is lines: to "pid" it answers the worker's pid;
// "hold" is a request that lasts until the client says "release".
var desk = asProgram("desk", func() {
	opts := baseOptions()
	opts.ShutdownTimeout, _ = time.ParseDuration(os.Args[1])
	ln, err := socket.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		service.Exit(err)
	}
	runSets(opts, service.Set{Name: "desk", Workers: 3, Services: []service.Service{deskOn(ln)}})
})

func deskOn(ln net.Listener) *socket.Server {
	const grace = 10 * time.Second // on a busy machine a client may take its time between connect and write
	return &socket.Server{Listener: ln, Grace: grace, Handler: func(ctx context.Context, c *socket.Conn) {
		r := bufio.NewReader(c)
		for c.Wait(r) == nil {
			line, err := r.ReadString('\n')
			switch {
			case err != nil:
				return
			case line == "hold\n":
				fmt.Fprintln(c, "held by", os.Getpid())
				if line, _ := r.ReadString('\n'); line != "release\n" {
					return
				}
			}
			fmt.Fprintln(c, "pid", os.Getpid())
		}
	}}
}

// address returns where the program listens, and waits for its workers.
func (f *fleet) address() string {
	f.t.Helper()
	st := f.up()
	if len(st.Listeners) != 1 {
		f.t.Fatalf("listeners %v, want one", st.Listeners)
	}
	return st.Listeners[0].Address
}

// A deskClient is one connection to a desk.
type deskClient struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, address string) *deskClient {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &deskClient{t, conn, bufio.NewReader(conn)}
}

// ask sends a line and returns the answer.
func (c *deskClient) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	answer, err := c.r.ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

// asks is ask where there must be an answer that begins with a word.
func (c *deskClient) asks(line, want string) string {
	c.t.Helper()
	answer, err := c.ask(line)
	if err != nil || !strings.HasPrefix(answer, want) {
		c.t.Fatalf("%s is answered %q, %v, want %s", line, answer, err, want)
	}
	return answer
}

func TestSVC31IntDoesNotWaitForARequest(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("1h"))
	c := dial(t, f.address())
	c.asks("hold", "held")
	f.signal(syscall.SIGINT)
	f.ends(service.ExitFailed)
	if answer, err := c.ask("release"); err == nil {
		t.Errorf("the request was answered %q", answer)
	}
}

func TestSVC32X01TermWaitsForARequest(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("1h"))
	address := f.address()
	c := dial(t, address)
	c.asks("hold", "held")
	f.signal(syscall.SIGTERM)
	f.refuses(address)
	f.alive()
	c.asks("release", "pid")
	c.Close()
	f.ends(service.ExitOK)
}

// refuses waits until nobody listens on an address.
func (p *process) refuses(address string) {
	p.t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(late) {
			p.fail("%s is still open", address)
		}
	}
}

func TestSVC33TermCutsARequestAtTheTimeout(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("500ms"))
	c := dial(t, f.address())
	c.asks("hold", "held")
	begun := time.Now()
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitCut)
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("ended after %v, want the whole timeout", took)
	}
	if answer, err := c.ask("release"); err == nil {
		t.Errorf("the request was answered %q", answer)
	}
}

func TestX01TermLosesNoRunningRequest(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("1h"))
	address := f.address()
	clients := make([]*deskClient, 60)
	for i := range clients {
		clients[i] = dial(t, address)
		clients[i].asks("hold", "held")
	}
	f.signal(syscall.SIGTERM)
	f.refuses(address)
	for _, c := range clients {
		c.asks("release", "pid")
		c.Close()
	}
	f.ends(service.ExitOK)
}

// Clients come without a pause while workers are killed, told to end and replaced.
func TestX01X03ReplacedWorkersLoseNoRequest(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("1h"))
	address := f.address()
	stop := make(chan struct{})
	failed := make(chan error, 4) // one for each client
	for range cap(failed) {
		go func() { failed <- hammer(address, stop) }()
	}
	for generation := 2; generation < 5; generation++ {
		f.signal(syscall.SIGHUP)
		f.seen(1, fmt.Sprintf("reloaded %d", generation))
		pid := f.pids("desk", 3)[0]
		sendSignal(t, pid, syscall.SIGTERM)
		f.goes(pid)
	}
	f.pids("desk", 3)
	close(stop)
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// hammer makes one connection after another, with a request on each, until stop or an error.
func hammer(address string, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		conn, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			return err
		}
		conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintln(conn, "pid")
		_, err = bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		if err != nil {
			return fmt.Errorf("request without an answer: %w", err)
		}
	}
}

// The kernel may have accepted a connection that no worker has seen when TERM comes.
func TestX01TermServesWhatIsInTheQueue(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("1h"))
	address, pids := f.address(), f.pids("desk", 3)
	for _, pid := range pids {
		sendSignal(t, pid, syscall.SIGSTOP)
	}
	clients := make([]*deskClient, 10)
	for i := range clients {
		clients[i] = dial(t, address)
		fmt.Fprintln(clients[i], "pid")
	}
	f.signal(syscall.SIGTERM)
	f.seen(1, "stopping")
	for _, pid := range pids {
		sendSignal(t, pid, syscall.SIGCONT)
	}
	for _, c := range clients {
		if answer, err := c.r.ReadString('\n'); err != nil {
			t.Errorf("answer %q, %v", answer, err)
		}
		c.Close()
	}
	f.ends(service.ExitOK)
}

// twoDesks are two sets, each with an address that it opens itself.
var twoDesks = asProgram("twoDesks", func() {
	at := func(address string) service.Service {
		return service.Define("desk", func(ctx context.Context) (service.Service, error) {
			ln, err := socket.Listen(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			return deskOn(ln), nil
		})
	}
	runSets(baseOptions(),
		service.Set{Name: "front", Workers: 2, Services: []service.Service{at("127.0.0.2:0")}, After: []string{"back"}},
		service.Set{Name: "back", Workers: 2, Services: []service.Service{at("127.0.0.1:0")}})
})

// What stops later serves on meanwhile, and what is gone refuses.
func TestX01SetsStopServingOneAfterTheOther(t *testing.T) {
	t.Parallel()
	f := startFleet(t, twoDesks)
	addresses := f.up().Listeners
	if len(addresses) != 2 {
		t.Fatalf("listeners %v, want two", addresses)
	}
	backAt, frontAt := addresses[0].Address, addresses[1].Address // in the order of the sets
	front, back := dial(t, frontAt), dial(t, backAt)
	front.asks("hold", "held")
	back.asks("hold", "held")
	f.signal(syscall.SIGTERM)
	f.refuses(frontAt)
	late := dial(t, backAt)
	late.asks("pid", "pid")
	late.Close()
	front.asks("release", "pid")
	front.Close()
	f.refuses(backAt)
	back.asks("release", "pid")
	back.Close()
	f.ends(service.ExitOK)
}
