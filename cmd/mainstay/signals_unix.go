// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// parseSignal returns the signal of a name, as kill(1) takes it.
func parseSignal(name string) (os.Signal, error) {
	signals := map[string]os.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1,
		"USR2": syscall.SIGUSR2, "TERM": syscall.SIGTERM, "WINCH": syscall.SIGWINCH, "TTIN": syscall.SIGTTIN, "TTOU": syscall.SIGTTOU,
	}
	if sig, ok := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]; ok {
		return sig, nil
	}
	return nil, fmt.Errorf("--signal: %q: want HUP, INT, QUIT, KILL, USR1, USR2, TERM, WINCH, TTIN or TTOU", name)
}
