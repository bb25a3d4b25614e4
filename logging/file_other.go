// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package logging

import (
	"errors"
	"os"
)

const (
	canFollow = false
	nonblock  = 0
)

type identity struct{}

type fileStatus struct{}

func (*fileStatus) ofPath(string) error   { return errors.ErrUnsupported }
func (*fileStatus) ofFile(*os.File) error { return errors.ErrUnsupported }
func (*fileStatus) identity() identity    { return identity{} }
func (*fileStatus) size() int64           { return 0 }
func (*fileStatus) removed() bool         { return false }

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
