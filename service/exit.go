// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"fmt"
	"syscall"

	"github.com/mainstay-go/mainstay/internal/proc"
)

const killSignal = syscall.SIGKILL

// signalNames spells the signals that end processes as people know them.
var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "SIGABRT", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE", syscall.SIGHUP: "SIGHUP",
	syscall.SIGILL: "SIGILL", syscall.SIGINT: "SIGINT", syscall.SIGKILL: "SIGKILL", syscall.SIGPIPE: "SIGPIPE",
	syscall.SIGQUIT: "SIGQUIT", syscall.SIGSEGV: "SIGSEGV", syscall.SIGTERM: "SIGTERM", syscall.SIGALRM: "SIGALRM",
	syscall.SIGTRAP: "SIGTRAP",
}

// signalName returns the name of a signal, such as SIGKILL.
func signalName(sig syscall.Signal) string {
	if name, ok := signalNames[sig]; ok {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}

// describeExit says how a process ended.
func describeExit(e proc.Exit) string {
	switch {
	case e.Stolen:
		return "its exit status was taken by other code"
	case e.Status.Signaled():
		return "killed by " + signalName(e.Status.Signal())
	}
	return fmt.Sprintf("exit status %d", e.Status.ExitStatus())
}
