// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package service runs services: in this process, or in supervised worker processes that are this
// program started again. It starts them in order, tells the world when they are ready, and keeps them
// running through signals, crashes and reloads, until it stops them without losing what they have in
// hand.
//
// A [Service] has one method, Serve, and up to five optional ones: [Starter], [Shutdowner],
// [Resetter], [Checker] and [Namer]. [Launch] runs some of them as one program:
//
//	func main() {
//		ln, err := socket.Listen(context.Background(), "tcp", "127.0.0.1:8080")
//		if err != nil {
//			service.Exit(err)
//		}
//		api := &web.Server{Listener: ln, Handler: handler}
//		service.Exit(service.Launch(context.Background(), service.Options{Workers: 4}, api))
//	}
//
// # In one process or in several
//
// With 0 or 1 workers a [ServiceLauncher] runs the services in this process. With more, a
// [ProcessLauncher] starts this program again for each of them. So main runs up to Launch in the
// launcher, in every worker and, for a reload, in a short-lived probe. It should build and no more:
// connections belong in Start, and a service that is costly to make in [Define]. A ProcessLauncher
// used directly has several sets, each with its own number of workers, and supervises a single
// worker too. Worker processes exist on Linux; everything else works wherever Go does.
//
// A launcher that runs worker processes runs no service code. It holds the listening sockets, so that
// connections wait in the queue while a worker is replaced; its workers get them from package socket,
// and what their main reads with [ReadFile] is what the launcher read, not what is on disk now.
//
// # Stopping
//
// TERM drains: Shutdown is called with the reason in its context (see [Draining]) and the time left as
// its deadline. At the deadline Serve's context is cancelled, and what has not returned a second later
// is cut off: a worker by SIGKILL, a service in this process by the end of Run. Who was late is logged
// by name, and the exit code is 3. A second TERM does not wait. INT ends everything at once with 1.
//
// # Reloading
//
// HUP makes a new plan first, in a probe process that runs main with the new files and then every
// Check. If that fails, one line says why and nothing has changed. [RestartReload] then replaces the
// workers one by one, each new one ready before the old one drains; if one does not become ready, the
// workers in force are put back. [RestartMutate] keeps the processes and calls Reset.
//
// What the probe read by [ReadFile] and [ReadDir] is the snapshot of the new generation. [Options]
// Configure takes it over in processes that go on; [Build] makes a service anew where it starts again.
// Package daemon does both for programs with configuration files.
//
// # Supervision
//
// A worker that ends unasked is replaced at once. One that fails, which is to end before it is ready
// or within a second of that, is replaced after a pause that doubles up to 2 s, at most 20 times a
// minute; then its slot is given up, and the program ends with 4 when nothing serves any more. A
// service whose Start fails before the program was ever ready ends the program with 1.
//
// A service that panics takes its process with it, with Go's exit code 2: a goroutine cannot be
// stopped from outside, a process can. See [Options], [Set] and [Hooks] for the rest.
//
// # Looking inside
//
// A service that implements [Inspector] shows, by kind, what it knows of itself, as its tasks. The control
// socket collects a kind from all workers ("mainstay inspect tasks"); one that hangs has an error in its
// place after two seconds. [Options] Inspect is for what the launcher itself has to show.
package service
