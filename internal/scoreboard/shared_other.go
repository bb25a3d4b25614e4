// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package scoreboard

import "errors"

// Create is not supported here.
func Create() (*Board, int, error) { return nil, -1, errors.ErrUnsupported }

// Open is not supported here.
func Open(fd int) (*Board, error) { return nil, errors.ErrUnsupported }

// Close ends the use of the board; Read may still be called.
func (b *Board) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.page = nil
	return nil
}

func clockMonotonic() int64 { return 1 }
