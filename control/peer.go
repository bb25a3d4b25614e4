// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import "fmt"

// A peer is who is at the other end of a connection, as the kernel says.
type peer struct {
	uid, pid int
	err      error // set if the kernel did not say
}

// admit returns nil if p may control a program that runs as user euid: root may, and that user.
func (p peer) admit(euid int) error {
	if p.err != nil {
		return fmt.Errorf("cannot tell who asks: %w", p.err)
	}
	if p.uid != 0 && p.uid != euid {
		return fmt.Errorf("user %d may not control a program of user %d", p.uid, euid)
	}
	return nil
}
