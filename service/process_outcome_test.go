// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// operations prints what status says of the last operations, the latest first.
func operations(st control.Status) (all []string) {
	for _, op := range st.Operations {
		text := fmt.Sprintf("%s to %d by %s", op.Action, op.Generation, op.By)
		if op.Error != "" {
			text += ": " + op.Error
		}
		all = append(all, text)
	}
	return all
}

// What came of a signal is read afterwards, as is who asked for what by a command.
func TestStatusShowsWhatCameOfSignalsAndCommands(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 2, Word: "a", Listen: []string{"127.0.0.1:0"}}
	f := startConfigured(t, s, withoutTerminal)
	if st := f.up(); len(st.Operations) != 0 || st.Last != nil {
		t.Errorf("operations %v before any", operations(st))
	}
	begun := time.Now()
	after := func(n int) control.Status {
		return f.until(fmt.Sprint(n, " operations"), func(st control.Status) bool { return len(st.Operations) == n && st.State == "running" })
	}
	f.signal(syscall.SIGHUP)
	after(1)
	f.signal(syscall.SIGTTIN)
	after(2)
	me := fmt.Sprintf("control uid %d pid %d", os.Getuid(), os.Getpid())
	if _, err := f.ctl.Scale(t.Context(), "app", 2); err != nil {
		t.Fatal(err)
	}
	after(3)
	bad := s
	bad.Fault = "check"
	writeSettings(t, f.file, bad)
	f.signal(syscall.SIGHUP)
	st := after(4)
	want := []string{
		"reload to 2 by signal HUP: check app: boom",
		"scale to 2 by " + me,
		"scale to 2 by signal TTIN",
		"reload to 2 by signal HUP",
	}
	if got := operations(st); !slices.Equal(got, want) {
		t.Errorf("operations %q, want %q", got, want)
	}
	if st.Last == nil || *st.Last != st.Operations[0].Outcome {
		t.Errorf("last %+v, want the first of %v", st.Last, operations(st))
	}
	for i, op := range st.Operations {
		if op.At.Before(begun.Add(-time.Second)) || op.At.After(time.Now()) || i > 0 && op.At.After(st.Operations[i-1].At) {
			t.Errorf("operation %d was at %v, between %v and now", i, op.At, begun)
		}
	}
	for range 20 { // the list is bounded
		if _, err := f.ctl.Scale(t.Context(), "app", 2); err != nil {
			t.Fatal(err)
		}
	}
	if st := f.up(); len(st.Operations) != 16 {
		t.Errorf("%d operations, want the last 16", len(st.Operations))
	}
	f.stops()
}

// Whoever waits for an action hears how far it is.
func TestProgressOfARollingReload(t *testing.T) {
	t.Parallel()
	f := startConfigured(t, settings{Workers: 3, Word: "a"})
	f.pids("app", 3)
	var heard []string
	f.ctl.Progress = func(p control.Progress) { heard = append(heard, p.String()) }
	out, err := f.ctl.Reload(t.Context())
	if err != nil || out.Generation != 2 {
		t.Fatalf("Reload = %+v, %v", out, err)
	}
	if len(heard) == 0 || heard[0] != "reload preparing" {
		t.Errorf("heard %q, want the preparation first", heard)
	}
	at := -1
	for _, line := range heard { // some may have been left out, but none comes after a later one
		for ready := range 4 {
			if strings.Contains(line, fmt.Sprintf(": app %d/3 ready", ready)) {
				if ready < at {
					t.Errorf("%q comes after %d were ready", line, at)
				}
				at = ready
			}
		}
	}
	if at < 1 {
		t.Errorf("heard %q, want how many are ready", heard)
	}
	heard = nil
	if _, err := f.ctl.Scale(t.Context(), "app", 5); err != nil {
		t.Fatal(err)
	}
	if len(heard) == 0 || !strings.Contains(heard[0], "scale rolling: app 3/5 ready") {
		t.Errorf("heard %q, want the scale from 3 of 5 on", heard)
	}
	heard = nil
	if _, err := f.ctl.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(heard) == 0 || heard[0] != "stop stopping: app 5 leaving" {
		t.Errorf("heard %q, want five that leave", heard)
	}
	f.ends(0)
}

// Who waits in the line behind another change is told so.
func TestProgressOfARequestThatWaits(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 1, Word: "a", Fault: "start hangs", StartTimeout: 700 * time.Millisecond}
	good := s
	good.Fault = ""
	f := startConfigured(t, good)
	f.pids("app", 1)
	writeSettings(t, f.file, s)
	first := make(chan error, 1)
	go func() {
		_, err := control.NewClient(f.ctl.Path).Reload(context.Background())
		first <- err
	}()
	f.until("reloading", func(st control.Status) bool { return st.State == "reloading" })
	var heard []string
	f.ctl.Progress = func(p control.Progress) { heard = append(heard, p.String()) }
	if _, err := f.ctl.Scale(t.Context(), "", 2); err != nil {
		t.Errorf("Scale: %v", err)
	}
	if err := <-first; err == nil {
		t.Error("a reload whose workers hang in their start was no failure")
	}
	if len(heard) < 2 || heard[0] != "scale waiting" || !strings.HasPrefix(heard[len(heard)-1], "scale rolling") {
		t.Errorf("heard %q, want that it waits, and then goes on", heard)
	}
	f.stops()
}

func TestStatusOfWorkersTellsWhatTheyTake(t *testing.T) {
	t.Parallel()
	f := startConfigured(t, settings{Workers: 2, Word: "a", Listen: []string{"127.0.0.1:0"}})
	before := time.Now()
	st := f.up()
	if p := st.Process; p.RSS < 1<<20 || p.Anon <= 0 || p.Goroutines < 2 || p.Running != 0 {
		t.Errorf("the launcher takes %+v", p)
	}
	for _, w := range slots(st, "app") {
		if w.RSS < 1<<20 || w.RSS > 1<<30 || w.Anon <= 0 || w.Anon >= w.RSS {
			t.Errorf("worker %d takes %d bytes, %d of its own", w.ID, w.RSS, w.Anon)
		}
		if w.Goroutines < 2 || w.Goroutines > 100 {
			t.Errorf("worker %d has %d goroutines", w.ID, w.Goroutines)
		}
		if w.Started.After(w.Since) || before.Sub(w.Started) > patience {
			t.Errorf("worker %d was started at %v and is %s since %v", w.ID, w.Started, w.State, w.Since)
		}
	}
	syscall.Kill(pidsOf(st, "app")[0], syscall.SIGKILL)
	f.until("replaced", func(now control.Status) bool {
		list := slots(now, "app")
		return len(list) == 2 && list[0].Restarts == 1 && list[0].LastExit == "killed by SIGKILL" && list[0].Pid != pidsOf(st, "app")[0]
	})
	f.up()
	f.stops()
}
