// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

// shower is a program of two workers, each of whose services shows something of itself: tasks, which
// are small; "large", of so many bytes as its first argument says; and "hang", which hangs.
var shower = asProgram("shower", func() {
	size, _ := strconv.Atoi(os.Args[1])
	large := strings.Repeat("x", size)
	opts := baseOptions()
	opts.Inspect = map[string]func() any{
		"config": func() any { return "of the launcher" },
		"panic":  func() any { panic("of the launcher") },
	}
	api := &inspected{Service: narrate("api")}
	other := service.Named("other", &showing{narrate("other"), func() map[string]any {
		return map[string]any{"large": large}
	}})
	odd := service.Named("odd", &showing{narrate("odd"), func() map[string]any {
		if _, err := os.Stat(os.Getenv(controlVar) + ".hang"); err == nil {
			select {}
		}
		panic("of the inspection")
	}})
	runSets(opts, service.Set{Name: "web", Workers: 2, Services: []service.Service{api, other}},
		service.Set{Name: "odd", Workers: 1, Services: []service.Service{odd, shows("even", always("tasks", "even"))}})
})

// inspected shows which worker it is.
type inspected struct {
	service.Service
	id atomic.Int64
}

func (n *inspected) Unwrap() service.Service { return n.Service }

func (n *inspected) Start(ctx context.Context) error {
	n.id.Store(int64(service.WorkerOf(ctx).ID))
	return nil
}

func (n *inspected) Inspect() map[string]any { return map[string]any{"tasks": n.id.Load()} }

// inspects asks for a kind.
func (f *fleet) inspects(kind string) []control.Inspection {
	f.t.Helper()
	all, err := f.ctl.Inspect(f.t.Context(), kind)
	if err != nil {
		f.fail("Inspect %s: %v", kind, err)
	}
	return all
}

// turnsOver reloads.
func (f *fleet) turnsOver() {
	f.t.Helper()
	if out, err := f.ctl.Reload(f.t.Context()); err != nil {
		f.fail("reload: %+v, %v", out, err)
	}
}

func TestInspectCollectsFromAllWorkers(t *testing.T) {
	t.Parallel()
	f := startFleet(t, shower, withArgs("10"))
	st := f.up()
	web, odd := pidsOf(st, "web"), pidsOf(st, "odd")
	all := f.inspects("tasks")
	want := "web/0 gen 1 api: 0\n" +
		"web/1 gen 1 api: 1\n" +
		"odd/0 gen 1 odd: panic: of the inspection\n" +
		"odd/0 gen 1 even: \"even\"\n"
	if lines(all) != want {
		t.Errorf("Inspect = %s, want %s", lines(all), want)
	}
	for i, pid := range []int{web[0], web[1], odd[0], odd[0]} {
		if i < len(all) && all[i].Pid != pid {
			t.Errorf("entry %d has pid %d, want %d", i, all[i].Pid, pid)
		}
	}
	if got := f.inspects("config"); !strings.HasPrefix(lines(got), "/0 gen 1 : \"of the launcher\"\n") || got[0].Pid != f.pid() {
		t.Errorf("Inspect config = %s, want what the launcher shows first", lines(got))
	}
	if got := f.inspects("panic"); !strings.HasPrefix(lines(got), "/0 gen 1 : panic: of the launcher\n") {
		t.Errorf("Inspect panic = %s, want the panic", lines(got))
	}
	if kinds, err := f.ctl.Kinds(t.Context()); fmt.Sprint(kinds) != "[config large panic tasks]" || err != nil {
		t.Errorf("Kinds = %v, %v", kinds, err)
	}
	f.turnsOver()
	if got := f.inspects("tasks"); strings.Count(lines(got), "gen 2") != 4 {
		t.Errorf("Inspect after a reload = %s, want four entries of generation 2", lines(got))
	}
	f.stops()
}

// A kind that nothing shows is refused with those there are; a misspelt word is no empty answer.
func TestInspectRefusesAnUnknownKind(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	f.up()
	_, err := f.ctl.Inspect(t.Context(), "tasks")
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != http.StatusNotFound || !strings.Contains(e.Message, "nothing to inspect") {
		t.Errorf("Inspect of a program that shows nothing: %v", err)
	}
	f.stops()
}

// A worker that does not run, and a service that hangs, cost their own entries and two seconds.
func TestInspectOfWorkersThatHang(t *testing.T) {
	t.Parallel()
	f := startFleet(t, shower, withArgs("10"))
	web := pidsOf(f.up(), "web")
	if err := os.WriteFile(f.ctl.Path+".hang", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	freeze(t, web[1])
	begun := time.Now()
	asked := make(chan []control.Inspection, 1)
	go func() {
		all, _ := f.ctl.Inspect(context.Background(), "tasks")
		asked <- all
	}()
	for range 20 { // the launcher goes on meanwhile
		if took := f.statusTakes(); took > time.Second {
			t.Errorf("status took %v while workers were asked", took)
		}
	}
	all := <-asked
	if took := time.Since(begun); took < time.Second || took > patience/2 {
		t.Errorf("Inspect took %v, want about 2 s", took)
	}
	want := "web/0 gen 1 api: 0\n" +
		"web/1 gen 1 : no answer within 2s\n" +
		"odd/0 gen 1 odd: no answer in time\n" +
		"odd/0 gen 1 even: \"even\"\n"
	if lines(all) != want {
		t.Errorf("Inspect = %s, want %s", lines(all), want)
	}
	sendSignal(t, web[1], syscall.SIGCONT)
	f.until("web/1 answers again", func(control.Status) bool {
		return strings.Contains(lines(f.inspects("tasks")), "web/1 gen 1 api: 1")
	})
	f.stops()
}

// freeze sends SIGSTOP to a process and waits until all its threads have stopped.
func freeze(t *testing.T, pid int) {
	t.Helper()
	sendSignal(t, pid, syscall.SIGSTOP)
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(time.Millisecond) {
		running := false
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, task := range tasks {
			stat, _ := os.ReadFile(task)
			running = running || !strings.Contains(string(stat), ") T ")
		}
		if !running {
			return
		}
	}
	t.Fatalf("process %d does not stop", pid)
}

func (f *fleet) statusTakes() time.Duration {
	f.t.Helper()
	begun := time.Now()
	if _, err := f.ctl.Status(f.t.Context()); err != nil {
		f.fail("Status: %v", err)
	}
	return time.Since(begun)
}

// What does not fit into a packet goes through memory; every size around the bounds arrives whole.
func TestInspectOfLargeValues(t *testing.T) {
	t.Parallel()
	for _, size := range []int{32 << 10, 64 << 10, 512 << 10} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, shower, withArgs(strconv.Itoa(size)))
			f.up()
			all := f.inspects("large")
			if len(all) != 3 || !strings.Contains(all[2].Error, "panic") {
				t.Fatalf("%d entries, want two values and the panic of odd", len(all))
			}
			for _, s := range all[:2] {
				if len(s.Value) != size+2 {
					t.Errorf("value of %d bytes, error %q, want %d", len(s.Value), s.Error, size+2)
				}
			}
			f.stops()
		})
	}
}

// A worker that ends while it is asked answers with that, or is not there any more.
func TestInspectWhileWorkersComeAndGo(t *testing.T) {
	t.Parallel()
	f := startFleet(t, shower, withArgs("10"))
	f.up()
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			begun := time.Now()
			if _, err := f.ctl.Inspect(context.Background(), "tasks"); err != nil {
				done <- err
				return
			}
			if took := time.Since(begun); took > patience/2 {
				done <- fmt.Errorf("it took %v", took)
				return
			}
		}
	}()
	for range 5 {
		f.turnsOver()
		syscall.Kill(pidsOf(f.up(), "web")[0], syscall.SIGKILL)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Errorf("Inspect: %v", err)
	}
	f.up()
	f.stops()
}
