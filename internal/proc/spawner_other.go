// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package proc

import (
	"errors"
	"syscall"
)

// A Spawner starts processes, which this system does not support.
type Spawner struct{}

// NewSpawner is not supported here.
func NewSpawner() (*Spawner, error) { return nil, errors.ErrUnsupported }

// Start is not supported here.
func (s *Spawner) Start(c Command) (*Child, error) { return nil, errors.ErrUnsupported }

// Kill is not supported here.
func (s *Spawner) Kill(pid int, sig syscall.Signal) error { return errors.ErrUnsupported }

// Close does nothing.
func (s *Spawner) Close() error { return nil }

// A Tail is the standard error of a child, of which there are none on this system.
type Tail struct{}

// Lines returns nil.
func (t *Tail) Lines() []string { return nil }

// Crash returns nothing.
func (t *Tail) Crash() string { return "" }

// Done returns nil.
func (t *Tail) Done() <-chan struct{} { return nil }

// Strange returns nil: descriptors can be looked at on Linux alone.
func Strange() []string { return nil }
