// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

func TestWorkersOfAGenerationReadOneConfiguration(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 3, Word: "a", Listen: []string{"127.0.0.1:0"}}
	f := startConfigured(t, s)
	address := f.address()
	before := f.pids("app", 3)

	changed := s
	changed.Word = "b"
	writeSettings(t, f.file, changed)
	for id, pid := range before { // those that come now are of the old generation still
		sendSignal(t, pid, syscall.SIGKILL)
		f.seen(2, fmt.Sprintf("ready app/%d gen 1", id))
	}
	f.pids("app", 3)
	if err := os.Remove(f.file); err != nil {
		t.Fatal(err)
	}
	sendSignal(t, f.pids("app", 3)[1], syscall.SIGTERM)
	f.seen(3, "ready app/1 gen 1")
	f.allAnswer(address, "app", 3, "a")

	f.reloads(changed)
	f.allAnswer(address, "app", 3, "b")
	f.stops()
}

// allAnswer asks until every worker of a set has answered, and each as wanted.
func (f *fleet) allAnswer(address, set string, workers int, want string) {
	f.t.Helper()
	pids := f.pids(set, workers)
	for answered := make(map[int]bool); len(answered) < workers; {
		word, pid := answer(f.t, address)
		if word != want || !slices.Contains(pids, pid) {
			f.t.Fatalf("pid %d answered %q, want %q from one of %v", pid, word, want, pids)
		}
		answered[pid] = true
	}
}

func TestMutateResetsInPlaceWithTheNewFile(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 3, Word: "a", Mutate: true, Listen: []string{"127.0.0.1:0"}}
	f := startConfigured(t, s)
	address, before := f.address(), f.pids("app", 3)
	s.Word = "b"
	f.reloads(s)
	if after := f.pids("app", 3); !slices.Equal(after, before) {
		t.Errorf("workers %v became %v, want the same", before, after)
	}
	f.allAnswer(address, "app", 3, "b")
	f.said(3, "app reset")
	f.said(1, "reloaded 2")
	sendSignal(t, before[0], syscall.SIGKILL)
	f.seen(1, "ready app/0 gen 2")
	f.allAnswer(address, "app", 3, "b")

	bad := s
	bad.Word = ""
	if out, err := f.reload(bad); err == nil || !strings.Contains(err.Error(), "Word is missing") {
		t.Errorf("mutate = %+v, %v, want it refused", out, err)
	}
	f.allAnswer(address, "app", 3, "b")
	f.said(3, "app reset")
	f.stops()
}

// unruly resets as its configuration file says, which is just a word.
var unruly = asProgram("unruly", func() {
	opts := baseOptions()
	opts.RestartMethod = service.RestartMutate
	opts.Files = []string{os.Getenv(settingsVar)}
	app := narrate("app")
	app.reset = func(ctx context.Context) error {
		word, err := service.ReadFile(os.Getenv(settingsVar))
		if string(word) == "bad" {
			err = errors.New("do not like it")
		}
		return err
	}
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{app}})
})

func TestFailedResetIsAnErrorAndTheWorkerGoesOn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "word")
	write := func(word string) {
		if err := os.WriteFile(file, []byte(word), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good")
	f := startFleet(t, unruly, withEnv(settingsVar+"="+file))
	before := f.pids("app", 2)
	write("bad")
	out, err := f.ctl.Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), "did not reset: reset app: do not like it") {
		t.Errorf("mutate = %+v, %v, want the error of Reset", out, err)
	}
	write("good")
	if out, err := f.ctl.Reload(t.Context()); err != nil {
		t.Errorf("mutate = %+v, %v", out, err)
	}
	if after := f.pids("app", 2); !slices.Equal(after, before) {
		t.Errorf("workers %v became %v, want the same", before, after)
	}
	f.stops()
}

var missingFile = asProgram("missingFile", func() {
	_, err := service.ReadFile(os.Getenv(settingsVar))
	app := narrate("app")
	app.start = func(ctx context.Context) error {
		_, err := service.ReadFile(os.Getenv(settingsVar))
		app.say(ctx, fmt.Sprint("missing ", errors.Is(err, fs.ErrNotExist)))
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		service.Exit(err)
	}
	runSets(baseOptions(), service.Set{Workers: 1, Services: []service.Service{app}})
})

// A file that was not there when the launcher looked is not there for any of its workers.
func TestMissingFileStaysMissing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "later")
	f := startFleet(t, missingFile, withEnv(settingsVar+"="+file))
	pid := f.pids("app", 1)[0]
	f.said(1, "app missing true")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sendSignal(t, pid, syscall.SIGKILL)
	f.seen(2, "app missing true")
	f.up()
	f.signal(syscall.SIGHUP)
	f.seen(1, "app missing false, app/0 of 1 gen 2")
	f.stops()
}

// opener listens where it starts, not in main: only workers know of its address.
var opener = asProgram("opener", func() {
	opts := baseOptions()
	if len(os.Args) > 1 {
		opts.RestartMethod = service.RestartMutate
	}
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{
		service.Define("opener", func(ctx context.Context) (service.Service, error) {
			ln, err := socket.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			return &socket.Server{Listener: ln, Handler: func(ctx context.Context, c *socket.Conn) {
				fmt.Fprintf(c, "open from pid %d\n", os.Getpid())
			}}, nil
		}),
	}})
})

func TestAddressOpenedInStartIsKeptForSuccessors(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"reload": nil, "mutate": {"mutate"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, opener, withArgs(args...))
			address := f.address()
			f.allAnswer(address, "opener", 2, "open")
			for generation := 2; generation < 4; generation++ {
				f.signal(syscall.SIGHUP)
				f.seen(1, fmt.Sprint("reloaded ", generation))
				killed := f.pids("opener", 2)
				for _, pid := range killed {
					sendSignal(t, pid, syscall.SIGKILL)
					f.goes(pid)
				}
				f.until("replaced", func(st control.Status) bool {
					pids := pidsOf(st, "opener")
					return len(pids) == 2 && !slices.Contains(killed, pids[0]) && !slices.Contains(killed, pids[1])
				})
				if got := f.address(); got != address {
					t.Errorf("listens on %s, want %s", got, address)
				}
				f.allAnswer(address, "opener", 2, "open")
			}
			f.stops()
		})
	}
}

var reloadFunc = asProgram("reloadFunc", func() {
	opts := baseOptions()
	n := 1
	opts.Reload = func(context.Context) (service.Options, error) {
		if n++; n == 3 {
			return service.Options{}, errors.New("no third")
		}
		next := baseOptions()
		next.Workers = n
		return next, nil
	}
	fmt.Println("main")
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{narrate("app")}})
})

func TestReloadFunctionStandsInForTheProbe(t *testing.T) {
	t.Parallel()
	f := startFleet(t, reloadFunc)
	f.pids("app", 1)
	f.said(2, "main")
	for workers := 2; workers <= 4; workers++ {
		out, err := f.ctl.Reload(t.Context())
		if workers == 3 {
			if err == nil || !strings.Contains(err.Error(), "no third") {
				t.Errorf("reload = %+v, %v, want it refused", out, err)
			}
			f.pids("app", 2)
			continue
		}
		if err != nil {
			t.Fatalf("reload = %+v, %v", out, err)
		}
		f.pids("app", workers)
	}
	f.said(2+2+4, "main") // no probe ever ran it
	f.stops()
}

var reloadOptions = asProgram("reloadOptions", func() {
	opts := baseOptions()
	opts.ShutdownTimeout = time.Hour
	opts.Reload = func(context.Context) (service.Options, error) {
		next := baseOptions()
		next.Workers, next.ShutdownTimeout = 1, 300*time.Millisecond
		next.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil)).With("log", "new")
		return next, nil
	}
	app := narrate("app")
	app.shutdown = forever
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{app}})
})

func TestReloadFunctionChangesTimeoutsAndLog(t *testing.T) {
	t.Parallel()
	f := startFleet(t, reloadOptions)
	f.up()
	out, err := f.ctl.Reload(t.Context()) // which waits for the old worker
	if err != nil || out.Cut != 1 {
		t.Errorf("reload = %+v, %v, want 1 cut", out, err)
	}
	f.up()
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitCut)
	f.seen(1, "msg=stopped log=new")
}
