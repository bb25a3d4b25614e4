// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package proxyproto reads the PROXY protocol, versions 1 and 2: what a load balancer writes at the begin
of a connection to tell whose it is.

	ln, err := socket.Listen(ctx, "tcp", ":8774")
	...
	ln, err = proxyproto.Wrap(ln, proxyproto.Options{Trusted: []string{"10.0.0.0/8"}})
	...
	api := &web.Server{Listener: ln, Handler: mux}

Connections from trusted addresses must begin with a header, within a time limit; RemoteAddr and
LocalAddr are then those that it tells. A header with LOCAL or UNKNOWN, such as that of a health check
of the load balancer, leaves the addresses as they are. From everybody else a header is not read: it is
the begin of a request, and a bad one. The header is read by the first Read, RemoteAddr or LocalAddr, in
the goroutine of the connection, so that a slow peer keeps nobody else waiting in Accept.

The wrapped listener keeps its ways to end: what it has of Shutdown(ctx) and Reopen(ctx) is used. A
web.Server cannot hand connections of a wrapped listener over to its successor, since what was read of
them would be lost on the way: in a reload they end by Connection: close.

TLS goes on top of it: tls.NewListener(proxied, config), or the TLS of web.Server.
*/
package proxyproto
