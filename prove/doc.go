// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package prove is a load generator that judges HTTP servers: it counts what they lose.

A [Load] is many clients that send requests to one server and check every answer, while things are
done to the server: signals, reloads, resizes, kills, a stop. A [Report] says what came of it.

	report, err := prove.Load{
		Target:  "http://127.0.0.1:8080/",
		Echo:    "/echo",
		Clients: 64,
		Disturb: []prove.Disturbance{{Name: "reload", Every: time.Second, Times: 100, Do: prove.Reload(client)}},
	}.Run(ctx)
	for _, line := range report.Judge(prove.Limits{}) {
		...
	}

The command mainstay prove load is the same for a shell.

# What is counted

Clients speak HTTP/1.1 and HTTP/2 over the socket themselves: a library that tries again hides what is
lost. Each request has a serial number; each posted body begins with it and its checksum, and has to
come back byte by byte. A request ends in one of three ways, and the counts add up: it is answered
rightly, it fails by a [Fault], or it is refused by a server that was told to stop.

A fault is of a [Class] (lost, truncated, wrong, doubled), has a [Cause] (what the client saw) and a
[Moment] (how far its request was). These are no faults:

  - The server closes a kept connection while no request is under way, and the client knows that before
    it sends: [Closes] counts it. If the close crosses a request on its way, the request is lost: a
    client cannot know whether it was executed, and a POST must not be sent twice.
  - The server announces the close by Connection: close. What the client has sent behind the request
    that was answered will not be served; it is sent anew on another connection (Report.Again). The
    same holds for streams that a GOAWAY or a REFUSED_STREAM of HTTP/2 leaves unserved.
  - A worker that is killed takes what it had in its hands with it: such faults are excused, and counted
    apart.

The number of connections made says little about a server: see [Closes] for what it has closed.

# Latency

A latency goes from the first byte sent, or the dial where there was one, to the last of the answer,
without the pauses of our own. With Load.Rate it begins when the request was due: a server that stops
for a second is late for all the requests of that second, not for one in each client's hand.

# Limits

A close that crosses a request is told from one before it by a
look at the socket, which needs a unix-like system; elsewhere a few closes of idle connections count as
lost requests. Executions are counted by [Echo] in one process.
*/
package prove
