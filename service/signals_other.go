// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package service

import (
	"os"
	"syscall"
)

// The signals that a launcher takes: on Windows TERM is what closing the console, logging off and
// shutting down arrive as.
var (
	urgentSignals = []os.Signal{syscall.SIGTERM, os.Interrupt}
	otherSignals  []os.Signal
	resizeSignals []os.Signal
)

const hangupIgnored = false

// signalCommand returns what sig asks for.
func signalCommand(sig os.Signal) command {
	switch sig {
	case syscall.SIGTERM:
		return cmdStop
	case os.Interrupt:
		return cmdKill
	}
	return cmdNone
}
