// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import "context"

// Launch runs services until they end, or until ctx or a signal says stop: in this process if
// opts.Workers is 0 or 1, else all of them in each of so many worker processes. It blocks until
// nothing of them is left and returns nil if they stopped as asked; give its error to [Exit].
//
// A worker process is this program started again: main runs up to Launch in the launcher, in every
// worker and, for a reload, in a short-lived probe, and Launch decides what the process is. In a
// probe Launch does not return. So main should only build: what opens connections belongs in Start.
func Launch(ctx context.Context, opts Options, svcs ...Service) error {
	opts.setDefaults()
	set := Set{Name: opts.Name, Services: svcs, Workers: max(opts.Workers, 1)}
	if err := opts.validate(); err != nil {
		return err
	}
	if set.Workers == Auto {
		set.Workers = autoWorkers()
	}
	l := NewProcessLauncher(opts)
	l.inProcess = set.Workers == 1
	if err := l.Add(set); err != nil {
		return err
	}
	if l.inProcess && !l.elsewhere() {
		return launchHere(ctx, opts, svcs)
	}
	return l.Run(ctx)
}

// launchHere runs the services in this process.
func launchHere(ctx context.Context, opts Options, svcs []Service) error {
	l := NewServiceLauncher(opts)
	if err := l.Add(svcs...); err != nil {
		return err
	}
	return l.Run(ctx)
}
