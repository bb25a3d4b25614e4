// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package logging

import "io"

func isTerminal(io.Writer) bool { return false }
