// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"slices"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/control"
)

func TestX06ScaledNumberSurvivesReload(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 2, Word: "a", Listen: []string{"127.0.0.1:0"}}
	f := startConfigured(t, s)
	f.pids("app", 2)
	wants := func(n int, why string) {
		t.Helper()
		if st := f.up(); !slices.Equal(ids(st, "app"), []int{0, 1, 2, 3, 4}[:n]) {
			t.Errorf("workers %v %s, want %d", ids(st, "app"), why, n)
		}
	}
	if _, err := f.ctl.Scale(t.Context(), "app", 4); err != nil {
		t.Fatal(err)
	}
	f.reloads(s)
	wants(4, "after a reload that says the same as before")
	f.signal(syscall.SIGHUP)
	f.until("generation 3", func(st control.Status) bool { return st.Generation == 3 })
	wants(4, "after HUP")
	bad := s
	bad.Workers, bad.Fault = 5, "start"
	if out, err := f.reload(bad); err == nil {
		t.Errorf("reload = %+v, want it abandoned", out)
	}
	wants(4, "after a reload that was abandoned")
	s.Workers = 3
	f.reloads(s)
	wants(3, "after a reload that says 3")
	s.Workers = 2
	f.reloads(s)
	wants(2, "after a reload that says 2 again")
	f.stops()
}

// Signals and commands go one after the other through whatever is under way, and none is forgotten.
func TestX07ResizeWhileReloading(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 2, Word: "a", Listen: []string{"127.0.0.1:0"}}
	f := startConfigured(t, s, withoutTerminal)
	f.pids("app", 2)
	resize := map[string]func() error{
		"TTIN":  func() error { return syscall.Kill(f.pid(), syscall.SIGTTIN) },
		"scale": func() error { _, err := f.ctl.Scale(context.Background(), "app", 3); return err },
	}
	generation := 1
	for _, name := range []string{"TTIN", "scale", "TTIN", "scale"} {
		generation++
		errs := make(chan error, 2)
		go func() {
			_, err := f.ctl.Reload(context.Background())
			errs <- err
		}()
		f.until("reloading", func(st control.Status) bool { return st.State == "reloading" || st.Generation == generation })
		go func() { errs <- resize[name]() }()
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		f.until("three workers after "+name, func(st control.Status) bool {
			return st.State == "running" && st.Generation == generation && slices.Equal(ids(st, "app"), []int{0, 1, 2})
		})
		f.signal(syscall.SIGTTOU)
		f.until("two workers", func(st control.Status) bool {
			return st.State == "running" && slices.Equal(ids(st, "app"), []int{0, 1})
		})
	}
	f.stops()
}
