// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package control steers a running program through a unix socket: a [Server] in the launcher answers,
// a [Client] asks, a [Target] does.
//
// The interface is HTTP with JSON, so that any HTTP client that knows unix sockets will do:
//
//	curl --unix-socket /var/lib/mainstay/mainstay.sock http://mainstay/v1/status
//	curl --unix-socket ... -X POST http://mainstay/v1/reload
//	curl --unix-socket ... -X POST http://mainstay/v1/scale -d '{"set": "api", "workers": 4}'
//
//	GET  /v1/status   Status
//	POST /v1/reload   Outcome, when the reload is complete
//	POST /v1/stop     Outcome, when the last worker has gone
//	POST /v1/scale    Outcome, when as many workers serve as {"set", "workers"} asks
//	POST /v1/check    Outcome of making the plan that a reload would run
//	GET  /v1/inspect         the kinds of things that services show of themselves, as ["tasks"]
//	GET  /v1/inspect/{kind}  an Inspection for each service that shows any
//
// Every answer but 200 is an object with an error: 400 for a bad value, 403 for another user, 404 for
// an unknown path or set, 405 for the wrong method, 409 for what this program cannot do or not now,
// 500 for an action that failed; the last three may be outcomes with their error set.
//
// # Actions
//
// Signals and requests are done one after the other, by one machine; one that has to wait for another does,
// and while the program stops it is refused. A request is answered when the workers that it replaced are
// gone, with how long that took, what was cut at the deadline and how many requests were lost by that.
// With ?progress=1, or Accept: application/x-ndjson, the answer is a stream: a line with how far it is
// whenever that has changed, and at last one with the outcome, the error or both:
//
//	{"progress":{"action":"reload","step":"rolling","generation":2,"sets":[{"set":"api","ready":1,"workers":4,"leaving":1}]}}
//	{"outcome":{"action":"reload","generation":2,"millis":35,"cut":0}}
//
// Status has the last sixteen operations: what, by whom, when, and what came of it. What came of a signal is
// read there.
//
// # What was lost
//
// Status counts, over all workers there have been, the requests that the program had taken on and lost, by
// cause: [Losses]. Each is one that a client sees as a connection that ends without the whole answer. Not
// known to it are requests that lay unread in the connection of a worker that died. What a full queue turned
// away is counted by the kernel, in attempts, at each [Listener]: clients try again by themselves.
//
// # Who may ask
//
// The socket has mode 0600 from its first moment, and every request is checked by the kernel's
// credentials of its connection: the user that the program runs as and root may ask, others get 403.
// Where the kernel's credentials are not known (systems other than Linux), the mode alone decides.
package control
