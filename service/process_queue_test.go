// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

// TestQueueOfAKilledWorker fills the queue of a worker that is stopped, and kills it: whoever waits there
// is answered, by the other worker or by the one that follows.
func TestQueueOfAKilledWorker(t *testing.T) {
	for name, workers := range map[string]int{"served by another": 2, "taken over": 1} {
		t.Run(name, func(t *testing.T) {
			f, network, addr := slotsFleet(t, nil, fmt.Sprintf("api=%d=127.0.0.1:0", workers))
			for range 3 {
				pids := f.pids("api", workers)
				freeze(t, pids[0])
				const n = 60
				answers := make(chan error, n)
				var answered atomic.Int64
				for range n {
					c, err := net.Dial(network, addr)
					if err != nil {
						t.Fatal(err)
					}
					go func() {
						defer c.Close()
						_, err := queryOver(c)
						answered.Add(1)
						answers <- err
					}()
				}
				if workers == 2 { // those of the other are answered; the rest wait
					for late := time.Now().Add(patience); answered.Load() == 0; time.Sleep(time.Millisecond) {
						if time.Now().After(late) {
							f.fail("nobody is answered")
						}
					}
				}
				sendSignal(t, pids[0], syscall.SIGKILL)
				for range n {
					if err := <-answers; err != nil {
						t.Error(err)
					}
				}
				f.goes(pids[0])
			}
			f.signal(syscall.SIGTERM)
			f.ends(service.ExitOK)
		})
	}
}

// TestHungWorkerIsSteeredAway stops a worker for a while: those in its queue are answered by the other,
// which then gets all that is new.
func TestHungWorkerIsSteeredAway(t *testing.T) {
	t.Parallel()
	f, network, addr := slotsFleet(t, nil, "api=2=127.0.0.1:0")
	pids := f.pids("api", 2)
	f.until("two hearts that beat", func(st control.Status) bool {
		all := slots(st, "api")
		return len(all) == 2 && all[0].Beat > 0 && all[1].Beat > 0
	})
	freeze(t, pids[0])
	var waiting sync.WaitGroup
	for range 40 {
		waiting.Go(func() {
			if pid, err := query(network, addr); err != nil || pid != pids[1] {
				t.Errorf("answered by %d, %v, want %d", pid, err, pids[1])
			}
		})
	}
	f.seen(1, "worker shows no sign of life")
	f.seen(1, `next="others serve its connections"`)
	f.until("degraded by a hung worker", func(st control.Status) bool {
		return st.State == "degraded" && slots(st, "api")[0].State == "hung"
	})
	waiting.Wait()
	for range 40 {
		if pid, err := query(network, addr); err != nil || pid != pids[1] {
			t.Errorf("answered by %d, %v, want %d", pid, err, pids[1])
		}
	}
	sendSignal(t, pids[0], syscall.SIGCONT)
	f.seen(1, "worker is alive again")
	for late := time.Now().Add(patience); ; {
		pid, err := query(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		if pid == pids[0] {
			break
		}
		if time.Now().After(late) {
			f.fail("nobody comes to the worker that is alive again")
		}
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// TestNothingIsLost reloads, resizes and stops under clients that connect anew for every line, as root
// and as nobody, over each kind of socket.
func TestNothingIsLost(t *testing.T) {
	dir := shortDir(t)
	for name, c := range map[string]struct {
		address string
		options []func(*exec.Cmd)
	}{
		"IPv4":           {"127.0.0.1:0", nil},
		"IPv4 as nobody": {"127.0.0.1:0", []func(*exec.Cmd){asNobody}},
		"IPv6":           {"[::1]:0", nil},
		"every address":  {":0", []func(*exec.Cmd){asNobody}},
		"a unix socket":  {"unix:" + filepath.Join(dir, "a"), nil},
		"unix as nobody": {"unix:" + filepath.Join(dir, "b"), []func(*exec.Cmd){asNobody}},
	} {
		t.Run(name, func(t *testing.T) {
			f, network, addr := slotsFleet(t, c.options, "api=2="+c.address)
			answered, stop := clients(t, 8, network, addr)
			defer stop()
			more := func() {
				t.Helper()
				for before, late := answered.Load(), time.Now().Add(patience); answered.Load() < before+50; time.Sleep(time.Millisecond) {
					if time.Now().After(late) || t.Failed() {
						f.fail("clients are not answered any more")
					}
				}
			}
			more()
			for i, n := range []int{4, 1, 3, 2} {
				if _, err := f.ctl.Scale(t.Context(), "api", n); err != nil {
					t.Fatal(err)
				}
				more()
				f.signal(syscall.SIGHUP)
				f.seen(1, fmt.Sprintf("reloaded %d", i+2))
				more()
			}
			f.signal(syscall.SIGTERM)
			f.ends(service.ExitOK)
		})
	}
}

// TestKilledWorkersUnderLoad kills workers while clients connect: at most what each had in its hands is
// lost, which is one line of a client.
func TestKilledWorkersUnderLoad(t *testing.T) {
	f, network, addr := slotsFleet(t, nil, "api=3=127.0.0.1:0")
	const n = 8
	var answered, lost atomic.Int64
	var done atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	defer done.Store(true)
	for range n {
		all.Go(func() {
			for !done.Load() {
				switch _, err := query(network, addr); {
				case err == nil:
					answered.Add(1)
				case errors.Is(err, errLost):
					lost.Add(1)
				default:
					t.Error(err) // nobody may be refused
					return
				}
			}
		})
	}
	const kills = 12
	for i := range kills {
		for before := answered.Load(); answered.Load() < before+50 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		pid := f.pids("api", 3)[i%3]
		sendSignal(t, pid, syscall.SIGKILL)
		f.goes(pid)
	}
	done.Store(true)
	all.Wait()
	if got := lost.Load(); got > kills*n {
		t.Errorf("%d kills of workers lost %d lines of %d clients", kills, got, n)
	}
	t.Logf("%d answered, %d lost in %d kills", answered.Load(), lost.Load(), kills)
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// TestSetsStopOneAfterAnother looks at the addresses of a set that drains for long and of one that stops
// after it: the first is refused at once, not when all have ended, and the second serves until then.
func TestSetsStopOneAfterAnother(t *testing.T) {
	f := startFleet(t, "slots", withArgs("db=2=127.0.0.1:0", "api=2=127.0.0.1:0"))
	st := f.up() // the listeners in their order
	db, api := st.Listeners[0].Address, st.Listeners[1].Address
	for _, addr := range []string{db, api} {
		if _, err := query("tcp", addr); err != nil {
			t.Fatal(err)
		}
	}
	c, err := net.Dial("tcp", api)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "hang\n")
	f.seen(1, "hangs")
	f.signal(syscall.SIGTERM)
	for late := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := net.DialTimeout("tcp", api, 3*time.Second) // the gate lets first packets wait a second
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err == nil {
			c.Close() // it came before the gate
		}
		if time.Now().After(late) {
			f.fail("the set that drains still listens: %v", err)
		}
	}
	for range 20 { // on both workers
		if _, err := query("tcp", db); err != nil {
			t.Errorf("of the set that stops later: %v", err)
		}
	}
	f.signal(syscall.SIGINT)
	f.ends(service.ExitFailed)
	untilListening(t, db, 0)
}

// TestReloadMovesAddresses reloads to other addresses under clients of them all: one that the new plan has
// not is emptied before it is closed.
func TestReloadMovesAddresses(t *testing.T) {
	var addrs []string
	for range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, ln.Addr().String())
		ln.Close()
	}
	settings := filepath.Join(t.TempDir(), "settings")
	set := func(addrs ...string) {
		t.Helper()
		if err := os.WriteFile(settings, []byte(strings.Join(addrs, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set(addrs[0], addrs[1])
	f := startFleet(t, "moving", withEnv(settingsVar+"="+settings))
	f.up()
	leaving, stopLeaving := clients(t, 6, "tcp", addrs[0])
	staying, stopStaying := clients(t, 2, "tcp", addrs[1])
	defer stopStaying()
	more := func(answered *atomic.Int64) {
		t.Helper()
		for before, late := answered.Load(), time.Now().Add(patience); answered.Load() < before+50; time.Sleep(time.Millisecond) {
			if time.Now().After(late) || t.Failed() {
				f.fail("clients are not answered any more")
			}
		}
	}
	more(leaving)
	set(addrs[1], addrs[2])
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	more(staying)
	if _, err := query("tcp", addrs[2]); err != nil {
		t.Errorf("at the new address: %v", err)
	}
	untilListening(t, addrs[0], 0)
	stopLeaving() // they were refused
	untilListening(t, addrs[1], 2)
	untilListening(t, addrs[2], 2)
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}
