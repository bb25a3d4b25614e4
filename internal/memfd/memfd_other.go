// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package memfd

import "errors"

// Create is not supported here.
func Create(name string, size int) (int, error) { return -1, errors.ErrUnsupported }

// Write is not supported here.
func Write(name string, data []byte) (int, error) { return -1, errors.ErrUnsupported }

// Read is not supported here.
func Read(fd int) ([]byte, error) { return nil, errors.ErrUnsupported }
