// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package systemd

// monotonic returns false: there is no systemd to compare clocks with.
func monotonic() (int64, bool) { return 0, false }
