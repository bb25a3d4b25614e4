// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// firstFD is where passed descriptors begin (SD_LISTEN_FDS_START).
const firstFD = 3

// maxPassed bounds $LISTEN_FDS: more is no number that a manager wrote.
const maxPassed = 1 << 16

// A Passed is a descriptor that the service manager opened for this program.
type Passed struct {
	FD   int    // set close-on-exec and non-blocking
	Name string // FileDescriptorName= of the unit; "unknown" where none was given
}

// ListenFDs returns the descriptors passed by the service manager, in its order: those of
// $LISTEN_FDS, if $LISTEN_PID is this process. Numbers that were not passed are left out; elsewhere
// than on Linux there are none. The environment is read at the first call, and every call
// returns the same descriptors: they belong to the program as a whole, and one part of it (package
// socket, where that is used) hands them out and closes them.
func ListenFDs() []Passed { return slices.Clone(passed()) }

var passed = sync.OnceValue(func() []Passed {
	all := parse(os.Getpid(), os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"))
	return slices.DeleteFunc(all, func(p Passed) bool { return !adopt(p.FD) })
})

// parse reads the three variables of sd_listen_fds for the process pid. What is not for this process,
// or not a number, is nothing passed.
func parse(pid int, listenPID, listenFDs, names string) []Passed {
	if p, err := strconv.Atoi(listenPID); err != nil || p != pid {
		return nil
	}
	n, err := strconv.Atoi(listenFDs)
	if err != nil || n <= 0 || n > maxPassed {
		return nil
	}
	var named []string
	if names != "" {
		named = strings.Split(names, ":")
	}
	all := make([]Passed, n)
	for i := range all {
		all[i] = Passed{FD: firstFD + i, Name: "unknown"}
		if i < len(named) && named[i] != "" {
			all[i].Name = named[i]
		}
	}
	return all
}

// stripped are the variables by which a service manager speaks to one process.
var stripped = []string{
	notifySocket,
	"WATCHDOG_PID", "WATCHDOG_USEC",
	"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
}

// Strip returns env, in the form of [os.Environ], without the variables by which the service manager
// speaks to this process alone. Child processes get the rest: what a child said in our name would be
// believed. env is left as it is.
func Strip(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(stripped, name)
	})
}
