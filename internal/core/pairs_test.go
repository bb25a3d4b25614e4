// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/core"
)

// What is under way, and what comes in its middle. Request 1 is the first, 2 the one in the middle.
var (
	underWay = []struct {
		name     string
		commands string
	}{
		{"a reload in preparation", "reload req=1"},
		{"a reload, its first worker starting", "reload req=1\nprepared 2\n  api workers=2\nspawned #3\nhello #3"},
		{"a reload, half done", "reload req=1\nprepared 2\n  api workers=2\nup #3\ndown #1\nspawned #4\nhello #4"},
		{"a reload, settling", "reload req=1\nprepared 2 settle=5s\n  api workers=2\nup #3"},
		{"a reload, its canary on trial", "reload req=1\nprepared 2 canary=5s\n  api workers=2\nup #3"},
		{"a reload done, an old worker draining", "reload req=1\nprepared 2\n  api workers=2\nup #3 #4\ndown #1"},
		{"a return", "reload req=1\nprepared 2\n  api workers=2\nup #3\ndown #1\nexit #4 code=1 text=\"boom\""},
		{"growth", "scale 4 req=1\nspawned #3"},
		{"shrinking", "scale 1 req=1"},
	}
	inItsMiddle = []struct {
		name     string
		commands string
	}{
		{"a stop", "term"},
		{"an end at once", "kill"},
		{"another reload", "reload req=2"},
		{"growth", "scale 3 req=2"},
		{"shrinking", "scale 1 req=2"},
		{"a crash of worker 0", "exit @0 signal=SIGSEGV"},
		{"a crash of worker 1", "exit @1 signal=SIGSEGV"},
		{"a crash of the successor", "exit @+ code=1 text=\"boom\""},
		{"a TERM to worker 0", "leaving @0"},
	}
)

// TestX06X07PairsInMidChange shows what comes of each thing that can happen in the middle of each change,
// when all that is to be started then starts well and all that is told to end ends: the answers, and
// what there is at last. testdata/pairs.golden has it, to be written with -update and reviewed.
func TestX06X07PairsInMidChange(t *testing.T) {
	var b strings.Builder
	for _, way := range underWay {
		for _, middle := range inItsMiddle {
			s := newScenario(t)
			s.run(strings.Split("begin\n  api workers=2\nup\nwait 1m", "\n"))
			s.run(strings.Split(way.commands, "\n"))
			commands, ok := s.workerNamed(middle.commands)
			if !ok {
				continue
			}
			out := s.run([]string{commands}) + s.toTheEnd()
			fmt.Fprintf(&b, "%s, and in its middle %s:\n", way.name, middle.name)
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, "reply") || strings.HasPrefix(line, "quit") {
					b.WriteString("  " + line)
				}
			}
			b.WriteString("  " + strings.ReplaceAll(strings.TrimSpace(render{s.state, s.now, s.now}.summary()), "\n", "\n  ") + "\n\n")
		}
	}
	const path = "testdata/pairs.golden"
	want, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		if !*update {
			t.Fatalf("%s differs from its first difference on:\n%s", path, firstDifference(string(want), got))
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// workerNamed replaces @0 and @1 by the current workers of these slots and @+ by a successor. It
// reports false if there is none.
func (s *scenario) workerNamed(command string) (string, bool) {
	verb, rest, named := strings.Cut(command, "@")
	if !named {
		return command, true
	}
	name, tail := rest[:1], rest[1:]
	for _, sl := range s.state.Sets[0].Slots {
		w := sl.Current
		if name == "+" {
			w = sl.Successor
		}
		if (name == "+" || name == fmt.Sprint(sl.ID)) && w.Incarnation != 0 && w.Phase != core.Spawning {
			return fmt.Sprintf("%s#%d%s", verb, w.Incarnation, tail), true
		}
	}
	return "", false
}

// toTheEnd lets everything take its course: plans are accepted, workers start and end as they are told,
// canaries are well.
func (s *scenario) toTheEnd() (out string) {
	for range 50 {
		var commands []string
		if c := s.state.Change; c.Verb != "" && !c.Prepared {
			commands = append(commands, fmt.Sprintf("prepared %d", c.Generation), "  api workers=2")
		}
		for _, w := range workersOf(&s.state) {
			switch {
			case w.Phase == core.Killed:
				commands = append(commands, fmt.Sprintf("exit #%d signal=SIGKILL", w.Incarnation))
			case w.Asked && w.Phase == core.Spawning:
				commands = append(commands, fmt.Sprintf("spawned #%d", w.Incarnation))
			case w.Asked:
				commands = append(commands, fmt.Sprintf("down #%d", w.Incarnation))
			case w.Phase == core.Spawning || w.Phase == core.Booting || w.Phase == core.Beginning:
				commands = append(commands, fmt.Sprintf("up #%d", w.Incarnation))
			}
		}
		for _, sl := range s.slots() {
			if sl.Trial.Canary && sl.Trial.Until != 0 {
				canary := max(sl.Current.Incarnation, sl.Successor.Incarnation)
				commands = append(commands, fmt.Sprintf("judged #%d", canary))
			}
		}
		if len(commands) == 0 {
			if s.state.Wake() == 0 || s.state.Phase == core.Stopped {
				return out
			}
			commands = []string{"wait 1s"}
		}
		out += s.run(commands)
	}
	s.t.Fatalf("does not come to rest:\n%s", out)
	return ""
}

// slots returns all slots there are.
func (s *scenario) slots() (slots []core.Slot) {
	for _, set := range s.state.Sets {
		slots = append(slots, set.Slots...)
	}
	return slots
}
