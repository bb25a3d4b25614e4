// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package proc

// become returns a process without a launcher: there are no worker processes on this system.
func become() *Process { return newProcess(Alone, nil) }

// LostLauncher does nothing: there are no launchers on this system.
func (p *Process) LostLauncher() {}
