// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
)

func TestMain(m *testing.M) {
	peer.Main()
	os.Exit(m.Run())
}

// shortLoad is a load on srv that is over soon.
func shortLoad(srv *httptest.Server) load {
	return load{
		Addr: srv.Listener.Addr().String(), Path: "/", Body: "hi", Clients: 4,
		Warm: time.Millisecond, Window: 100 * time.Millisecond, Pids: []int{syscall.Getpid()},
	}
}

func TestLoadCountsRightAnswers(t *testing.T) {
	var served atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		io.WriteString(w, "hi")
	}))
	defer srv.Close()
	got, err := shortLoad(srv).run()
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests == 0 || int64(got.Requests) > served.Load() {
		t.Errorf("%d requests counted, %d served", got.Requests, served.Load())
	}
	if got.Faults != 0 || got.Redials != 0 {
		t.Errorf("%d faults (%s), %d redials, want none", got.Faults, got.Fault, got.Redials)
	}
	if got.P50 <= 0 || got.P99 < got.P50 || got.Max < got.P99 {
		t.Errorf("p50 %v, p99 %v, max %v: not in order", got.P50, got.P99, got.Max)
	}
	if got.ServerCPU <= 0 || got.Elapsed < 100*time.Millisecond {
		t.Errorf("server CPU time %v in %v", got.ServerCPU, got.Elapsed)
	}
}

func TestLoadRefusesWrongAnswers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"another body":   func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ho") },
		"a longer body":  func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hi there") },
		"another status": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503); io.WriteString(w, "hi") },
		"no answer": func(w http.ResponseWriter, r *http.Request) {
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(handler)
			defer srv.Close()
			got, err := shortLoad(srv).run()
			if err == nil && got.Faults == 0 {
				t.Errorf("run = %+v, want faults", got)
			}
			if got.Requests != 0 {
				t.Errorf("%d requests counted, want 0", got.Requests)
			}
		})
	}
}

func TestLoadDialsAgain(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "hi")
	}))
	defer srv.Close()
	got, err := shortLoad(srv).run()
	if err != nil || got.Faults != 0 || got.Redials < got.Requests || got.Requests == 0 {
		t.Errorf("run = %+v, %v, want a redial for each request and no fault", got, err)
	}
}

func TestLoadSeesACutAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh")
		conn.Close()
	}))
	defer srv.Close()
	got, err := shortLoad(srv).run()
	if err == nil && got.Faults == 0 {
		t.Errorf("run = %+v, want faults", got)
	}
}

func TestLoadWithoutServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	l := load{Addr: ln.Addr().String(), Path: "/", Clients: 1, Window: time.Second}
	if _, err := l.run(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("run = %v, want connection refused", err)
	}
}

func TestCPUTime(t *testing.T) {
	before, err := cpuTime(syscall.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Reading the clock takes some of it.
	for deadline := time.Now().Add(30 * time.Second); ; {
		now, err := cpuTime(syscall.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now-before >= time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("CPU time went from %v to %v in 30 s of work", before, now)
		}
	}
	if _, err := cpuTime(-1 << 20); err == nil {
		t.Error("CPU time of a process that cannot be: no error")
	}
}
