// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// program is what children run: this very program, even if another lies under its name by now.
const program = "/proc/self/exe"

var errSpawnerClosed = errors.New("spawner is closed")

// A Spawner starts children and reaps them: its own, by pid, never anybody else's, so that the
// program may have processes of its own beside them. As process 1 it also reaps the orphans of others
// that the kernel leaves with it. Its methods may be called from any goroutine.
//
// One goroutine on a thread of its own forks and reaps: what a thread passes on to its children, such
// as its signal mask, is then the same for all.
type Spawner struct {
	forks chan *fork
	sigc  chan os.Signal
	quit  chan struct{}
	done  chan struct{}
	close sync.Once
	null  int // /dev/null

	strangers *strangers // nil unless process 1
}

// fork is a request to the spawner's goroutine.
type fork struct {
	env   []string
	files []uintptr
	child *Child
	err   chan error
}

// NewSpawner returns a spawner, which [Spawner.Close] ends.
func NewSpawner() (*Spawner, error) {
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	s := &Spawner{
		forks:     make(chan *fork),
		sigc:      make(chan os.Signal, 1), // signals coalesce, and each is followed by a look at all children
		quit:      make(chan struct{}),
		done:      make(chan struct{}),
		null:      null,
		strangers: newStrangers(),
	}
	signal.Notify(s.sigc, syscall.SIGCHLD)
	go s.run()
	return s, nil
}

// Close ends the spawner. It neither ends its children nor waits for them; those that still run are
// reaped as long as the process has another spawner.
func (s *Spawner) Close() error {
	s.close.Do(func() {
		signal.Stop(s.sigc)
		close(s.quit)
		<-s.done
		syscall.Close(s.null)
	})
	return nil
}

func (s *Spawner) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	again := s.reap() // strangers may be here already
	for {
		select {
		case f := <-s.forks:
			f.err <- f.run()
		case <-s.sigc:
			again = s.reap()
		case <-again:
			again = s.reap()
		case <-s.quit:
			return
		}
	}
}

// reap reaps what has ended; it is called again when the channel fires, nil is never.
func (s *Spawner) reap() (again <-chan time.Time) {
	children.reap()
	if s.strangers != nil && s.strangers.look(children.has) {
		return time.After(secondLook)
	}
	return nil
}

// Start starts this program once more, with the same arguments, as c says. It returns when the new
// program has begun to run; its main has not.
func (s *Spawner) Start(c Command) (*Child, error) {
	child, err := s.start(c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Role, err)
	}
	return child, nil
}

func (s *Spawner) start(c Command) (child *Child, err error) {
	if c.Role != Worker && c.Role != Probe {
		return nil, errors.New("no role of a child")
	}
	child = &Child{ended: make(chan struct{})}
	var theirs []int // the child's ends, closed here in any case
	defer func() {
		closeAll(theirs)
		if err != nil {
			child.abandon()
		}
	}()
	ours, channel, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	child.Conn, theirs = wire.NewConn(ours), append(theirs, channel)
	board, memory, err := scoreboard.Create()
	if err != nil {
		return nil, err
	}
	child.Board, theirs = board, append(theirs, memory)
	tail, pipe, err := s.pipe(c)
	if err != nil {
		return nil, err
	}
	child.Stderr, theirs = tail, append(theirs, pipe)

	// A child has something at each number, or the first file that it opens would get it.
	snapshot := s.null
	if c.Snapshot > 0 {
		snapshot = c.Snapshot
	}
	f := &fork{
		env: childEnv(os.Environ(), c.ExtraEnv, c.Role),
		files: []uintptr{
			uintptr(s.null), s.orNull(syscall.Stdout), uintptr(pipe),
			fdChannel: uintptr(channel), fdBoard: uintptr(memory),
			fdSnapshot: uintptr(snapshot), fdStderr: s.orNull(syscall.Stderr),
		},
		child: child,
		err:   make(chan error, 1),
	}
	select {
	case s.forks <- f:
		err = <-f.err
	case <-s.done:
		err = errSpawnerClosed
	}
	return child, err
}

// pipe makes the child's standard error; the child's end blocks as usual, ours does not.
func (s *Spawner) pipe(c Command) (*Tail, int, error) {
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		return nil, -1, os.NewSyscallError("pipe2", err)
	}
	syscall.SetNonblock(p[0], true)
	w := c.Stderr
	if w == nil {
		w = Stderr()
	}
	tail, err := newTail(p[0], w)
	if err != nil {
		syscall.Close(p[1])
		return nil, -1, err
	}
	return tail, p[1], nil
}

// orNull returns fd if this process has it open, else /dev/null.
func (s *Spawner) orNull(fd int) uintptr {
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); errno != 0 {
		return uintptr(s.null)
	}
	return uintptr(fd)
}

// abandon frees what belongs to a child that did not start.
func (c *Child) abandon() {
	if c.Conn != nil {
		c.Conn.Close()
	}
	if c.Board != nil {
		c.Board.Close()
	}
}

// run is called on the spawner's thread. No os/exec: that would make descriptors that it passes block,
// for all who share them.
func (f *fork) run() error {
	pid, err := syscall.ForkExec(program, os.Args, &syscall.ProcAttr{Env: f.env, Files: f.files})
	if err != nil {
		return &os.PathError{Op: "fork/exec", Path: program, Err: err}
	}
	f.child.Pid = pid
	children.add(f.child)
	return nil
}

// Kill sends sig to a child that has not been reaped; else the error is [ErrGone].
func (s *Spawner) Kill(pid int, sig syscall.Signal) error { return children.kill(pid, sig) }
