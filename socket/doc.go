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
// Worker processes, passed sockets and emptying the queue without loss exist on Linux; elsewhere a
// Listener is one of package net with the same methods.
package socket
