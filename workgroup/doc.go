// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package workgroup runs goroutines and timers that stop together.

	g, err := workgroup.New("conductor", workgroup.Options{Limit: 64})
	...
	g.Every(ctx, looping.Call{Name: "report"}, 10*time.Second, report)
	h, err := g.Go(ctx, "resize", func(ctx context.Context) error { return resize(ctx, server) })

A [Group] bounds how many goroutines run at a time; [Options.WhenFull] says whether [Group.Go] then
waits for room, fails, or queues. Timers are the loops of package looping, in goroutines of their own
that do not count. What is added gets a [Handle]: to stop it, to wait for it, to take it back while it
has not begun, to be told when it ends.

A function is given a context with the values of the one that it was added with, which ends when it is
stopped and not with the other. A panic is an error of that function. Errors are logged and kept for
[Group.Errors]; they end nothing else.

# How a group ends

[Group.Shutdown] lets what runs end, and what is queued run; [Group.Stop] cancels all. Both stop timers
before anything else, so that these start nothing any more, and wait in the same order. From their
first moment nothing can be added: Go and the timers return an error that wraps [ErrStopped], those too
that wait for room. So nothing that was added is forgotten, and nothing waits for what cannot come.

Functions of the group may call all its methods, with their own context: Stop, Shutdown and Wait then
leave the caller out, and others that wait in them.

A group is a service for package service: Serve returns when it was stopped and all has ended, and its
members are shown by Inspect.
*/
package workgroup
