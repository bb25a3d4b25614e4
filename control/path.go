// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// maxPath is what sockaddr_un holds on Linux, less the final zero.
const maxPath = 107

// systemStatePath is the state path of daemons that run as root.
const systemStatePath = "/var/lib/mainstay"

// StatePath returns the default of the state path: mainstay in $XDG_STATE_HOME where that is set, else
// /var/lib/mainstay for root and, as the XDG base directory specification has it,
// ~/.local/state/mainstay for other users.
func StatePath() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mainstay")
	}
	if home := os.Getenv("HOME"); os.Geteuid() != 0 && filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "mainstay")
	}
	return systemStatePath
}

// SocketPath returns the path of the control socket of program under statePath.
func SocketPath(statePath, program string) string {
	return filepath.Join(statePath, program+".sock")
}

// checkPath refuses what no socket file can be bound at.
func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("want a path")
	case path[0] == '@':
		return errors.New("want a path: an abstract socket has no mode that keeps others out")
	case len(path) > maxPath:
		return fmt.Errorf("%d bytes long, the kernel takes %d", len(path), maxPath)
	}
	return nil
}
