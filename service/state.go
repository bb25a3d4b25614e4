// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

// A State is a step in the life of a service, a group or a launcher. See [Service] for the order
// they come in.
type State int

// The states.
const (
	StateNew      State = iota // made, nothing has run
	StateStarting              // Start runs
	StateRunning               // ready: Start returned nil and Serve runs
	StateDraining              // Shutdown runs
	StateStopped               // ended as asked, or done
	StateFailed                // ended by an error
)

var stateNames = [...]string{"new", "starting", "running", "draining", "stopped", "failed"}

// String returns the lower-case name of s.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

// Ended reports whether s is a state that only a new start leaves.
func (s State) Ended() bool { return s == StateStopped || s == StateFailed }
