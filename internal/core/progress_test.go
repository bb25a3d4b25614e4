// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/core"
)

// progressOf shows the progress of a request as in: reload to 2 rolling, api 1/2-1.
func progressOf(s *core.State, request uint64) string {
	p, ok := s.Progress(request)
	if !ok {
		return "none"
	}
	text := fmt.Sprintf("%s to %d %s", p.Action, p.Generation, p.Step)
	for _, set := range p.Sets {
		text += fmt.Sprintf(", %s %d/%d-%d", set.Set, set.Ready, set.Workers, set.Leaving)
	}
	return text
}

func TestProgressOfRequests(t *testing.T) {
	steps := []struct{ commands, want string }{
		{"begin\n  api workers=2\nup\nwait 1m", "none, none"},
		{"reload req=1", "reload to 2 preparing, none"},
		{"scale 3 req=2", "reload to 2 preparing, scale to 1 waiting"},
		{"prepared 2\n  api workers=2", "reload to 2 rolling, api 0/2-0, scale to 1 waiting"},
		{"up #3", "reload to 2 rolling, api 1/2-1, scale to 1 waiting"},
		{"down #1", "reload to 2 rolling, api 1/2-0, scale to 1 waiting"},
		{"up #4", "reload to 2 draining, api 2/3-1, scale to 2 rolling, api 2/3-1"},
		{"down #2", "none, scale to 2 rolling, api 2/3-0"},
		{"up #5", "none, none"},
		{"scale 1 req=1\nreload req=2", "scale to 2 draining, api 1/1-2, reload to 3 preparing"},
		{"prepared 3\n  api workers=1\nspawned #6\nhello #6", "scale to 2 draining, api 1/1-2, reload to 3 rolling, api 0/1-2"},
		{"exit #6 code=1", "scale to 2 draining, api 1/1-2, none"},
		{"stop req=2", "scale to 2 draining, api 0/0-3, stop to 2 stopping, api 0/0-3"},
		{"down #3 #4", "scale to 2 draining, api 0/0-1, stop to 2 stopping, api 0/0-1"},
		{"down #5", "none, none"},
	}
	s := newScenario(t)
	for _, step := range steps {
		s.run(strings.Split(step.commands, "\n"))
		if got := progressOf(&s.state, 1) + ", " + progressOf(&s.state, 2); got != step.want {
			t.Errorf("after %q: %s\nwant %s", step.commands, got, step.want)
		}
	}
}

func TestOperationsAreRememberedWithThoseWhoAsked(t *testing.T) {
	s := newScenario(t)
	s.run(strings.Split("begin\n  api workers=1\nup\nwait 1m", "\n"))
	ask := func(e core.Event) { s.step(e) }
	ask(core.Event{Kind: core.EventReload, By: "signal HUP"})
	ask(core.Event{Kind: core.EventReload, By: "a", Request: 1})
	ask(core.Event{Kind: core.EventReload, By: "signal HUP"})
	ask(core.Event{Kind: core.EventReload, By: "a"})
	ask(core.Event{Kind: core.EventScale, Set: "none", By: "b", Request: 2})
	s.run(strings.Split("wait 1s\nrefused 2 text=\"bad file\"\nwait 1s\nrefused 3 text=\"bad file\"", "\n"))
	var got []string
	for _, op := range s.state.Operations {
		got = append(got, fmt.Sprintf("at %s %s by %s", span(op.At-s.began), showOutcome(op.Outcome), op.By))
	}
	want := []string{
		"at 1m0s reload: generation 1 after 1s, error: bad file by signal HUP",
		"at 1m1s reload: generation 1 after 1s, error: bad file by a, signal HUP",
		`at 1m2s scale: generation 1 after 0s, error: set: "none": no such set by b`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("operations\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for range 40 {
		ask(core.Event{Kind: core.EventScale, Count: 1})
	}
	if n := len(s.state.Operations); n != 16 {
		t.Errorf("%d operations, want the last 16", n)
	}
}

func TestJoinBy(t *testing.T) {
	by := ""
	for _, more := range []string{"", "signal HUP", "pid 12", "pid 1", "signal HUP", ""} {
		by = core.JoinBy(by, more)
	}
	if want := "signal HUP, pid 12, pid 1"; by != want {
		t.Errorf("JoinBy = %q, want %q", by, want)
	}
	for i := range 1000 {
		by = core.JoinBy(by, fmt.Sprint("pid ", i))
	}
	if len(by) > 300 {
		t.Errorf("JoinBy grew to %d bytes", len(by))
	}
}
