// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

// ids returns the ids of the workers of a set that there are.
func ids(st control.Status, set string) []int {
	var list []int
	for _, w := range slots(st, set) {
		list = append(list, w.ID)
	}
	return list
}

func TestStatusTellsWhatRuns(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 2, Word: "a", Listen: []string{"127.0.0.1:0"}}
	f := startConfigured(t, s)
	st := f.up()
	if st.Program != "demo" || st.Pid != f.pid() || st.Generation != 1 || st.RestartMethod != "reload" || st.Snapshot == "" || st.Last != nil {
		t.Errorf("status %+v, want demo, pid %d, generation 1, reload, a snapshot, no action", st, f.pid())
	}
	if len(st.Listeners) != 1 || st.Listeners[0].Network != "tcp" || !strings.HasPrefix(st.Listeners[0].Address, "127.0.0.1:") {
		t.Errorf("listeners %v, want one of tcp on 127.0.0.1", st.Listeners)
	}
	for id, w := range slots(st, "app") {
		if w.ID != id || w.Generation != 1 || w.Incarnation == 0 || w.Since.IsZero() || time.Since(w.Since) < 0 || w.Restarts != 0 || w.LastExit != "" {
			t.Errorf("worker %+v, want number %d of generation 1, never restarted", w, id)
		}
	}
	f.reloads(s)
	again := f.up()
	if again.Snapshot != st.Snapshot || again.Generation != 2 || again.Last == nil || again.Last.Action != "reload" {
		t.Errorf("status %+v, want the same snapshot, generation 2 and the reload", again)
	}
	s.Word = "b"
	f.reloads(s)
	if again := f.up(); again.Snapshot == st.Snapshot {
		t.Errorf("snapshot %s is the same with another file", again.Snapshot)
	}
	f.stops()
}

func TestX06ScaleKeepsIDsAndTakesTheHighestAway(t *testing.T) {
	t.Parallel()
	f := startConfigured(t, settings{Workers: 4, Word: "a", Listen: []string{"127.0.0.1:0"}})
	address, four := f.address(), f.pids("app", 4)
	out, err := f.ctl.Scale(t.Context(), "app", 2)
	if err != nil || out.Action != "scale" || out.Generation != 1 {
		t.Errorf("Scale 2 = %+v, %v", out, err)
	}
	st := f.up()
	if two := pidsOf(st, "app"); !slices.Equal(two, four[:2]) || !slices.Equal(ids(st, "app"), []int{0, 1}) {
		t.Errorf("workers %v of %v after scaling to 2, want the first two", two, four)
	}
	f.said(2, "app shutdown shrink")
	for _, pid := range four[2:] {
		f.goes(pid)
	}
	if out, err := f.ctl.Scale(t.Context(), "", 6); err != nil { // the only set
		t.Errorf("Scale 6 = %+v, %v", out, err)
	}
	st = f.up()
	if six := pidsOf(st, "app"); len(six) != 6 || !slices.Equal(six[:2], four[:2]) || !slices.Equal(ids(st, "app"), []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("workers %v after scaling to 6 from %v, want four more", six, four[:2])
	}
	if out, err := f.ctl.Scale(t.Context(), "app", 0); err != nil {
		t.Errorf("Scale 0 = %+v, %v", out, err)
	}
	f.pids("app", 0)
	if out, err := f.ctl.Scale(t.Context(), "app", 1); err != nil {
		t.Errorf("Scale 1 = %+v, %v", out, err)
	}
	f.allAnswer(address, "app", 1, "a")
	f.stops()
}

func TestCT12RequestsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	f := startFleet(t, heavyAndLight)
	before := f.up()
	tests := map[string]struct {
		set     string
		workers int
		code    int
		want    string
	}{
		"negative":      {"heavy", -2, http.StatusBadRequest, "-2"},
		"more than any": {"heavy", 4097, http.StatusBadRequest, "4097"},
		"unknown set":   {"middle", 1, http.StatusNotFound, `"middle": no such set`},
		"which of two":  {"", 1, http.StatusInternalServerError, "name one"},
	}
	for name, test := range tests {
		out, err := f.ctl.Scale(t.Context(), test.set, test.workers)
		e, ok := errors.AsType[*control.Error](err)
		if !ok || e.Code != test.code || !strings.Contains(e.Message, test.want) {
			t.Errorf("%s: %+v, %v, want code %d and %q", name, out, err, test.code, test.want)
		}
	}
	after := f.up()
	for _, set := range []string{"heavy", "light"} {
		if was, is := pidsOf(before, set), pidsOf(after, set); !slices.Equal(was, is) {
			t.Errorf("workers %v of %s became %v, want the same", was, set, is)
		}
	}
	f.stops()
}

func TestScaleToAutoIsANumber(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	f.up()
	if out, err := f.ctl.Scale(t.Context(), "api", service.Auto); err != nil {
		t.Errorf("Scale = %+v, %v", out, err)
	}
	if n := len(slots(f.up(), "api")); n < 1 || n > 4096 {
		t.Errorf("%d workers", n)
	}
	f.stops()
}

func TestControlStopAnswersWhenAllAreGone(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	pids := f.pids("api", 2)
	const callers = 3
	errs := make(chan error, callers)
	for range callers {
		go func() {
			out, err := f.ctl.Stop(context.Background())
			if err == nil && (out.Action != "stop" || out.Cut != 0) {
				err = fmt.Errorf("outcome %+v", out)
			}
			for _, pid := range pids {
				if err == nil && living(pid) {
					err = fmt.Errorf("worker %d lives", pid)
				}
			}
			errs <- err
		}()
	}
	answered := 0
	for range callers {
		err := <-errs
		if err == nil {
			answered++
		} else if !strings.HasPrefix(err.Error(), "control socket ") { // it came too late
			t.Errorf("Stop: %v", err)
		}
	}
	if answered == 0 {
		t.Error("Stop: nobody has an answer")
	}
	f.ends(service.ExitOK)
}

func TestControlStopTellsWhatWasCut(t *testing.T) {
	t.Parallel()
	f := startFleet(t, hanging, withArgs("300ms"))
	f.pids("api", 2)
	out, err := f.ctl.Stop(t.Context())
	if err != nil || out.Action != "stop" || out.Cut != 2 {
		t.Errorf("Stop = %+v, %v, want 2 cut", out, err)
	}
	f.ends(service.ExitCut)
}

func TestX07RequestsWhileStoppingAreRefused(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("1h"), withoutTerminal)
	c := dial(t, f.address())
	c.asks("hold", "held")
	f.signal(syscall.SIGTERM)
	f.until("stopping", func(st control.Status) bool { return st.State == "stopping" })
	for name, do := range map[string]func() (control.Outcome, error){
		"scale":  func() (control.Outcome, error) { return f.ctl.Scale(t.Context(), "desk", 9) },
		"reload": func() (control.Outcome, error) { return f.ctl.Reload(t.Context()) },
	} {
		out, err := do()
		if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != http.StatusConflict || !strings.Contains(e.Message, "stopping") {
			t.Errorf("%s while stopping = %+v, %v, want a conflict", name, out, err)
		}
	}
	f.signal(syscall.SIGHUP)
	f.signal(syscall.SIGTTIN)
	c.asks("release", "pid")
	c.Close()
	f.ends(service.ExitOK)
	f.said(3, "ready desk/")
}

func TestCheckChangesNothing(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 1, Word: "a"}
	f := startConfigured(t, s)
	before := f.up()
	bad := s
	bad.Word, bad.Workers = "", 3
	writeSettings(t, f.file, bad)
	if out, err := f.ctl.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "Word is missing") {
		t.Errorf("Check = %+v, %v, want it refused", out, err)
	}
	bad.Word = "b"
	writeSettings(t, f.file, bad)
	if out, err := f.ctl.Check(t.Context()); err != nil || out.Action != "check" || out.Generation != 1 {
		t.Errorf("Check = %+v, %v", out, err)
	}
	after := f.up()
	if !slices.Equal(pidsOf(before, "app"), pidsOf(after, "app")) || after.Snapshot != before.Snapshot {
		t.Errorf("status %+v became %+v, want the same", before, after)
	}
	f.stops()
}

// Whoever waits for a reload may go away; the reload goes on.
func TestReloadOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	f := startConfigured(t, settings{Workers: 2, Word: "a"})
	before := f.pids("app", 2)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := f.ctl.Reload(ctx)
		gone <- err
	}()
	f.until("reloading", func(st control.Status) bool { return st.State == "reloading" || st.Generation == 2 })
	cancel()
	<-gone // with the answer if the reload was very quick
	f.seen(1, "reloaded 2")
	if after := f.pids("app", 2); !disjoint(before, after) {
		t.Errorf("workers %v became %v, want others", before, after)
	}
	f.stops()
}

// Every change that is asked for happens, and in between requests nobody is lost.
func TestManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	f.up()
	const callers = 6
	done := make(chan error, callers)
	for i := range callers {
		go func() {
			var err error
			for n := 0; n < 3 && err == nil; n++ {
				switch rand.IntN(3) {
				case 0:
					_, err = f.ctl.Reload(context.Background())
				case 1:
					_, err = f.ctl.Scale(context.Background(), "api", 1+i%3)
				default:
					_, err = f.ctl.Status(context.Background())
				}
			}
			done <- err
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(slots(f.up(), "api")); n < 1 || n > 3 {
		t.Errorf("%d workers, want 1 to 3", n)
	}
	f.stops()
}

// withoutTerminal starts a program in a session of its own.
func withoutTerminal(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func TestTtinAndTtouScaleByOne(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair, withoutTerminal)
	before := f.pids("api", 2)
	workers := func(n int) {
		t.Helper()
		f.until(fmt.Sprint(n, " workers"), func(st control.Status) bool {
			return st.State == "running" && len(slots(st, "api")) == n && len(pidsOf(st, "api")) == n
		})
	}
	f.signal(syscall.SIGTTIN)
	workers(3)
	f.signal(syscall.SIGTTOU)
	workers(2)
	f.signal(syscall.SIGTTOU)
	workers(1)
	f.signal(syscall.SIGTTIN)
	workers(2)
	if after := f.pids("api", 2); after[0] != before[0] {
		t.Errorf("worker 0 was %d, is %d, want the same", before[0], after[0])
	}
	f.stops()
}

func TestTtinMeansNoneOfTwoSets(t *testing.T) {
	t.Parallel()
	f := startFleet(t, heavyAndLight, withoutTerminal)
	before := f.up()
	f.signal(syscall.SIGTTIN)
	f.seen(1, "not scaled")
	after := f.up()
	for _, set := range []string{"heavy", "light"} {
		if !slices.Equal(pidsOf(before, set), pidsOf(after, set)) {
			t.Errorf("workers of %s were %v, are %v, want the same", set, pidsOf(before, set), pidsOf(after, set))
		}
	}
	f.stops()
}
