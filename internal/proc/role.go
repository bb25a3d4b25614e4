// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"strings"
)

// A Role is what a process is to the others of its program.
type Role int

// The roles.
const (
	Alone  Role = iota // the program itself: without workers, or their launcher
	Worker             // runs services for a launcher
	Probe              // finds out for a launcher what main would do, and ends
)

// String returns the word that names r in the marker and in logs.
func (r Role) String() string {
	switch r {
	case Worker:
		return "worker"
	case Probe:
		return "probe"
	}
	return "launcher"
}

// The marker is the environment variable that makes a process a child: the version of the layout of
// its descriptors and its role, as in "1 worker".
const (
	markerName    = "MAINSTAY_PROC"
	markerVersion = "1"
)

func marker(r Role) string { return markerName + "=" + markerVersion + " " + r.String() }

// parseMarker returns the role that the value of a marker gives.
func parseMarker(value string) (Role, error) {
	version, word, _ := strings.Cut(value, " ")
	if version != markerVersion {
		return Alone, fmt.Errorf("%s=%q: started by a launcher of another version, want version %s", markerName, value, markerVersion)
	}
	for _, r := range []Role{Worker, Probe} {
		if word == r.String() {
			return r, nil
		}
	}
	return Alone, fmt.Errorf("%s=%q: no such role", markerName, value)
}
