// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

var counted = asProgram("counted", func() {
	var workers int
	fmt.Sscan(os.Args[1], &workers)
	opts := baseOptions()
	opts.Workers = workers
	service.Exit(service.Launch(context.Background(), opts, narrate("api")))
})

func TestSVC13SVC14SVC16WorkersChooseTheLauncher(t *testing.T) {
	t.Parallel()
	for workers, processes := range map[string]int{"0": 0, "1": 0, "3": 3} {
		t.Run(workers+" workers", func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, counted, withArgs(workers))
			f.seen(max(processes, 1), "api serve")
			if processes == 0 {
				if pid := numberAfter(t, f.expect("api serve"), "pid"); pid != f.pid() {
					t.Errorf("the service runs in process %d, want %d itself", pid, f.pid())
				}
			} else if pids := f.pids("demo", processes); slices.Contains(pids, f.pid()) {
				t.Errorf("the service runs in the launcher")
			}
			f.signal(syscall.SIGTERM)
			f.ends(service.ExitOK)
			f.said(max(processes, 1), "api shutdown stop")
		})
	}
}

// A negative number is an error; zero, which upstream refuses, is one process here, and what is no
// number does not compile.
func TestSVC15CT12NumbersOfWorkersAreChecked(t *testing.T) {
	for _, n := range []int{-1, -2, 4097} {
		err := service.Launch(t.Context(), service.Options{Workers: n}, plainService("api"))
		assertOptionError(t, err, "workers", n)
		err = service.NewProcessLauncher(service.Options{}).Add(service.Set{Workers: n, Services: []service.Service{plainService("api")}})
		assertOptionError(t, err, "set api: workers", n)
	}
}

func assertOptionError(t *testing.T, err error, name string, value any) {
	t.Helper()
	e, ok := errors.AsType[*service.OptionError](err)
	if !ok || e.Name != name || e.Value != value {
		t.Errorf("error %v, want that of option %s with value %v", err, name, value)
	}
}

// In Go what has no Serve does not compile; what is left is nil.
func TestSVC17SVC27CT12NoServiceIsRefused(t *testing.T) {
	var none *narrator
	for name, svc := range map[string]service.Service{"nil": nil, "a nil pointer": none} {
		t.Run(name, func(t *testing.T) {
			for _, workers := range []int{0, 1, 3} {
				err := service.Launch(t.Context(), service.Options{Workers: workers}, svc)
				if e, ok := errors.AsType[*service.OptionError](err); !ok || !strings.Contains(e.Name, "service 0") {
					t.Errorf("Launch with %d workers = %v, want an OptionError of service 0", workers, err)
				}
			}
			err := service.NewProcessLauncher(service.Options{}).Add(service.Set{Name: "api", Services: []service.Service{svc}})
			if e, ok := errors.AsType[*service.OptionError](err); !ok || !strings.Contains(err.Error(), "set api") {
				t.Errorf("Add = %v, %v, want an OptionError of set api", err, e)
			}
		})
	}
}

func TestSetsThatCannotRunAreRefused(t *testing.T) {
	api := []service.Service{plainService("api")}
	tests := map[string]struct {
		sets []service.Set
		want string // in the error
	}{
		"no services":      {[]service.Set{{Name: "api"}}, "set api: services: none"},
		"one name twice":   {[]service.Set{{Services: api}, {Services: api}}, "api: want a name that no other set has"},
		"unknown after":    {[]service.Set{{Services: api, After: []string{"bus"}}}, "set api: after: bus"},
		"circle of itself": {[]service.Set{{Services: api, After: []string{"api"}}}, "api after api"},
		"circle": {[]service.Set{
			{Name: "a", Services: api, After: []string{"b"}}, {Name: "b", Services: api, After: []string{"c"}}, {Name: "c", Services: api, After: []string{"b"}},
		}, "set order is a circle: b after c after b"},
		"restart policy": {[]service.Set{{Services: api, Restart: 7}}, "set api: restart: 7"},
		"roll policy":    {[]service.Set{{Services: api, Roll: -1}}, "set api: roll: -1"},
		"procs":          {[]service.Set{{Services: api, Procs: -1}}, "set api: procs: -1"},
		"circle of services": {[]service.Set{{Name: "s", Services: []service.Service{
			service.After(plainService("a"), "b"), service.After(plainService("b"), "a"),
		}}}, "set s: service order is a circle"},
		"no sets at all": {nil, "sets: none"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := service.NewProcessLauncher(service.Options{})
			var err error
			for _, set := range test.sets {
				err = errors.Join(err, l.Add(set))
			}
			if err == nil {
				err = l.Run(t.Context())
				if e, ok := errors.AsType[*service.ExitError](err); !ok || e.Code != service.ExitFailed {
					t.Errorf("Run = %v, want an ExitError with code 1", err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

var noFork = asProgram("noFork", func() {
	l := service.NewServiceLauncher(baseOptions())
	if err := l.Add(narrate("api")); err != nil {
		service.Exit(err)
	}
	service.Exit(l.Run(context.Background()))
})

// Upstream's no_fork is a launcher of its own here.
func TestSVC20InProcessLauncherNeverForks(t *testing.T) {
	t.Parallel()
	f := startFleet(t, noFork)
	if pid := numberAfter(t, f.expect("api serve"), "pid"); pid != f.pid() {
		t.Errorf("the service runs in process %d, want %d", pid, f.pid())
	}
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

var oneOfTwoSets = asProgram("oneOfTwoSets", func() {
	runSets(baseOptions(), service.Set{Workers: 0, Services: []service.Service{narrate("api")}},
		service.Set{Workers: 1, Services: []service.Service{narrate("tick")}})
})

func TestSVC26NoWorkersStartNothing(t *testing.T) {
	t.Parallel()
	f := startFleet(t, oneOfTwoSets)
	f.seen(1, "ready tick/0")
	f.pids("tick", 1)
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	f.said(0, "api s")
}

var failingStart = asProgram("failingStart", func() {
	api := narrate("api")
	api.start = fails
	runSets(baseOptions(), service.Set{Workers: 1, Services: []service.Service{api}})
})

func TestSVC05FailedStartEndsTheProgram(t *testing.T) {
	t.Parallel()
	f := startFleet(t, failingStart)
	f.ends(service.ExitFailed)
	f.said(1, myName+": set api, worker 0 failed to start: exit status 1: start api: boom")
	f.said(0, "ready")
}

var threeSets = asProgram("threeSets", func() {
	heavy, light, bus := narrate("heavy"), narrate("light"), narrate("bus")
	runSets(baseOptions(),
		service.Set{Workers: 2, Services: []service.Service{heavy}, After: []string{"bus"}},
		service.Set{Workers: 1, Services: []service.Service{light}, After: []string{"heavy"}},
		service.Set{Workers: 1, Services: []service.Service{bus}})
})

func TestCT01aAllSetsStartInTheirOrder(t *testing.T) {
	t.Parallel()
	f := startFleet(t, threeSets)
	f.pids("heavy", 2)
	f.pids("light", 1)
	f.pids("bus", 1)
	f.seen(4, "ready ")
	assertOrder(t, f.process, "ready bus/0", "heavy start")
	assertOrder(t, f.process, "ready heavy/0", "light start")
	assertOrder(t, f.process, "ready heavy/1", "light start")
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
	assertOrder(t, f.process, "light done", "heavy shutdown stop")
	assertOrder(t, f.process, "heavy done, heavy/0", "bus shutdown stop")
	assertOrder(t, f.process, "heavy done, heavy/1", "bus shutdown stop")
}

// assertOrder wants the first line with one text before the first with another.
func assertOrder(t *testing.T, p *process, first, second string) {
	t.Helper()
	lines := strings.Split(p.output(), "\n")
	index := func(text string) int {
		return slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, text) })
	}
	if i, j := index(first), index(second); i < 0 || j < 0 || i > j {
		t.Errorf("%q is line %d, %q is line %d:\n%s", first, i, second, j, p.output())
	}
}

var slowStarter = asProgram("slowStarter", func() {
	api := narrate("api")
	api.start = func(ctx context.Context) error {
		if os.Args[1] == "obeys" {
			<-ctx.Done()
			return ctx.Err()
		}
		select {}
	}
	opts := baseOptions()
	opts.StartTimeout, opts.ShutdownTimeout = 200*time.Millisecond, 200*time.Millisecond
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{api}})
})

func TestStartThatHangsEndsTheProgram(t *testing.T) {
	t.Parallel()
	for _, manner := range []string{"obeys", "hangs"} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, slowStarter, withArgs(manner))
			f.ends(service.ExitFailed)
			f.said(1, myName+": set api, worker 0 failed to start: ")
			f.said(0, "ready api")
			f.said(1, "api start")
		})
	}
}

var endsByContext = asProgram("endsByContext", func() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	l := service.NewProcessLauncher(baseOptions())
	if err := l.Add(service.Set{Workers: 2, Services: []service.Service{narrate("api")}}); err != nil {
		service.Exit(err)
	}
	service.Exit(l.Run(ctx))
})

// Many a main makes a context that signals end. It must not get in the way.
func TestContextThatSignalsEnd(t *testing.T) {
	t.Parallel()
	master, slave := openTerminal(t)
	for name, test := range map[string]struct {
		do   func(t *testing.T, f *fleet)
		code int
	}{
		"TERM": {func(t *testing.T, f *fleet) { f.signal(syscall.SIGTERM) }, service.ExitOK},
		"INT":  {func(t *testing.T, f *fleet) { f.signal(syscall.SIGINT) }, service.ExitFailed},
		"Ctrl-C": {func(t *testing.T, f *fleet) {
			if _, err := master.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
		}, service.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			option := withoutTerminal
			if name == "Ctrl-C" {
				option = withTerminal(slave)
			}
			f := startFleet(t, endsByContext, option)
			f.up()
			test.do(t, f)
			f.ends(test.code)
		})
	}
}

var cancelled = asProgram("cancelled", func() {
	ctx, cancel := context.WithCancel(context.Background())
	opts := baseOptions()
	opts.Hooks = append(opts.Hooks, service.Hooks{Ready: func(service.Worker, int) { cancel() }})
	l := service.NewProcessLauncher(opts)
	if err := l.Add(service.Set{Workers: 1, Services: []service.Service{narrate("api")}}); err != nil {
		service.Exit(err)
	}
	service.Exit(l.Run(ctx))
})

func TestEndOfTheContextIsAGracefulStop(t *testing.T) {
	t.Parallel()
	f := startFleet(t, cancelled)
	f.ends(service.ExitOK)
	f.said(1, "api shutdown stop")
	f.said(1, "api done")
}

var procsOfWorkers = asProgram("procsOfWorkers", func() {
	show := func(name string) *narrator {
		svc := narrate(name)
		svc.start = func(context.Context) error {
			fmt.Printf("%s has GOMAXPROCS %d, %q\n", name, runtime.GOMAXPROCS(0), os.Getenv("GOMAXPROCS"))
			input, err := io.ReadAll(os.Stdin)
			comm, _ := os.ReadFile("/proc/self/comm")
			fmt.Printf("%s is called %s, input %q %v\n", name, strings.TrimSpace(string(comm)), input, err)
			return nil
		}
		return svc
	}
	opts := baseOptions()
	opts.Procs = 3
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{show("usual")}},
		service.Set{Workers: 1, Procs: 5, Services: []service.Service{show("special")}})
})

func TestWorkersHaveTheirProcsNameAndNoInput(t *testing.T) {
	t.Parallel()
	f := startFleet(t, procsOfWorkers)
	f.up()
	f.said(1, `usual has GOMAXPROCS 3, ""`)
	f.said(1, `special has GOMAXPROCS 5, ""`)
	f.said(2, fmt.Sprintf(`is called %s, input "" <nil>`, myName[:min(len(myName), 15)]))
	f.stops()
}

var opensInMain = asProgram("opensInMain", func() {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // not by package socket
	if err != nil {
		service.Exit(err)
	}
	fmt.Println("opened", ln.Addr())
	runSets(baseOptions(), service.Set{Workers: 1, Services: []service.Service{narrate("api")}})
})

func TestWhatMainOpenedIsNamed(t *testing.T) {
	t.Parallel()
	f := startFleet(t, opensInMain)
	_, address, _ := strings.Cut(f.expect("opened"), " ")
	f.up()
	f.seen(1, "TCP listener on "+address)
	f.said(1, "opened before Launch")
	f.stops()
}
