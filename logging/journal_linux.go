// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
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
