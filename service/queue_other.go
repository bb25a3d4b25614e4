// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux || 386

package service

// queueOf is not known on this system.
func queueOf(int) (queue int, drops uint64) { return 0, 0 }
