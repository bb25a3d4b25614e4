// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service

import (
	"os"
	"os/signal"
	"syscall"
)

// The signals that a launcher takes. QUIT and ABRT stay with the Go runtime, for stacks, and TSTP
// with the terminal.
var (
	urgentSignals = []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	otherSignals  = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE}
	resizeSignals = []os.Signal{syscall.SIGTTIN, syscall.SIGTTOU} // only without a terminal
)

// hangupIgnored is whether this process was started with HUP ignored, as nohup does. It is read before
// anything can have changed it.
var hangupIgnored = signal.Ignored(syscall.SIGHUP)

// signalCommand returns what sig asks of a program without a terminal. PIPE asks for nothing: it is
// caught so that a closed standard output is an error of write and not the end.
func signalCommand(sig os.Signal) command {
	switch sig {
	case syscall.SIGTERM:
		return cmdStop
	case syscall.SIGINT:
		return cmdKill
	case syscall.SIGHUP:
		return cmdReload
	case syscall.SIGUSR1:
		return cmdReopen
	case syscall.SIGUSR2:
		return cmdReport
	case syscall.SIGTTIN:
		return cmdMore
	case syscall.SIGTTOU:
		return cmdFewer
	}
	return cmdNone
}
