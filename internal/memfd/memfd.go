// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package memfd passes bytes between processes as descriptors of anonymous memory.
//
// Such a file has no name, needs no cleaning up and can be sealed, so that whoever receives it may
// rely on what it holds. Only Linux has it; elsewhere every function answers [errors.ErrUnsupported].
package memfd

// MaxSize bounds what [Read] accepts, in bytes.
const MaxSize = 64 << 20
