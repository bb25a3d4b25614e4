// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/prove"
)

func TestMain(m *testing.M) {
	peer.Main()
	os.Exit(m.Run())
}

// share is the part of the promised counts that an ordinary test takes; make soak takes all.
const share = 20

// TestNothingIsLost is a twentieth of the soak.
func TestNothingIsLost(t *testing.T) {
	s := &soak{share: share, clients: 12}
	if err := s.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	users, err := usersOf("")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		for _, p := range parts {
			t.Run(p.name+" as "+u.name, func(t *testing.T) {
				if p.name != "stop" { // in which clients that stand still for a second are too late
					t.Parallel()
				}
				reports, err := p.run(t.Context(), s, u, p.times/share)
				if err != nil {
					t.Error(err)
				}
				sum := p.sumUp(reports)
				if sum.times != uint64(p.times/share) {
					t.Errorf("done %d times, want %d", sum.times, p.times/share)
				}
				for _, err := range sum.errs {
					t.Error(err)
				}
				t.Logf("%d answered, closes %+v, %d reconnects, worst answer %v, longest without %v",
					sum.answered, sum.closes, sum.reconnects, sum.worst, sum.gap)
			})
		}
	}
}

func TestUsers(t *testing.T) {
	if _, err := usersOf("somebody"); err == nil {
		t.Error("usersOf(somebody) = nil, want an error")
	}
	if got, err := usersOf(""); err != nil || len(got) == 0 {
		t.Errorf("usersOf() = %v, %v", got, err)
	}
}

func TestTable(t *testing.T) {
	tab := &table{}
	good := prove.Report{Answered: 5, Disturbed: []prove.Disturbed{{Times: 2}}, Closes: prove.Closes{Announced: 1, Idle: 2, Reset: 3, Busy: 4}}
	bad := prove.Report{Answered: 1, Seed: 77, Faults: []prove.Fault{{Class: prove.Lost, Count: 3, First: "seen"}, {Class: prove.Lost, Count: 9, Excused: true}}}
	tab.add(part{name: "one", closes: 6}, user{name: "me"}, []prove.Report{good, good}, nil)
	if err := tab.verdict(); err != nil {
		t.Errorf("verdict = %v, want nil", err)
	}
	tab.add(part{name: "two", closes: -1}, user{name: "me"}, []prove.Report{good, bad}, nil)
	tab.add(part{name: "three"}, user{name: "me"}, nil, errors.New("did not start"))
	path := filepath.Join(t.TempDir(), "soak.md")
	if err := tab.record(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| one | me | 4 | 10 | 0 | 0 | 0 | 0 | 0 | 2, 8 busy | 10 | 0 | 0s | 0s | yes |",
		"| two | me | 2 | 6 | 3 | 0 | 0 | 0 | 9 | 1, 4 busy | 5 | 0 | 0s | 0s | NO |",
		"- two as me: 3 lost: ",
		"seen (seed 77)",
		"- three as me: did not start",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("record has no %q:\n%s", want, text)
		}
	}
}
