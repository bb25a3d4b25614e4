// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package main

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
)

// TestPeersAnswer holds that each peer of the benchmarks starts, has its workers, gives the answer
// that is asked of it to every one of 64 clients, and ends.
func TestPeersAnswer(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{self: self, body: "hello, \"peer\"\n"}
	for _, k := range []kind{nginx, haproxy, gunicorn, oslo} {
		t.Run(k.name, func(t *testing.T) {
			s, err := k.start(b)
			if errors.Is(err, errNotInstalled) && os.Getenv("CI") != "true" {
				t.Skipf("no %s: make interop installs it as root on Debian", k.needs)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.stop()
			if got := len(s.pids()); got < 1+k.workers {
				t.Errorf("%d processes, want the first and %d workers", got, k.workers)
			}
			got, err := load{
				Addr: s.addr, Path: "/", Body: b.body, Clients: clients,
				Warm: time.Millisecond, Window: 500 * time.Millisecond, Pids: s.pids(),
			}.run()
			if err != nil || got.Faults > 0 || got.Requests == 0 {
				t.Errorf("load = %+v, %v, want answers and no faults", got, err)
			}
			if err := s.Stop(stopLimit); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPeersTellWhoServes holds what the row fair needs of its peer.
func TestPeersTellWhoServes(t *testing.T) {
	s, err := nginx4.start(&bench{body: "hello\n"})
	if errors.Is(err, errNotInstalled) && os.Getenv("CI") != "true" {
		t.Skipf("no %s: make interop installs it as root on Debian", nginx4.needs)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	holders := make([]*holder, 64)
	for i := range holders {
		holders[i] = &holder{addr: s.addr}
		defer holders[i].close()
	}
	pids, err := askAll(holders)
	if err != nil {
		t.Fatal(err)
	}
	workers := peer.Children(s.Pid())
	for _, text := range pids {
		if pid, err := strconv.Atoi(text); err != nil || !slices.Contains(workers, pid) {
			t.Fatalf("served by %q, want one of %v", text, workers)
		}
	}
}
