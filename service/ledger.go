// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// A ledger sums up what workers have served and lost that are gone. Their boards are read when nothing
// writes on them any more, also after SIGKILL.
type ledger struct {
	served uint64
	lost   [scoreboard.NumCauses]uint64
}

func (l *ledger) add(c scoreboard.Counts) {
	l.served += c.Served
	for i, n := range c.Lost {
		l.lost[i] += n
	}
}

// losses returns counts by cause in their public form.
func losses(lost [scoreboard.NumCauses]uint64) control.Losses {
	return control.Losses{
		QueueLeft: lost[scoreboard.QueueLeft], StreamCut: lost[scoreboard.StreamCut],
		DeadlineKill: lost[scoreboard.DeadlineKill], Panic: lost[scoreboard.Panic],
		Crash: lost[scoreboard.Crash], Other: lost[scoreboard.Other],
	}
}

// total returns what all workers have served and lost, those that live and those that are gone.
func (s *shell) total() ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.ledger
	for _, c := range s.children {
		sum.add(c.Board.Read())
	}
	return sum
}

// bury takes a worker whose process has ended off the list, and its counts into the ledger, where what
// it had in hand is lost. It returns the counts, and how many requests were lost since it was told to end.
func (s *shell) bury(c *child, exit proc.Exit) (counts scoreboard.Counts, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts = c.Board.Read()
	counts.Lost[causeOf(c, exit)] += counts.Left()
	counts.Running = 0
	s.ledger.add(counts)
	delete(s.children, c.identity.Incarnation)
	if !c.told {
		return counts, 0
	}
	return counts, int(counts.LostTotal() - c.lostBefore)
}

// causeOf returns why what a worker had in hand at its end is lost.
func causeOf(c *child, exit proc.Exit) scoreboard.Cause {
	switch code := exit.Status.ExitStatus(); {
	case c.killed || c.told && code == ExitCut:
		return scoreboard.DeadlineKill
	case exit.Stolen || !c.told || code == ExitPanic || exit.Status.Signaled():
		return scoreboard.Crash
	}
	return scoreboard.StreamCut // its services said that they were done
}

// tell notes that a worker is told to end: what it loses from now on is lost by whoever asked for that.
func (s *shell) tell(a core.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.children[a.Incarnation]
	if c == nil {
		return
	}
	if !c.told {
		c.told, c.lostBefore = true, c.Board.Read().LostTotal()
	}
	c.killed = c.killed || a.Kind == core.ActionKill
}

// thisProcess returns what the process that answers takes.
func thisProcess() control.Process {
	p := control.Process{Goroutines: runtime.NumGoroutine(), Running: scoreboard.Current().Read().Running}
	p.RSS, p.Anon = memoryOf(os.Getpid())
	return p
}

// memoryOf returns the resident memory of a process and what of it is its own, in bytes; 0 if it is not
// known. It reads one line, which for the kernel is cheap, unlike smaps_rollup.
func memoryOf(pid int) (rss, anon int64) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	fields := strings.Fields(string(data)) // size, resident, shared: pages
	if err != nil || len(fields) < 3 {
		return 0, 0
	}
	resident, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ := strconv.ParseInt(fields[2], 10, 64)
	page := int64(os.Getpagesize())
	return resident * page, (resident - shared) * page
}
