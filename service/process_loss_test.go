// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/web"
)

// lossy is a web program whose first argument says how many workers it has and the second how long a
// drain may take. To /hold it never answers, to /panic it answers a part, /crash ends the process.
var lossy = asProgram("lossy", func() {
	opts := baseOptions()
	var workers int
	fmt.Sscan(os.Args[1], &workers)
	opts.ShutdownTimeout, _ = time.ParseDuration(os.Args[2])
	ln, err := socket.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		service.Exit(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		time.Sleep(50 * time.Millisecond) // so that no answer overtakes the end of its connection
	})
	mux.HandleFunc("/stubborn", func(w http.ResponseWriter, r *http.Request) { select {} })
	mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a part")
		http.NewResponseController(w).Flush()
		panic("of the handler")
	})
	mux.HandleFunc("/crash", func(w http.ResponseWriter, r *http.Request) { go panic("of the process") })
	runSets(opts, service.Set{Name: "web", Workers: workers, Services: []service.Service{&web.Server{Listener: ln, Handler: mux}}})
})

// A crowd is clients that each make one request and count what they lose.
type crowd struct {
	f    *fleet
	url  string
	lost chan bool
	n    int
}

func (f *fleet) crowd() *crowd {
	return &crowd{f: f, url: "http://" + f.address(), lost: make(chan bool, 100)}
}

// ask has n clients ask for a path, each over a connection of its own.
func (c *crowd) ask(n int, path string) {
	c.n += n
	for range n {
		go func() {
			tr := &http.Transport{DisableKeepAlives: true}
			req, _ := http.NewRequest(http.MethodPost, c.url+path, nil) // not asked twice by the transport
			resp, err := tr.RoundTrip(req)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			c.lost <- err != nil
		}()
	}
}

// losses waits for all clients and returns how many have lost their request.
func (c *crowd) losses() (n uint64) {
	c.f.t.Helper()
	late := time.After(patience)
	for range c.n {
		select {
		case lost := <-c.lost:
			if lost {
				n++
			}
		case <-late:
			c.f.fail("clients have no answer")
		}
	}
	c.n = 0
	return n
}

// running waits until so many requests run, and returns how many each worker has.
func (f *fleet) running(n int) map[int]int {
	f.t.Helper()
	byPid := make(map[int]int)
	f.until(fmt.Sprint(n, " requests run"), func(st control.Status) bool {
		sum := 0
		clear(byPid)
		for _, w := range slots(st, "web") {
			sum += w.Running
			byPid[w.Pid] = w.Running
		}
		return sum == n
	})
	return byPid
}

// lossesAre waits until status has the losses that are wanted, and no others.
func (f *fleet) lossesAre(want control.Losses) control.Status {
	f.t.Helper()
	return f.until(fmt.Sprintf("%+v", want), func(st control.Status) bool { return st.Losses == want })
}

// A worker that is killed loses what it has in hand, and clients of the other one lose nothing.
func TestLossesOfAKilledWorkerAreThoseOfItsClients(t *testing.T) {
	t.Parallel()
	f := startFleet(t, lossy, withArgs("2", "1h"))
	c := f.crowd()
	c.ask(12, "/hold")
	want := control.Losses{}
	for pid, n := range f.running(12) {
		sendSignal(t, pid, syscall.SIGKILL)
		want.Crash += uint64(n)
		f.lossesAre(want)
		waiting := c.n - n
		c.n = n
		if lost := c.losses(); lost != uint64(n) {
			t.Errorf("clients of worker %d lost %d, want %d", pid, lost, n)
		}
		c.n = waiting
		f.up()
	}
	st := f.up()
	c.ask(3, "/pid")
	if lost := c.losses(); lost != 0 {
		t.Errorf("%d requests to new workers were lost", lost)
	}
	f.until("three more served", func(now control.Status) bool { return now.Served == st.Served+3 && now.Losses == want })
	f.stops()
}

// A reload whose drain has a deadline says how many requests it has cut, and so do their clients.
func TestLossesOfADrainAreThoseOfItsClients(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path string
		stop bool // the workers do not even run when they are to drain
	}{
		"that are cut at the deadline":      {path: "/hold"},
		"whose handlers do not end by that": {path: "/stubborn"},
		"of a worker that hangs":            {path: "/hold", stop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, lossy, withArgs("2", "300ms"))
			c := f.crowd()
			c.ask(7, test.path)
			for pid := range f.running(7) {
				if test.stop {
					freeze(t, pid)
				}
			}
			out, err := f.ctl.Reload(t.Context())
			if err != nil || out.Lost != 7 || out.Cut == 0 {
				t.Errorf("Reload = %+v, %v, want 7 requests lost", out, err)
			}
			if lost := c.losses(); lost != 7 {
				t.Errorf("clients lost %d, want 7", lost)
			}
			st := f.lossesAre(control.Losses{DeadlineKill: 7})
			if st.Last == nil || st.Last.Lost != 7 {
				t.Errorf("last operation %+v, want 7 lost", st.Last)
			}
			c.ask(2, test.path)
			f.running(2)
			if out, err := f.ctl.Stop(t.Context()); err != nil || out.Lost != 2 {
				t.Errorf("Stop = %+v, %v, want 2 requests lost", out, err)
			}
			if lost := c.losses(); lost != 2 {
				t.Errorf("clients lost %d in the stop, want 2", lost)
			}
			f.ends(service.ExitCut)
		})
	}
}

// A panic loses the answer that had begun; one that ends the process all that it had in hand.
func TestLossesOfPanicsAreThoseOfTheirClients(t *testing.T) {
	t.Parallel()
	f := startFleet(t, lossy, withArgs("1", "1h"))
	c := f.crowd()
	c.ask(3, "/panic")
	if lost := c.losses(); lost != 3 {
		t.Errorf("clients lost %d to panics, want 3", lost)
	}
	f.lossesAre(control.Losses{Panic: 3})
	c.ask(4, "/hold")
	f.running(4)
	c.ask(1, "/crash")
	if lost := c.losses(); lost < 4 || lost > 5 { // that which does it may have its answer before the end
		t.Errorf("clients lost %d, want those 4 in hand, maybe that which did it", lost)
	}
	st := f.until("replaced", func(st control.Status) bool {
		return len(pidsOf(st, "web")) == 1 && slots(st, "web")[0].Restarts == 1
	})
	if st.Losses.Panic != 3 || st.Losses.Crash < 4 || st.Losses.Crash > 5 {
		t.Errorf("losses %+v, want the panics, and 4 or 5 in the crash", st.Losses)
	}
	if w := slots(st, "web")[0]; w.Lost != 0 {
		t.Errorf("a new worker has lost %d", w.Lost)
	}
	f.stops()
}

// A program in one process keeps the same books.
func TestLossesOfOneProcess(t *testing.T) {
	t.Parallel()
	f := startFleet(t, lonely)
	st := f.until("running", func(st control.Status) bool { return st.State == "running" })
	c := &crowd{f: f, url: "http://" + st.Listeners[0].Address, lost: make(chan bool, 100)}
	c.ask(2, "/panic")
	if lost := c.losses(); lost != 2 {
		t.Errorf("clients lost %d, want 2", lost)
	}
	f.lossesAre(control.Losses{Panic: 2})
	f.signal(syscall.SIGHUP)
	st = f.until("reloaded", func(st control.Status) bool { return st.Generation == 2 && st.State == "running" })
	if len(st.Operations) != 1 || st.Operations[0].By != "signal HUP" || st.Losses.Panic != 2 {
		t.Errorf("operations %v, losses %+v, want the reload and both panics", operations(st), st.Losses)
	}
	f.stops()
}

// lonely is a web program in one process.
var lonely = asProgram("lonely", func() {
	opts := baseOptions()
	ln, err := socket.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		service.Exit(err)
	}
	half := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a part")
		http.NewResponseController(w).Flush()
		panic(errors.New("of the handler"))
	})
	service.Exit(service.Launch(context.Background(), opts, &web.Server{Listener: ln, Handler: half}))
})
