// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package web is an HTTP server as a service: net/http with the options of oslo.service's wsgi server,
and with an end that loses no request.

A [Server] has the methods of a service, so it goes into service.Launch as it is:

	ln, err := socket.Listen(ctx, "tcp", ":8774")
	...
	err = service.Launch(ctx, service.Options{Workers: 4}, &web.Server{Listener: ln, Handler: mux})

It serves alone as well:

	ln, err := net.Listen("tcp", ":8774")
	...
	err = (&web.Server{Listener: ln, Handler: mux}).Serve(ctx)

# TLS

CertFile and KeyFile, or all the options of TLS, turn it on: see package tlsfiles. The files are checked by
Check and Start, and new ones are used as soon as they are found, or by [Server.Reset] at once; open
connections do not notice. HTTP/2 is offered beside HTTP/1.1; UnencryptedHTTP2 has it without TLS.
[Server.Inspect] shows the certificates and when they end.

# How it ends

Shutdown of net/http closes idle connections first, whose clients may be sending at that moment; what
is not safe to repeat is lost. [Server.Shutdown] goes this way instead:

 1. The listener stops accepting: at once where a successor or siblings serve on, else when the accept
    queue is empty. Meanwhile everything goes on.
 2. Each answer that begins from now on says Connection: close. HTTP/2 clients get a GOAWAY at once.
    Handlers learn of it by [Draining].
 3. Idle connections are waited for as long as DrainGrace lasts. Those that send a request get an
    answer. The others end then, but not without a last look for what came in that moment.
 4. Requests that run, or have begun to arrive, are waited for until the context ends. Then all is
    cut, and counted.

Where a successor is there, a new worker or the next generation in this process, or a sibling, as the
number of workers is reduced, an HTTP/1.1 connection without TLS goes another way: from step 2 on it
moves there as soon as it is idle. Its client sees neither a close nor a Connection: close. If the
successor dies meanwhile, connections that it has not begun to use come back, and the steps above hold
for them. DisableHandOver forbids it.

Between workers that serve on, idle connections move in the same way from those that hold many to those
that hold few: the kernel deals them out evenly only on the average, and new workers begin with none.

Connections that a handler took over, as for websockets, belong to the handler; the context of its
request ends when Serve returns. A handler that has asked for [Draining] is waited for, so that it can
say goodbye; if it does not end in time that is counted as a stream cut. DrainSpread lets such ends,
and those of endless answers, come one after the other. A server that was shut down can be started again if its listener can,
as that of package socket.

# What handlers see

Handlers get what net/http gives them: http.ResponseWriter with its optional methods, whether found by
assertion or by http.ResponseController. A panic is logged with its stack; the client gets a 500 if no
answer had begun, else a broken one. The context of a request descends from that of Serve, so it also
tells the worker, by service.WorkerOf.
*/
package web
