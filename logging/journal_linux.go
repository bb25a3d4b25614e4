// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"net"
	"syscall"

	"github.com/mainstay-go/mainstay/internal/memfd"
)

const canJournal = true

// inMemory puts data into a sealed file in memory and returns the message that passes it; done is for
// when it was sent.
func inMemory(data []byte) (rights []byte, done func(), err error) {
	fd, err := memfd.Write("journal", data)
	if err != nil {
		return nil, nil, err
	}
	return syscall.UnixRights(fd), func() { syscall.Close(fd) }, nil
}

// sendRights sends an empty datagram with rights. Package net does not, on a connected socket.
func sendRights(conn *net.UnixConn, rights []byte) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Write(func(fd uintptr) bool {
		for {
			sendErr = syscall.Sendmsg(int(fd), nil, rights, nil, 0)
			if sendErr != syscall.EINTR {
				return sendErr != syscall.EAGAIN
			}
		}
	})
	if err != nil {
		return err
	}
	return sendErr
}
