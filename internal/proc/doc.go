// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package proc knows what this process is and starts others of its kind.
//
// A program that has workers runs main in each of its processes, up to the point where it launches.
// [Self] tells them apart by [Role]: the program itself, which is the launcher once it has workers
// ([Alone]), one of its workers ([Worker]), or a short-lived process that only finds out what main
// would do ([Probe]). What main needs before that point works in each of them:
//
//   - [Process.ReadFile] reads a configuration file: from disk, or in a worker from the [Snapshot]
//     that the launcher made;
//   - [Process.Listen] gives a [Lease] of a listening socket: bound by this process and kept in its
//     [Table], or in a worker asked of the launcher, or in a probe only noted down.
//
// The launcher starts workers and probes with a [Spawner]: this very program, even if its file was
// replaced, with the same arguments. A [Child] is what the launcher holds of one: the channel to it,
// its scoreboard and the [Tail] of its standard error.
//
// A child is told what it is by the environment variable MAINSTAY_PROC, which package initialisation
// removes, and finds its descriptors at fixed numbers:
//
//	0  /dev/null
//	1  the launcher's standard output
//	2  a pipe to the launcher, which passes whole lines on to its own standard error
//	3  the channel, see package wire
//	4  its scoreboard
//	5  its snapshot, or /dev/null
//	6  the launcher's standard error, for when the launcher is gone
//
// Worker processes exist on Linux. Elsewhere every process is Alone and spawning is
// [errors.ErrUnsupported].
package proc
