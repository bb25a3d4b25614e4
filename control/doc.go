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
// # Who may ask
//
// The socket has mode 0600 from its first moment, and every request is checked by the kernel's
// credentials of its connection: the user that the program runs as and root may ask, others get 403.
// Where the kernel's credentials are not known (systems other than Linux), the mode alone decides.
package control
