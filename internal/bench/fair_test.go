// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestImbalance(t *testing.T) {
	for name, c := range map[string]struct {
		pids string
		want float64
	}{
		"even":               {"a b c d", 1},
		"one holds two more": {"a a a b b c c d", 1.5},
		"some hold none":     {"a b a b", 2},
		"one holds all":      {"a a a a", 4},
	} {
		t.Run(name, func(t *testing.T) {
			if got := imbalance(strings.Fields(c.pids), 4); got != c.want {
				t.Errorf("imbalance(%q, 4) = %v, want %v", c.pids, got, c.want)
			}
		})
	}
	if got := differ(strings.Fields("a b c"), strings.Fields("a c b")); got != 2 {
		t.Errorf("differ = %d, want 2", got)
	}
}

// TestFairResult holds that the worst round counts, after connections have had the time to move where
// they may.
func TestFairResult(t *testing.T) {
	even, uneven := deal{first: 1.1, last: 1.1}, deal{first: 1.4, last: 1.4}
	evened := deal{first: 1.4, last: 1.2, moved: 3, took: 1500 * time.Millisecond}
	for name, c := range map[string]struct {
		deals, peers []deal
		measured     string
		reached      bool
		detail       string
	}{
		"even":          {[]deal{even}, nil, "1.100", true, "0 of 1 too uneven: none had to move; nginx is not installed"},
		"one is uneven": {[]deal{even, even, uneven}, nil, "1.400", false, "1 of 3 too uneven: no connection moved within 8s"},
		"evened out":    {[]deal{evened, even}, []deal{uneven}, "1.200", true, "1 of 2 too uneven: 3 moved, evened out in at most 1.5 s; nginx 1.400, median 1.400"},
	} {
		t.Run(name, func(t *testing.T) {
			got := fairCase{64, 1.25, fairWait}.result("hello", "nginx", c.deals, c.peers)
			if got.measured != c.measured || got.reached != c.reached || got.target != "<= 1.25" || !strings.Contains(got.detail, c.detail) {
				t.Errorf("result = %+v, want %s, reached %v, with %q", got, c.measured, c.reached, c.detail)
			}
		})
	}
}

// TestDeal holds that every client keeps one connection, and that it is looked again while connections
// are held too unevenly: here until one of them has moved from the heavy worker to the light one.
func TestDeal(t *testing.T) {
	var mu sync.Mutex
	asked, conns := 0, map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if _, ok := conns[r.RemoteAddr]; !ok {
			conns[r.RemoteAddr] = len(conns)
		}
		pid := "100\n"
		if n := conns[r.RemoteAddr]; n == 3 || n == 2 && asked > 4 {
			pid = "200\n"
		}
		io.WriteString(w, pid)
	}))
	defer srv.Close()
	s := &server{kind: kind{workers: 2}, addr: srv.Listener.Addr().String()}
	got, err := fairCase{clients: 4, atMost: 1.2, wait: patience}.deal(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got.first != 1.5 || got.last != 1 || got.moved != 1 || got.took <= 0 {
		t.Errorf("deal = %+v, want 1.5 at first, 1 at last, 1 moved", got)
	}
	if len(conns) != 4 || asked != 8 {
		t.Errorf("%d connections, %d questions, want 4 and 8", len(conns), asked)
	}
}
