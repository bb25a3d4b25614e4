// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"log/slog"
	"time"
)

// KillDelay is how long what was cancelled may take.
const KillDelay = killDelay

// TidyDelay is how long listeners that nobody uses are kept.
const TidyDelay = tidyDelay

// Life is what launchers and workers run a group by.
type Life = life

// Begin starts a group.
func Begin(ctx context.Context, g *Group, log *slog.Logger) *Life { return begin(ctx, g, log) }

func (l *life) Ready() <-chan struct{}                        { return l.ready() }
func (l *life) Done() <-chan struct{}                         { return l.done() }
func (l *life) Err() error                                    { return l.err() }
func (l *life) Cut() []string                                 { return l.cut() }
func (l *life) Shutdown(r DrainReason, timeout time.Duration) { l.shutdown(r, timeout) }
func (l *life) Cancel()                                       { l.cancel() }
func (l *life) Reset(ctx context.Context) error               { return l.reset(ctx) }

// Signals are the signals of this process in the hands of a launcher.
type Signals = signals

// Own takes the signals.
func Own(name string) (*Signals, error) { return own(name) }

// Release gives them up.
func (s *signals) Release(err error) { s.release(err) }

// Command returns the name of the next command.
func (s *signals) Command() string {
	return map[command]string{
		cmdStop: "stop", cmdKill: "kill", cmdReload: "reload", cmdTerminalLost: "terminal lost",
		cmdReopen: "reopen", cmdReport: "report", cmdMore: "more", cmdFewer: "fewer",
	}[<-s.commands()]
}

// TermEcho is how soon a second TERM is none.
const TermEcho = termEcho

// Obey is Run with signals by name: TERM, INT and HUP.
func (l *ServiceLauncher) Obey(ctx context.Context, sigs <-chan string) error {
	commands := make(chan command)
	go func() {
		for sig := range sigs {
			commands <- map[string]command{"TERM": cmdStop, "INT": cmdKill, "HUP": cmdReload, "lost": cmdTerminalLost}[sig]
		}
	}()
	l.began = true
	defer close(l.ended)
	return l.obey(ctx, commands)
}

// Tally and Verdict let tests judge canaries that never were.
type Tally = tally

func MakeTally(served, failed uint64, running int, area time.Duration) Tally {
	return tally{served: served, failed: failed, running: running, area: area}
}

func Verdict(c Canary, canary, old Tally) string { return c.verdict(canary, old) }

// QueueOf returns what waits in the queue of a listening socket, and what was dropped at it.
func QueueOf(fd int) (queue int, drops uint64) { return queueOf(fd) }

// EvenOut evens held out and returns what that moves, as from, to, number.
func EvenOut(held []int) (moved [][3]int) {
	for _, s := range evenOut(held) {
		moved = append(moved, [3]int{s.from, s.to, s.n})
	}
	return moved
}
