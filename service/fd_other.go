// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package service

import "errors"

// Without worker processes no descriptor is ever passed.

func dupFD(int) (int, error) { return -1, errors.ErrUnsupported }

func closeAll([]int) {}
