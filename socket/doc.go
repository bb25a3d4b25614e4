// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package socket makes listeners that the processes of a program share, and serves stream protocols
// on them.
//
// [Listen] gives a [Listener]: bound by this process, handed over by the launcher to a worker, or
// passed by a service manager; whoever accepts need not know which. [Config] has the options,
// [ParseAddress] reads an address as commands spell it:
//
//	network, address, err := socket.ParseAddress("unix:/run/app.sock")
//	...
//	ln, err := socket.Listen(ctx, network, address)
//
// [Listener.Shutdown] stops accepting so that no connection is lost. Any accept loop can use it, such
// as that of a gRPC server; package web does.
//
// A [Server] is an accept loop for a protocol of one's own, as a service. Its handlers say, with
// [Conn.Wait], when they have nothing in hand:
//
//	srv := &socket.Server{
//		Listener: ln,
//		Handler: func(ctx context.Context, c *socket.Conn) {
//			r := bufio.NewReader(c)
//			for c.Wait(r) == nil {
//				line, err := r.ReadString('\n')
//				if err != nil {
//					return
//				}
//				io.WriteString(c, line)
//			}
//		},
//	}
//	err = service.Launch(ctx, service.Options{Workers: 2}, srv)
//
// # Sockets of workers
//
// Where several workers serve at an address of TCP, each has a socket of its own there, made and kept by
// the launcher. The kernel sends each new connection to one of them at random, so that with many
// connections all workers have nearly equal parts: of 1,024 on 4 workers, at most 1.2 times the mean. The
// queue of a worker that dies belongs to the one that replaces it; until that is ready, and while a
// worker hangs or is not ready yet, new connections go to the others, and one of them serves what was
// queued. So a killed worker takes with it what it had accepted, and nothing that waited.
//
// [Config].Shared has all workers accept from one socket instead, as they do from unix sockets and from
// those that a service manager passed. A port that another program listens on is refused either way.
//
// Peers whose packets arrive with a time to live of 255, such as a load balancer one hop away that is set
// up so, are not held off by the usual gate of a stop: what they send in its last moments may be reset.
//
// Worker processes, passed sockets and emptying the queue without loss exist on Linux; elsewhere a
// Listener is one of package net with the same methods.
package socket
