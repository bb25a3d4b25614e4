// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

func TestSVC07HupReplacesAllWorkers(t *testing.T) {
	t.Parallel()
	f := startFleet(t, desk, withArgs("1h"))
	before := f.pids("desk", 3)
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	st := f.up()
	if after := pidsOf(st, "desk"); len(after) != 3 || !disjoint(before, after) {
		t.Errorf("workers %v became %v, want three others", before, after)
	}
	if st.Generation != 2 || st.Last == nil || st.Last.Action != "reload" || st.Last.Error != "" {
		t.Errorf("generation %d, last action %+v, want 2 after a reload", st.Generation, st.Last)
	}
	f.stops()
}

func TestSVC28TwoHupsAreNoEnd(t *testing.T) {
	t.Parallel()
	f := startFleet(t, pair)
	before := f.pids("api", 2)
	f.signal(syscall.SIGHUP)
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	if after := f.pids("api", 2); !disjoint(before, after) {
		t.Errorf("workers %v became %v, want others", before, after)
	}
	f.stops()
}

func TestCT03HupResetsInPlaceByMutate(t *testing.T) {
	t.Parallel()
	f := startFleet(t, heavyAndLight, withArgs("mutate"))
	heavy, light := f.pids("heavy", 2), f.pids("light", 1)
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	if after := f.pids("heavy", 2); !slices.Equal(after, heavy) {
		t.Errorf("heavy workers %v became %v, want the same", heavy, after)
	}
	if after := f.pids("light", 1); !slices.Equal(after, light) { // upstream replaces it
		t.Errorf("light workers %v became %v, want the same", light, after)
	}
	f.stops()
	f.said(2, "heavy reset")
	f.said(1, "reloaded")
}

// What main, the probe or a Check refuses changes nothing, and is no obstacle to the next reload.
func TestRefusedReloadTouchesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bad  settings
		want string // in the error
	}{
		"rejected by main": {settings{Workers: 2}, "settings: Word is missing"},
		"panic":            {settings{Workers: 2, Word: "b", Fault: "panic"}, "exit status 2: panic: of the configuration"},
		"hang":             {settings{Workers: 2, Word: "b", Fault: "hang"}, "the probe made no plan within 3s"},
		"end":              {settings{Workers: 2, Word: "b", Fault: "end"}, "the probe ended before Launch: exit status 0"},
		"check":            {settings{Workers: 2, Word: "b", Fault: "check"}, "check app: boom"},
		"negative workers": {settings{Workers: -3, Word: "b"}, "set app: workers: -3"},
		"port in use":      {settings{Workers: 2, Word: "b", Listen: []string{"taken"}}, "address already in use"},
		"no such host":     {settings{Workers: 2, Word: "b", Listen: []string{"no.such.host.invalid:0"}}, "no.such.host.invalid"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			if slices.Contains(test.bad.Listen, "taken") {
				test.bad.Listen, test.want = []string{"127.0.0.3:0", taken.Addr().String()}, taken.Addr().String()
			}
			good := settings{Workers: 2, Word: "a", Listen: []string{"127.0.0.1:0"}, StartTimeout: 3 * time.Second}
			f := startConfigured(t, good)
			address, before := f.address(), f.up()

			out, err := f.reload(test.bad)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("reload = %+v, %v, want an error of one line with %q", out, err, test.want)
			}
			f.signal(syscall.SIGHUP)
			f.seen(2, test.want)
			after := f.until("back", func(st control.Status) bool { return st.State == "running" })
			if !slices.Equal(pidsOf(after, "app"), pidsOf(before, "app")) || after.Generation != 1 || after.Snapshot != before.Snapshot ||
				!slices.Equal(after.Listeners, before.Listeners) {
				t.Errorf("status was %+v, is %+v, want nothing changed", before, after)
			}
			if word, _ := answer(t, address); word != "a" {
				t.Errorf("answered %q, want a", word)
			}
			f.said(2, "app start")

			good.Word = "c"
			f.reloads(good)
			if pids := f.pids("app", 2); !disjoint(pids, pidsOf(before, "app")) {
				t.Errorf("workers %v before and %v after a reload, want others", pidsOf(before, "app"), pids)
			}
			if word, _ := answer(t, address); word != "c" {
				t.Errorf("answered %q after the next reload, want c", word)
			}
			f.stops()
		})
	}
}

func TestReloadTakesOverCounts(t *testing.T) {
	t.Parallel()
	f := startConfigured(t, settings{Workers: 2, Word: "a"})
	f.pids("app", 2)
	f.reloads(settings{Workers: 4, Word: "b"})
	f.pids("app", 4)
	for id := range 4 {
		f.said(1, fmt.Sprintf("app start, app/%d of 4 gen 2", id))
	}
	f.reloads(settings{Workers: 1, Word: "c"})
	f.pids("app", 1)
	f.seen(3, "app shutdown shrink")
	f.stops()
}

func TestReloadTakesOverAddresses(t *testing.T) {
	t.Parallel()
	s := settings{Workers: 2, Word: "a", Listen: []string{"127.0.0.1:0"}}
	f := startConfigured(t, s)
	first := f.address()

	s.Word, s.Listen = "b", []string{"127.0.0.1:0", "127.0.0.2:0"}
	f.reloads(s)
	st := f.up()
	if len(st.Listeners) != 2 || st.Listeners[0].Address != first {
		t.Fatalf("listeners %v, want %s and another", st.Listeners, first)
	}
	second := st.Listeners[1].Address
	for _, address := range []string{first, second} {
		if word, _ := answer(t, address); word != "b" {
			t.Errorf("%s answers %q, want b", address, word)
		}
	}

	s.Word, s.Listen = "c", []string{"127.0.0.2:0"}
	f.reloads(s)
	if address := f.address(); address != second {
		t.Errorf("listener %s, want %s", address, second)
	}
	if word, _ := answer(t, second); word != "c" {
		t.Errorf("%s answers %q, want c", second, word)
	}
	if line, err := answerOrError(first); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s answers %q, %v, want connection refused", first, line, err)
	}
	f.stops()
}

func TestNewWorkerThatFailsAbandonsTheReload(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault, want string
	}{
		"fails":       {"start", "worker 0 did not become ready: exit status 1: start app: boom"},
		"hangs":       {"start hangs", "worker 0 did not become ready: "},
		"second does": {"start of 1", "worker 1 did not become ready: exit status 1: start app: boom of 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settings{Workers: 3, Word: "a", Listen: []string{"127.0.0.1:0"}, StartTimeout: 3 * time.Second}
			f := startConfigured(t, s)
			address, before := f.address(), f.up()

			bad := s
			bad.Fault, bad.Word, bad.Listen = test.fault, "b", []string{"127.0.0.1:0", "127.0.0.2:0"}
			out, err := f.reload(bad)
			if err == nil || !strings.Contains(err.Error(), test.want) || out.Generation != 1 {
				t.Errorf("reload = %+v, %v, want an error with %q and generation 1", out, err, test.want)
			}
			after := f.up()
			if after.Generation != 1 || after.Snapshot != before.Snapshot || !slices.Equal(after.Listeners, before.Listeners) {
				t.Errorf("status was %+v, is %+v, want the same generation, snapshot and listeners", before, after)
			}
			was, is := pidsOf(before, "app"), pidsOf(after, "app")
			if test.fault == "start of 1" {
				was, is = was[1:], is[1:] // worker 0 was replaced, and is back
			}
			if !slices.Equal(was, is) {
				t.Errorf("workers %v became %v, want the same", was, is)
			}
			for range 6 {
				if word, _ := answer(t, address); word != "a" {
					t.Errorf("answered %q, want a", word)
				}
			}
			s.Word = "c"
			f.reloads(s)
			if word, _ := answer(t, address); word != "c" {
				t.Errorf("answered %q after the next reload, want c", word)
			}
			f.stops()
		})
	}
}

func TestStopFirstSetIsNeverThereTwice(t *testing.T) {
	t.Parallel()
	f := startConfigured(t, settings{Workers: 2, Word: "a", StopFirst: true})
	f.pids("app", 2)
	f.reloads(settings{Workers: 2, Word: "b", StopFirst: true})
	f.pids("app", 2)
	for id := range 2 {
		assertOrder(t, f.process, fmt.Sprintf("app done, app/%d of 2 gen 1", id), fmt.Sprintf("app start, app/%d of 2 gen 2", id))
	}
	f.stops()
}

func TestStartFirstSetIsReadyBeforeTheOldOneDrains(t *testing.T) {
	t.Parallel()
	f := startConfigured(t, settings{Workers: 2, Word: "a"})
	f.pids("app", 2)
	f.reloads(settings{Workers: 2, Word: "b"})
	f.pids("app", 2)
	for id := range 2 {
		assertOrder(t, f.process, fmt.Sprintf("app start, app/%d of 2 gen 2", id), fmt.Sprintf("app shutdown replace, app/%d of 2 gen 1", id))
	}
	f.stops()
}
