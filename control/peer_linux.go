// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// peerOf asks the kernel who connected or, of a connection that we made, who listens.
func peerOf(conn net.Conn) peer {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return peer{err: errors.ErrUnsupported}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return peer{err: err}
	}
	if credErr != nil {
		return peer{err: os.NewSyscallError("getsockopt", credErr)}
	}
	return peer{uid: int(cred.Uid), pid: int(cred.Pid)}
}
