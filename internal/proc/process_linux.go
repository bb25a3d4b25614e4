// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// Descriptors of a child.
const (
	fdChannel  = 3
	fdBoard    = 4
	fdSnapshot = 5
	fdStderr   = 6 // the launcher's own

	numFDs = 7
)

// signalBuffer is many more signals than anyone sends before main reads them.
const signalBuffer = 64

// become finds out what this process is. Without a marker, and without the channel that goes with it
// (it may have leaked into a shell), it is Alone, and nothing is touched.
func become() *Process {
	value, ok := os.LookupEnv(markerName)
	if !ok {
		return newProcess(Alone, nil)
	}
	os.Unsetenv(markerName)
	if !isChannel(fdChannel) {
		return newProcess(Alone, nil)
	}
	role, err := parseMarker(value)
	if err != nil {
		// It must not go on as if it had no launcher.
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
	return newChild(role)
}

// newChild sets this process up as a child. Signals come first: until then they act as by default.
func newChild(role Role) *Process {
	signals := make(chan os.Signal, signalBuffer)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	// A write to a terminal that stops background output ends with TTOU ignored; with TTOU caught the
	// kernel repeats both for ever.
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	// Caught, so that writing to a launcher that is gone is an error and not the end. Nobody reads it:
	// a storm of it must not crowd out a TERM.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	for fd := fdChannel; fd < numFDs; fd++ {
		syscall.CloseOnExec(fd)
	}
	setName(filepath.Base(os.Args[0]))
	if b, err := scoreboard.Open(fdBoard); err == nil { // else it goes on uncounted
		scoreboard.Use(b)
	}
	p := newProcess(role, wire.NewConn(fdChannel))
	p.signals = signals
	if role == Worker {
		p.load = loadSnapshot
	}
	go p.outlive()
	return p
}

// orphanTime is for how long a child that has not come to Launch outlives its launcher: long enough to
// fail by itself, with its own words.
const orphanTime = time.Second

// outlive ends a child whose launcher is gone while its main is on the way to Launch, where it may hang
// for ever. From Launch on this is the business of whoever reads Messages.
func (p *Process) outlive() {
	p.calls.read()
	<-p.calls.gone
	time.Sleep(orphanTime)
	if !p.calls.owned.Load() {
		os.Exit(1)
	}
}

// loadSnapshot reads what the launcher gave; /dev/null in its place is nothing.
func loadSnapshot() (snapshotFile, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fdSnapshot, &st); err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFCHR {
		return snapshotFile{Files: make(Snapshot)}, nil
	}
	return readSnapshot(fdSnapshot)
}

// isChannel reports whether fd is the kind of socket that a launcher passes.
func isChannel(fd int) bool {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil || kind != syscall.SOCK_SEQPACKET {
		return false
	}
	sa, err := syscall.Getsockname(fd)
	_, unix := sa.(*syscall.SockaddrUnix)
	return err == nil && unix
}

// setName names the process for ps, top and pgrep; a program started as /proc/self/exe is called exe.
func setName(name string) {
	const most = 15 // bytes the kernel keeps
	os.WriteFile("/proc/self/comm", []byte(name[:min(len(name), most)]), 0)
}

// LostLauncher is called by a child when its launcher is gone: what it logs from then on goes where
// the launcher's standard error went.
func (p *Process) LostLauncher() {
	if p.role != Alone {
		syscall.Dup3(fdStderr, int(syscall.Stderr), 0)
	}
}
