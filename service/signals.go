// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"os"
	"os/signal"
	"slices"
	"sync"
)

// A command is what a signal asks of a launcher.
type command int

const (
	cmdNone         command = iota // nothing: the signal is only kept from its default action
	cmdStop                        // stop gracefully; once more: at once
	cmdKill                        // stop at once
	cmdReload                      // reload or mutate
	cmdTerminalLost                // stop gracefully, the terminal is gone
	cmdReopen                      // open log files anew
	cmdReport                      // write a diagnostic report
	cmdMore                        // one worker more
	cmdFewer                       // one worker fewer
)

// maxPending bounds the commands of one kind that wait to be taken. More than one only means
// something to cmdStop, cmdMore and cmdFewer.
const maxPending = 64

// signals are this process's signals in the hands of one launcher, which takes them as commands. None
// is at its default action from [own] on, also after release: a TERM in the last moment of a program
// must not give it another exit code.
type signals struct {
	name     string
	terminal *terminal // nil without a controlling terminal

	// Signals that end a program have a channel of their own, so that no storm of others can fill it.
	urgentc chan os.Signal
	otherc  chan os.Signal

	commandc chan command
	releasec chan int      // exit code of the launcher; room for it, so that release does not wait
	quitc    chan struct{} // closed when the next owner has them
	donec    chan struct{}
}

// ownership is whose the signals of this process are.
var ownership struct {
	sync.Mutex
	owner    *signals // the last one, nil before
	released bool     // it has ended
}

// own takes the signals for the launcher called name. While another has them the error is a
// [*SignalsOwnedError].
func own(name string) (*signals, error) {
	ownership.Lock()
	defer ownership.Unlock()
	last := ownership.owner
	if last != nil && !ownership.released {
		return nil, &SignalsOwnedError{last.name}
	}
	s := &signals{
		name:     name,
		terminal: openTerminal(),
		urgentc:  make(chan os.Signal, 8),          // the first two count, a storm of them says no more
		otherc:   make(chan os.Signal, maxPending), // read at once; the room is for a busy machine
		commandc: make(chan command),
		releasec: make(chan int, 1),
		quitc:    make(chan struct{}),
		donec:    make(chan struct{}),
	}
	notify(s.urgentc, urgentSignals)
	notify(s.otherc, otherSignals)
	if s.terminal == nil {
		notify(s.otherc, resizeSignals)
	} else if len(resizeSignals) > 0 {
		// They are the terminal's, and caught ones come back as fast as they are answered: a background
		// program that logs to a terminal under "stty tostop" gets one TTOU for each try to write.
		signal.Ignore(resizeSignals...)
	}
	if last != nil {
		close(last.quitc) // only now, when none can fall back to its default
		<-last.donec
	}
	ownership.owner, ownership.released = s, false
	go s.run()
	return s, nil
}

// notify is signal.Notify, to which no signals are all signals.
func notify(c chan<- os.Signal, sigs []os.Signal) {
	if len(sigs) > 0 {
		signal.Notify(c, sigs...)
	}
}

// commands is where the signals arrive. Several of one kind that wait there together are one, unless
// each counts.
func (s *signals) commands() <-chan command { return s.commandc }

// release gives the signals up for another owner; err is what the launcher returns. What comes from
// now on meets a program that is ending: TERM ends it at once with the exit code of err, INT with
// [ExitFailed], others do nothing.
func (s *signals) release(err error) {
	ownership.Lock()
	defer ownership.Unlock()
	if ownership.owner == s && !ownership.released {
		ownership.released = true
		s.releasec <- ExitCode(err)
	}
}

// run turns signals into commands until release, and then sees the program out.
func (s *signals) run() {
	defer close(s.donec)
	defer s.stop()
	var pending []command
	for {
		var (
			next command
			out  chan<- command
		)
		if len(pending) > 0 {
			next, out = pending[0], s.commandc
		}
		select {
		case sig := <-s.urgentc:
			pending = enqueue(pending, signalCommand(sig))
		case sig := <-s.otherc:
			pending = enqueue(pending, s.command(sig))
		case out <- next:
			pending = pending[1:]
		case code := <-s.releasec:
			s.terminal.close()
			s.seeOut(code)
			return
		}
	}
}

// seeOut answers signals after the launcher has ended with code, until there is another owner.
func (s *signals) seeOut(code int) {
	for {
		select {
		case sig := <-s.urgentc:
			if signalCommand(sig) == cmdKill {
				code = ExitFailed
			}
			os.Exit(code)
		case <-s.otherc:
		case <-s.quitc:
			return
		}
	}
}

// stop lets go of the channels.
func (s *signals) stop() {
	signal.Stop(s.urgentc)
	signal.Stop(s.otherc)
}

// command returns what sig asks for here. A HUP is the terminal's only where there was a terminal at
// the start and it does not answer any more.
func (s *signals) command(sig os.Signal) command {
	c := signalCommand(sig)
	if c == cmdReload && !hangupIgnored && s.terminal.gone() {
		return cmdTerminalLost
	}
	return c
}

// enqueue puts c behind what is pending, unless it says nothing new.
func enqueue(pending []command, c command) []command {
	room := 1
	switch c {
	case cmdNone:
		return pending
	case cmdStop, cmdMore, cmdFewer:
		room = maxPending
	}
	for _, p := range pending {
		if p == c {
			room--
		}
	}
	if room <= 0 {
		return pending
	}
	return append(slices.Clip(pending), c)
}
