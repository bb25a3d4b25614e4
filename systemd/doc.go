// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package systemd speaks to a service manager: it says when a program is ready, reloading or
// stopping, and takes the sockets that the manager passed. No library is needed for it: both are
// environment variables and datagrams (sd_notify(3), sd_listen_fds(3)).
//
// Without a service manager nothing happens: [Notify] and its kin return nil, [ListenFDs] returns
// nothing. A program may therefore call them always:
//
//	if err := systemd.Notify(systemd.Ready); err != nil {
//		slog.Debug("notify", "error", err)
//	}
//
// Launchers in package service send these messages by themselves, and keep the variables from their
// workers ([Strip]): a worker that notified would speak for the whole program.
package systemd
