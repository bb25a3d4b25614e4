// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// mustGroup makes a group of n sockets for the length of the test.
func mustGroup(t *testing.T, spec bind.Spec, n int) *bind.Group {
	t.Helper()
	first, err := bind.Bind(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	g := bind.NewGroup(first)
	t.Cleanup(func() { g.Close() })
	for len(g.Sockets()) < n {
		mustJoin(t, g)
	}
	return g
}

func mustJoin(t *testing.T, g *bind.Group) *bind.Socket {
	t.Helper()
	s, err := g.Join()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// queued returns how many wait on each member.
func queued(t *testing.T, g *bind.Group) (counts []int) {
	t.Helper()
	for _, s := range g.Sockets() {
		n, err := s.Queued()
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, n)
	}
	return counts
}

// dialMany connects n times and returns how many of these wait on each member.
func dialMany(t *testing.T, g *bind.Group, addrs []string, n int) []int {
	t.Helper()
	before := queued(t, g)
	sum := func(counts []int) (n int) {
		for _, c := range counts {
			n += c
		}
		return n
	}
	for i := range n {
		c, err := net.Dial("tcp", addrs[i%len(addrs)])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		after := queued(t, g)
		if sum(after)-sum(before) == n {
			for i := range after {
				after[i] -= before[i]
			}
			return after
		}
		if time.Now().After(end) {
			t.Fatalf("%v wait after %d dials, %v before", after, n, before)
		}
	}
}

// TestGroupSteers dials for real after every change: members join, go in any order and are steered
// away from, and connections come to those that are open alone.
func TestGroupSteers(t *testing.T) {
	for family, c := range families {
		t.Run(family, func(t *testing.T) {
			asUsers(t, func(t *testing.T, _ bool) {
				g := mustGroup(t, bind.Spec{Network: "tcp", Address: net.JoinHostPort(c.listen, "0")}, 1)
				_, port, _ := net.SplitHostPort(g.Sockets()[0].Addr)
				var addrs []string
				for _, host := range c.dial {
					addrs = append(addrs, net.JoinHostPort(host, port))
				}
				rng := rand.New(rand.NewPCG(1, 2))
				for range 60 {
					switch n := len(g.Sockets()); {
					case n > 1 && rng.IntN(3) == 0:
						if err := g.Remove(g.Sockets()[rng.IntN(n)]); err != nil {
							t.Fatal(err)
						}
					case n < 7:
						mustJoin(t, g)
					}
					closed, all := map[*bind.Socket]bool{}, true
					for _, s := range g.Sockets() {
						closed[s] = rng.IntN(2) == 0
						all = all && closed[s]
					}
					if err := g.Steer(func(s *bind.Socket) bool { return !closed[s] }); err != nil {
						t.Fatal(err)
					}
					for i, n := range dialMany(t, g, addrs, 12) {
						if s := g.Sockets()[i]; n > 0 && closed[s] && !all {
							t.Fatalf("%d of 12 came to member %d of %d, which is closed", n, i, len(g.Sockets()))
						}
					}
				}
			})
		})
	}
}

// TestGroupShares holds the spread of connections over the members to what is fair: at most 1.2 times
// the mean with 1,024.
func TestGroupShares(t *testing.T) {
	g := mustGroup(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"}, 5)
	away := g.Sockets()[2]
	if err := g.Steer(func(s *bind.Socket) bool { return s != away }); err != nil {
		t.Fatal(err)
	}
	counts := dialMany(t, g, []string{away.Addr}, 1024)
	if counts[2] != 0 || slices.Max(counts) > 1024/4*12/10 {
		t.Errorf("1,024 dials spread as %v, want none on the third and at most 307", counts)
	}
}

// TestGroupRemoveEndsDuplicates takes a socket from those that accept on a duplicate of it: else the
// kernel's order would change at a moment that nobody knows.
func TestGroupRemoveEndsDuplicates(t *testing.T) {
	g := mustGroup(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"}, 2)
	first, second := g.Sockets()[0], g.Sockets()[1]
	dup, err := first.Dup()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(dup)
	if err := g.Remove(first); err != nil {
		t.Fatal(err)
	}
	if _, _, err := syscall.Accept(dup); err != syscall.EINVAL {
		t.Errorf("accept on a duplicate = %v, want EINVAL", err)
	}
	if got := dialMany(t, g, []string{second.Addr}, 5); !slices.Equal(got, []int{5}) {
		t.Errorf("%v wait, want 5 on the one that is left", got)
	}
	if err := g.Remove(first); err != nil {
		t.Errorf("Remove of a member that is gone = %v", err)
	}
}

// TestPortOfAGroupIsTaken is for a second launcher, and for any other program.
func TestPortOfAGroupIsTaken(t *testing.T) {
	for family, c := range families {
		t.Run(family, func(t *testing.T) {
			g := mustGroup(t, bind.Spec{Network: "tcp", Address: net.JoinHostPort(c.listen, "0")}, 4)
			_, port, _ := net.SplitHostPort(g.Sockets()[0].Addr)
			addr := net.JoinHostPort(c.listen, port)
			if ln, err := net.Listen("tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("net.Listen(%s) = %v, %v, want EADDRINUSE", addr, ln, err)
			}
			if s, err := bind.Bind(t.Context(), bind.Spec{Network: "tcp", Address: addr}); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("Bind(%s) = %v, %v, want EADDRINUSE", addr, s, err)
			}
		})
	}
}

func TestGroupsThatCannotSplit(t *testing.T) {
	ours := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	dup, err := ours.Dup()
	if err != nil {
		t.Fatal(err)
	}
	others, err := bind.FromFD(dup, bind.Spec{Network: "systemd", Address: "web"})
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close()
	for name, s := range map[string]*bind.Socket{
		"unix":   mustBind(t, bind.Spec{Network: "unix", Address: t.TempDir() + "/s"}),
		"shared": mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0", Shared: true}),
		"passed": others,
	} {
		if bind.NewGroup(s).Splits() {
			t.Errorf("%s: Splits() = true, want false", name)
		}
	}
	if !bind.NewGroup(ours).Splits() {
		t.Error("Splits() = false for a socket of TCP, want true")
	}
}
