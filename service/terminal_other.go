// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package service

// A terminal is not looked for on this system: HUP never comes from it.
type terminal struct{}

func openTerminal() *terminal  { return nil }
func (t *terminal) gone() bool { return false }
func (t *terminal) close()     {}
