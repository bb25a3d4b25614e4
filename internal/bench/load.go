// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A load is what the load generator is asked to do.
type load struct {
	Addr    string
	Path    string
	Body    string // every answer must be 200 with it
	Clients int    // connections, each with one request under way at any time
	Warm    time.Duration
	Window  time.Duration // what is measured, after Warm
	Pids    []int         // of the servers, whose CPU time is read at both ends of the window
}

// A loadResult is what was measured in the window.
type loadResult struct {
	Requests  int
	Elapsed   time.Duration
	P50, P99  time.Duration
	Max       time.Duration
	ServerCPU time.Duration // of all Pids
	LoaderCPU time.Duration
	Redials   int // connections made anew, over the whole run, because the server closed one
	Faults    int // answers that were wrong, cut or missing, over the whole run
	Fault     string
}

// stall is how long no answer at all may come before the run is given up.
const stall = 10 * time.Second

// maxFaults ends a run that cannot be right any more.
const maxFaults = 100

// A generator drives its connections from one thread with epoll and raw system calls: that takes
// about a third of what goroutines would, and the machine is shared with the servers.
type generator struct {
	load
	addr    syscall.Sockaddr
	request []byte
	epoll   int
	conns   map[int32]*client
	base    time.Time

	counting bool // inside the window
	took     []time.Duration
	result   loadResult
}

type client struct {
	fd     int
	sent   time.Duration // when the request under way was sent, since base
	buf    []byte
	n      int  // bytes of buf that are filled
	reused bool // an answer has come on this connection
}

// run is the load generator.
func (l load) run() (loadResult, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ap, err := netip.ParseAddrPort(l.Addr)
	if err != nil || !ap.Addr().Is4() {
		return loadResult{}, fmt.Errorf("load: %q is no IPv4 address and port", l.Addr)
	}
	g := &generator{
		load:    l,
		addr:    &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()},
		request: []byte("GET " + l.Path + " HTTP/1.1\r\nHost: " + l.Addr + "\r\nUser-Agent: mainstay-bench\r\nAccept: */*\r\n\r\n"),
		conns:   map[int32]*client{},
		base:    time.Now(),
		took:    make([]time.Duration, 0, 1<<20),
	}
	if g.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return loadResult{}, err
	}
	defer syscall.Close(g.epoll)
	defer func() {
		for _, c := range g.conns {
			syscall.Close(c.fd)
		}
	}()
	for range l.Clients {
		if err := g.dial(); err != nil {
			return loadResult{}, err
		}
	}
	return g.drive()
}

// drive answers events until the window is over.
func (g *generator) drive() (loadResult, error) {
	var cpu, own time.Duration
	var opened time.Duration
	events := make([]syscall.EpollEvent, g.Clients)
	last := time.Duration(0)
	for {
		n, err := syscall.EpollWait(g.epoll, events, 100)
		if err != nil && err != syscall.EINTR {
			return loadResult{}, fmt.Errorf("epoll: %w", err)
		}
		now := time.Since(g.base)
		if n > 0 {
			last = now
		} else if now-last > stall {
			return loadResult{}, fmt.Errorf("load: no answer from %s for %v", g.Addr, stall)
		}
		for _, e := range events[:max(n, 0)] {
			if err := g.serve(g.conns[e.Fd]); err != nil {
				return loadResult{}, err
			}
		}
		if g.result.Faults > maxFaults {
			return g.result, fmt.Errorf("load: %d faults, the first: %s", g.result.Faults, g.result.Fault)
		}
		switch now = time.Since(g.base); {
		case !g.counting && now >= g.Warm:
			g.counting, opened = true, now
			if cpu, own, err = g.clocks(); err != nil {
				return loadResult{}, err
			}
		case g.counting && now >= opened+g.Window:
			cpuEnd, ownEnd, err := g.clocks()
			g.result.ServerCPU, g.result.LoaderCPU = cpuEnd-cpu, ownEnd-own
			g.result.Elapsed = now - opened
			g.summarise()
			return g.result, err
		}
	}
}

// clocks reads the CPU time of the servers and of this process.
func (g *generator) clocks() (servers, own time.Duration, err error) {
	servers, err = cpuTime(g.Pids...)
	if err != nil {
		return 0, 0, err
	}
	own, err = cpuTime(syscall.Getpid())
	return servers, own, err
}

func (g *generator) summarise() {
	g.result.Requests = len(g.took)
	if len(g.took) == 0 {
		return
	}
	slices.Sort(g.took)
	at := func(q float64) time.Duration { return g.took[min(int(q*float64(len(g.took))), len(g.took)-1)] }
	g.result.P50, g.result.P99, g.result.Max = at(0.50), at(0.99), g.took[len(g.took)-1]
}

// serve reads what has come on a connection and, after a whole answer, sends the next request.
func (g *generator) serve(c *client) error {
	if c == nil {
		return nil // closed by an earlier event of the same batch
	}
	n, errno := rawRead(c.fd, c.buf[c.n:])
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return nil
	case errno != 0:
		return g.redial(c, fmt.Sprintf("read: %v", errno))
	case n == 0 && c.reused && c.n == 0:
		// The close of an idle connection crossed our request; RFC 9112 9.3.1 lets a client try again.
		return g.redial(c, "")
	case n == 0:
		return g.redial(c, "connection closed before an answer")
	}
	c.n += n
	a, err := parseAnswer(c.buf[:c.n])
	switch {
	case errors.Is(err, errMore) && c.n == len(c.buf):
		return g.redial(c, "answer too long")
	case errors.Is(err, errMore):
		return nil
	case err != nil:
		return g.redial(c, err.Error())
	case a.status != 200 || string(a.body) != g.Body || a.size != c.n:
		return g.redial(c, fmt.Sprintf("wrong answer: %.200q", c.buf[:c.n]))
	}
	now := time.Since(g.base)
	if g.counting {
		g.took = append(g.took, now-c.sent)
	}
	if a.close {
		return g.redial(c, "")
	}
	c.n, c.sent, c.reused = 0, now, true
	return g.send(c)
}

// send writes the request; it is far smaller than any socket buffer.
func (g *generator) send(c *client) error {
	n, errno := rawWrite(c.fd, g.request)
	switch {
	case errno == syscall.EPIPE || errno == syscall.ECONNRESET:
		return nil // the read that follows says the same
	case errno != 0:
		return fmt.Errorf("load: write: %w", errno)
	case n != len(g.request):
		return fmt.Errorf("load: wrote %d of %d bytes", n, len(g.request))
	}
	return nil
}

// redial puts a new connection in the place of c; a fault, if there is one, is counted.
func (g *generator) redial(c *client, fault string) error {
	if fault != "" {
		g.result.Faults++
		if g.result.Fault == "" {
			g.result.Fault = fault
		}
	}
	g.result.Redials++
	delete(g.conns, int32(c.fd))
	syscall.Close(c.fd)
	return g.dial()
}

// dial opens a connection, which on loopback is done at once, and sends its first request.
func (g *generator) dial() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("load: socket: %w", err)
	}
	c := &client{fd: fd, buf: make([]byte, maxHead), sent: time.Since(g.base)}
	g.conns[int32(fd)] = c
	if err := syscall.Connect(fd, g.addr); err != nil {
		return fmt.Errorf("load: connect to %s: %w", g.Addr, err)
	}
	err = errors.Join(
		syscall.SetNonblock(fd, true),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.EpollCtl(g.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}),
	)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return g.send(c)
}
