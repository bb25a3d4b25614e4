// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/internal/core"
)

// showAction returns an action as a line of a transcript.
func showAction(a core.Action) string {
	who := fmt.Sprintf("%s %s/%d #%d", a.Kind, a.Set, a.Slot, a.Incarnation)
	switch a.Kind {
	case core.ActionSpawn:
		return fmt.Sprintf("%s generation %d of %d", who, a.Generation, a.Count)
	case core.ActionDrain:
		return fmt.Sprintf("%s %s within %s", who, a.Reason, span(a.Nanos))
	case core.ActionJudge:
		return fmt.Sprintf("%s for %s", who, span(a.Nanos))
	case core.ActionPair:
		return fmt.Sprintf("%s with #%d", who, a.Heir)
	case core.ActionReset:
		return fmt.Sprintf("%s generation %d", who, a.Generation)
	case core.ActionCancel, core.ActionKill, core.ActionOffer, core.ActionRevoke:
		return who
	case core.ActionSteer:
		return fmt.Sprintf("steer %s to %v", a.Set, a.Slots)
	case core.ActionRetire:
		return strings.TrimSuffix(fmt.Sprintf("retire %s/%d by force %d", a.Set, a.Slot, a.Count), " by force 0")
	case core.ActionShut:
		return "shut " + a.Set
	case core.ActionPrepare, core.ActionDrop, core.ActionCommit:
		return fmt.Sprintf("%s generation %d", a.Kind, a.Generation)
	case core.ActionHook:
		return showHook(a)
	case core.ActionReply:
		return fmt.Sprintf("reply %d %s", a.Request, showOutcome(a.Outcome))
	case core.ActionLog:
		return showLog(a)
	case core.ActionQuit:
		return strings.TrimSpace(fmt.Sprintf("quit %d %s", a.Code, a.Text))
	}
	return fmt.Sprintf("%s %s", a.Kind, a.Text)
}

// showEvent returns an event as a line of a journal.
func showEvent(e core.Event) string {
	text := string(e.Kind)
	if e.Incarnation != 0 {
		text += fmt.Sprintf(" #%d", e.Incarnation)
	}
	if e.Kind == core.EventExit {
		text += fmt.Sprintf(" code %d %s", e.Code, e.Signal)
	}
	if e.Request != 0 {
		text += fmt.Sprintf(" request %d", e.Request)
	}
	if e.Set != "" || e.Count != 0 {
		text += fmt.Sprintf(" %s %d", e.Set, e.Count)
	}
	if e.Plan != nil {
		text += fmt.Sprintf(" %+v", *e.Plan)
	}
	return strings.TrimSpace(text + " " + e.Text)
}

func showHook(a core.Action) string {
	switch a.Text {
	case "ready":
		return fmt.Sprintf("hook ready %s/%d pid %d", a.Set, a.Slot, a.Pid)
	case "gone":
		asked := ""
		if a.Asked {
			asked = "asked, "
		}
		return fmt.Sprintf("hook gone %s/%d pid %d: %s%s", a.Set, a.Slot, a.Pid, asked, a.Reason)
	}
	return "hook " + a.Text
}

func showOutcome(o core.Outcome) string {
	text := fmt.Sprintf("%s: generation %d after %s", o.Action, o.Generation, span(o.Nanos))
	if o.Cut != 0 {
		text += fmt.Sprintf(", cut %d", o.Cut)
	}
	if o.Error != "" {
		text += ", error: " + o.Error
	}
	return text
}

func showLog(a core.Action) string {
	text := fmt.Sprintf("log %s: %s", a.Level, a.Text)
	for i := 0; i+1 < len(a.Attrs); i += 2 {
		if v := fmt.Sprint(a.Attrs[i+1]); strings.Contains(v, " ") || v == "" {
			text += fmt.Sprintf(" %v=%q", a.Attrs[i], v)
		} else {
			text += fmt.Sprintf(" %v=%s", a.Attrs[i], v)
		}
	}
	return text
}

// span shows nanoseconds; negative ones are without end.
func span(ns int64) string {
	if ns < 0 {
		return "ever"
	}
	return time.Duration(ns).Round(time.Microsecond).String()
}

// A render shows a state at a time.
type render struct {
	core.State
	now, began int64
}

func (r render) since(t int64) string { return span(r.now - t) }

func (r render) until(t int64) string { return span(max(t-r.now, 0)) }

// summary returns the state in a few lines: the launcher, then each set with its slots, as in
//
//	= running, generation 1, reload to 2, wake in 5s
//	  api running: 0 #1 running g1 +#3 booting g2 | 1 #2 running g1
//
// where + is a successor, - one that was replaced, and ! marks one whose end is wanted.
func (r render) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "= %s, generation %d", r.Phase, r.Generation)
	if c := r.Change; c.Verb != "" {
		fmt.Fprintf(&b, ", %s", c.Verb)
		if c.Generation != r.Generation {
			fmt.Fprintf(&b, " to %d", c.Generation)
		}
		if !c.Prepared {
			b.WriteString(" in preparation")
		}
	}
	if n := len(r.Deferred); n != 0 {
		fmt.Fprintf(&b, ", %d deferred", n)
	}
	if n := len(r.Settling); n != 0 {
		fmt.Fprintf(&b, ", %d settling", n)
	}
	if wake := r.Wake(); wake != 0 {
		fmt.Fprintf(&b, ", wake in %s", r.until(wake))
	}
	fmt.Fprintf(&b, ", at %s\n", r.since(r.began))
	for i := range r.Sets {
		b.WriteString(r.set(&r.Sets[i]) + "\n")
	}
	return b.String()
}

func (r render) set(set *core.Set) string {
	text := fmt.Sprintf("  %s %s:", set.Spec.Name, set.Phase)
	if set.Removing {
		text = fmt.Sprintf("  %s %s, removing:", set.Spec.Name, set.Phase)
	}
	for i := range set.Slots {
		if i > 0 {
			text += " |"
		}
		text += r.slot(&set.Slots[i])
	}
	return text
}

func (r render) slot(sl *core.Slot) string {
	text := fmt.Sprintf(" %d", sl.ID)
	if sl.Current.Incarnation != 0 {
		text += " " + worker(sl.Current)
	}
	if sl.Successor.Incarnation != 0 {
		text += " +" + worker(sl.Successor)
	}
	for _, w := range sl.Leaving {
		text += " -" + worker(w)
	}
	if t := sl.Trial; t.Canary {
		text += " canary"
	}
	if t := sl.Trial; t.Until != 0 {
		text += " tried for " + r.until(t.Until)
	}
	if sl.SpawnAt > r.now {
		text += " spawn in " + r.until(sl.SpawnAt)
	}
	for _, flag := range []struct {
		on   bool
		name string
	}{{sl.Done, "done"}, {sl.GivenUp, "given-up"}, {sl.Removed, "removed"}} {
		if flag.on {
			text += " " + flag.name
		}
	}
	return text
}

func worker(w core.Worker) string {
	text := fmt.Sprintf("#%d %s g%d", w.Incarnation, w.Phase, w.Generation)
	if w.Resetting {
		text += " resetting"
	}
	if w.Asked {
		text += "!"
	}
	return text
}

// workersOf returns every worker of a state, in order.
func workersOf(s *core.State) (ws []core.Worker) {
	for i := range s.Sets {
		for _, sl := range s.Sets[i].Slots {
			for _, w := range append([]core.Worker{sl.Current, sl.Successor}, sl.Leaving...) {
				if w.Incarnation != 0 {
					ws = append(ws, w)
				}
			}
		}
	}
	return ws
}
