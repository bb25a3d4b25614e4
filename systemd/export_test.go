// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd

var (
	Monotonic = monotonic
	Parse     = parse
	Send      = send
)
