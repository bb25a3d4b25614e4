// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"io"
	"syscall"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// ErrGone is in the error of signalling a process that has ended, or that the spawner never started.
var ErrGone = errors.New("no such process of this launcher")

// A Command says what to start.
type Command struct {
	Role Role

	// Snapshot is the descriptor of what the child reads as its configuration, from [Snapshot.Memfd];
	// it stays the caller's. Zero or less is none, as for a probe.
	Snapshot int

	// ExtraEnv is added to this process's environment, from which the variables of the launcher and of
	// its service manager are left out.
	ExtraEnv []string

	// Stderr gets the whole lines that the child writes to its standard error; its Write must not
	// block. Nil is [Stderr].
	Stderr io.Writer
}

// A Child is a process that a [Spawner] started, as the launcher holds it.
type Child struct {
	Pid    int
	Conn   *wire.Conn        // the channel
	Board  *scoreboard.Board // what the child counts; of a probe too
	Stderr *Tail

	ended chan struct{} // closed when exit is set
	exit  Exit
}

// An Exit is how a process ended.
type Exit struct {
	Pid    int
	Status syscall.WaitStatus
	Stolen bool // other code of this program reaped it: Status is not known
}

// Done returns a channel that is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.ended }

// Wait waits for the end of the process and returns it, as often as it is asked.
func (c *Child) Wait() Exit {
	<-c.ended
	return c.exit
}

// Close frees the channel and the scoreboard. The process learns that its launcher is gone if it still
// runs. Stderr is read on for as long as anybody, such as a process that the child started, holds it.
func (c *Child) Close() error { return errors.Join(c.Conn.Close(), c.Board.Close()) }
