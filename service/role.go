// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import "github.com/mainstay-go/mainstay/internal/proc"

// InLauncher reports whether this process is the program itself: its launcher, or all of a program
// without worker processes. It is false in a worker and in the probe of a reload, where main should
// say nothing that the launcher says already. It is known before Launch.
func InLauncher() bool { return proc.Self().Role() == proc.Alone }

// ThisWorker returns which worker this process is; ok is false outside of worker processes, and in one
// until Launch. It is for what has no context, such as a log: services ask [WorkerOf].
func ThisWorker() (w Worker, ok bool) {
	if proc.Self().Role() != proc.Worker {
		return Worker{}, false
	}
	id := proc.Self().Identity()
	return Worker{Set: id.Set, ID: id.Slot, Count: id.Count, Generation: id.Generation}, id.Set != ""
}
