// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A habit is a way of using a kept-alive connection that a hand-over could stumble over. It sends one
// or more requests and reads all their answers.
type habit func(c *peer) error

// A peer is a client with one connection that it never closes, and that nobody else shall.
type peer struct {
	net.Conn
	in     *bufio.Reader
	random *rand.Rand
	pids   map[string]bool // of the workers that have answered
	last   string          // of the one that answered last
}

var habits = map[string]habit{
	"posts": func(c *peer) error {
		return c.post(c.random.IntN(30_000), "", func(text string) error { return c.send(text) })
	},
	"rests": func(c *peer) error {
		c.rest(30)
		return c.post(3, "", func(text string) error { return c.send(text) })
	},
	"splits the header": func(c *peer) error {
		return c.post(10, "", func(text string) error {
			cut := 1 + c.random.IntN(strings.Index(text, "\r\n\r\n"))
			err := c.send(text[:cut])
			c.rest(20)
			return errors.Join(err, c.send(text[cut:]))
		})
	},
	"sends early bytes": func(c *peer) error {
		return c.post(10, "", func(text string) error {
			cut := 1 + c.random.IntN(3)
			err := c.send(text[:cut])
			c.rest(30)
			return errors.Join(err, c.send(text[cut:]))
		})
	},
	"splits the body": func(c *peer) error {
		return c.post(20_000, "", func(text string) error {
			cut := len(text) - c.random.IntN(20_000)
			err := c.send(text[:cut])
			c.rest(5)
			return errors.Join(err, c.send(text[cut:]))
		})
	},
	"pipelines": func(c *peer) error {
		const one = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nxy"
		n := 2 + c.random.IntN(6)
		text := strings.Repeat(one, n)
		cut := c.random.IntN(len(text))
		err := c.send(text[:cut])
		c.rest(5)
		err = errors.Join(err, c.send(text[cut:]))
		for i := range n {
			if err == nil {
				if err = c.receive("xy"); err != nil {
					err = fmt.Errorf("%d of %d: %w", i+1, n, err)
				}
			}
		}
		return err
	},
	"speaks HTTP/1.0": func(c *peer) error {
		err := c.send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold")
		return errors.Join(err, c.receive("old"))
	},
	"expects 100": func(c *peer) error {
		if err := c.send("POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"); err != nil {
			return err
		}
		if line, err := c.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			return fmt.Errorf("instead of 100: %q, %w", line, err)
		}
		c.in.ReadString('\n')
		c.rest(5)
		return errors.Join(c.send("hello"), c.receive("hello"))
	},
	"asks for what takes a while": func(c *peer) error {
		err := c.send("GET /slow?d=30ms HTTP/1.1\r\nHost: test\r\n\r\n")
		return errors.Join(err, c.receive("slept 30ms\n"))
	},
	"asks who is there": func(c *peer) error {
		if err := c.send("GET /pid HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			return err
		}
		body, err := c.answer()
		c.pids[body], c.last = true, body
		return err
	},
}

func (c *peer) rest(ms int) { time.Sleep(time.Duration(c.random.IntN(ms)) * time.Millisecond) }

func (c *peer) send(text string) error {
	_, err := io.WriteString(c, text)
	return err
}

// post posts so many bytes, sent as send does it, and wants them back.
func (c *peer) post(size int, header string, send func(text string) error) error {
	body := strings.Repeat("x", size)
	err := send(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: test\r\n%sContent-Length: %d\r\n\r\n%s", header, size, body))
	return errors.Join(err, c.receive(body))
}

// answer reads an answer, which must not end the connection.
func (c *peer) answer() (string, error) {
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return "", err
	case res.StatusCode != 200:
		return "", fmt.Errorf("%s: %q", res.Status, body)
	case res.Close:
		return "", errors.New("the answer closes the connection")
	}
	return string(body), nil
}

func (c *peer) receive(want string) error {
	got, err := c.answer()
	if err == nil && got != want {
		err = fmt.Errorf("the answer has %d bytes, want %d", len(got), len(want))
	}
	return err
}

// A company is peers at work. What they lose is in lost.
type company struct {
	stop    atomic.Bool
	answers atomic.Int64
	wg      sync.WaitGroup

	mu    sync.Mutex
	last  map[uint64]string // worker that answered a peer last, by peer
	lost  []string
	moved int // peers that were served by more than one worker
}

// assemble has n peers of each habit but those left out, and waits until each has had an answer.
func assemble(t *testing.T, n int, network, addr string, without ...string) *company {
	t.Helper()
	c := &company{}
	var met sync.WaitGroup
	for name, do := range habits {
		if strings.Contains(strings.Join(without, ","), name) {
			continue
		}
		for i := range n {
			met.Add(1)
			c.wg.Go(func() { c.work(name, do, uint64(i), network, addr, sync.OnceFunc(met.Done)) })
		}
	}
	met.Wait()
	return c
}

func (c *company) work(name string, do habit, id uint64, network, addr string, met func()) {
	defer met()
	p := &peer{random: rand.New(rand.NewPCG(id, uint64(len(name)))), pids: map[string]bool{}}
	nc, err := net.Dial(network, addr)
	if err == nil {
		defer nc.Close()
		p.Conn, p.in = nc, bufio.NewReader(nc)
		for n := 0; err == nil && !c.stop.Load(); n++ {
			nc.SetDeadline(time.Now().Add(patience))
			if err = do(p); err == nil {
				err = habits["asks who is there"](p)
			}
			if err != nil {
				err = fmt.Errorf("round %d: %w", n, err)
			}
			c.mu.Lock()
			if c.last == nil {
				c.last = map[uint64]string{}
			}
			c.last[id] = p.last
			c.mu.Unlock()
			c.answers.Add(1)
			met()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.lost = append(c.lost, fmt.Sprintf("who %s: %v", name, err))
	}
	if len(p.pids) > 1 {
		c.moved++
	}
}

// served returns the worker that answered each peer last.
func (c *company) served() map[uint64]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.last)
}

// disband ends the work and fails the test for what was lost.
func (c *company) disband(t *testing.T) {
	t.Helper()
	c.stop.Store(true)
	c.wg.Wait()
	if len(c.lost) > 0 {
		t.Errorf("%d connections lost, after %d rounds:\n%s", len(c.lost), c.answers.Load(), strings.Join(c.lost, "\n"))
	}
}

// further waits for so many rounds more.
func (c *company) further(t *testing.T, n int64) {
	t.Helper()
	target := c.answers.Load() + n
	for end := time.Now().Add(patience); c.answers.Load() < target; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no answers")
		}
	}
}

// Through many generations no client sees a close, whatever it is about to send or to receive.
func TestNoConnectionIsClosedInReloads(t *testing.T) {
	for name, c := range map[string]struct {
		workers, listen string
		reloads         int
	}{
		"two workers":        {"2", "127.0.0.1:0", 15},
		"in this process":    {"1", "127.0.0.1:0", 15},
		"over a unix socket": {"2", "unix:", 5},
	} {
		t.Run(name, func(t *testing.T) {
			if c.listen == "unix:" {
				c.listen += t.TempDir() + "/s"
			}
			s := start(t, "--listen", c.listen, "--workers", c.workers)
			network, addr := "tcp", s.host()
			if path, ok := strings.CutPrefix(s.url, "unix:"); ok {
				network, addr = "unix", path
			}
			clients := assemble(t, 4, network, addr)
			for range c.reloads {
				if _, err := s.steer.Reload(t.Context()); err != nil {
					t.Fatal(err)
				}
				clients.further(t, 20)
			}
			clients.disband(t)
			if all := 4 * len(habits); c.workers == "2" && clients.moved != all {
				t.Errorf("%d of %d clients were served by more than one worker, want all", clients.moved, all)
			}
			t.Logf("%d rounds", clients.answers.Load())
			if code := s.stop(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

// Successors are killed in the middle of taking over, again and again, while those that they replace
// are held by a request: none of the connections they had taken, or were about to, is lost.
func TestSuccessorKilledWhileTakingOver(t *testing.T) {
	const idle, kills = 300, 4
	s := start(t, "--listen", "127.0.0.1:0", "--workers", "2")
	var peers []*peer
	for i := range idle {
		peers = append(peers, meet(t, s.host(), uint64(i)))
	}
	// A half-sent request in each worker holds it.
	var held []*peer
	for holders := map[string]bool{}; len(holders) < 2; {
		p := meet(t, s.host(), 0)
		if len(p.pids) == 1 && !holders[p.pid()] {
			holders[p.pid()] = true
			held = append(held, p)
			p.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nha")
		}
	}
	reloaded := make(chan error, 1)
	go func() {
		_, err := s.steer.Reload(t.Context())
		reloaded <- err
	}()
	killed := map[int]bool{}
	for end := time.Now().Add(patience); len(killed) < kills; time.Sleep(100 * time.Microsecond) {
		for _, pid := range newcomers(t, s) {
			if !killed[pid] && len(killed) < kills {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
				syscall.Kill(pid, syscall.SIGKILL)
				killed[pid] = true
			}
		}
		if time.Now().After(end) {
			t.Fatalf("only %d of %d successors came", len(killed), kills)
		}
	}
	for round := range 3 {
		for i, p := range peers {
			if err := habits["asks who is there"](p); err != nil {
				t.Fatalf("round %d, connection %d: %v", round, i, err)
			}
		}
	}
	for _, p := range held {
		if err := errors.Join(p.send("lf"), p.receive("half"), habits["asks who is there"](p)); err != nil {
			t.Errorf("a request that was held: %v", err)
		}
	}
	if err := <-reloaded; err != nil {
		t.Errorf("Reload = %v", err)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// meet connects a peer, closed at the end of the test, and has it ask who is there.
func meet(t *testing.T, addr string, id uint64) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	p := &peer{Conn: nc, in: bufio.NewReader(nc), random: rand.New(rand.NewPCG(id, 0)), pids: map[string]bool{}}
	if err := habits["asks who is there"](p); err != nil {
		t.Fatal(err)
	}
	return p
}

// pid is a worker that has answered p.
func (c *peer) pid() string {
	for pid := range c.pids {
		return pid
	}
	return ""
}

// newcomers returns the workers that serve beside one that drains.
func newcomers(t *testing.T, s *server) (pids []int) {
	t.Helper()
	st, err := s.steer.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range st.Sets {
		for _, w := range set.Slots {
			for _, old := range set.Slots {
				if w.State == "running" && old.ID == w.ID && old.State == "draining" {
					pids = append(pids, w.Pid)
				}
			}
		}
	}
	return pids
}

// Connections that stay move to workers that hold fewer: here to those that are new. Their clients, half
// of them busy, notice nothing.
func TestConnectionsMoveToLightWorkers(t *testing.T) {
	const clients, workers, most = 64, 4, 20 // at most 1.25 times the mean
	s := start(t, "--listen", "127.0.0.1:0", "--workers", "2")
	busy := &company{}
	for i := range clients / 2 {
		busy.wg.Go(func() {
			busy.work("rests", habits["rests"], uint64(i), "tcp", s.host(), func() {})
		})
	}
	var peers []*peer
	for i := range clients / 2 {
		peers = append(peers, meet(t, s.host(), uint64(i)))
	}
	if _, err := s.steer.Scale(t.Context(), "", workers); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		count := map[string]int{}
		for i, p := range peers {
			clear(p.pids)
			if err := habits["asks who is there"](p); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
			count[p.pid()]++
		}
		for _, pid := range busy.served() {
			count[pid]++
		}
		heaviest := 0
		for _, n := range count {
			heaviest = max(heaviest, n)
		}
		if len(count) == workers && heaviest <= most {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("connections by worker: %v, want at most %d on each of %d", count, most, workers)
		}
	}
	busy.disband(t)
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// A stop that comes in the middle of a reload within this process answers every client once more.
func TestStopInTheMiddleOfAReload(t *testing.T) {
	for i := range 10 {
		s := start(t, "--listen", "127.0.0.1:0", "--workers", "1")
		var clients sync.WaitGroup
		var answers atomic.Int64
		for range 16 {
			clients.Go(func() {
				if err := post(s.host(), &answers); err != nil {
					t.Errorf("stop %d: lost: %v", i, err)
				}
			})
		}
		for end := time.Now().Add(patience); answers.Load() < 500 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		s.cmd.Process.Signal(syscall.SIGHUP)
		time.Sleep(time.Duration(4*i) * time.Millisecond)
		if code := s.stop(); code != 0 {
			t.Errorf("stop %d: exit code %d, want 0", i, code)
		}
		clients.Wait()
	}
}

// Workers that go as their number is reduced hand over to those that stay.
func TestNoConnectionIsClosedInResizes(t *testing.T) {
	s := start(t, "--listen", "127.0.0.1:0", "--workers", "4")
	clients := assemble(t, 4, "tcp", s.host())
	for _, n := range []int{2, 5, 1, 3, 1, 4} {
		if _, err := s.steer.Scale(t.Context(), "", n); err != nil {
			t.Fatal(err)
		}
		clients.further(t, 50)
	}
	clients.disband(t)
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
