// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package handover passes idle connections on: from a worker that drains to the one that takes its
// place, and from one generation of services to the next in the same process.
//
// A server opens a [Port] for the address that it serves, and gives connections away by it when it
// drains. Who gets them is known to the [Hub] of the process:
//
//   - another port of the same key, newer than the server's own, gets the net.Conn itself;
//   - else, while the Hub is held, they wait for such a port to open;
//   - else, where the launcher gave this process a [Hub.Successor], they go there, by descriptor. That
//     comes first where there are several.
//
// A server that goes on may give connections away too: the launcher joins a process that holds many with
// one that holds few by [Hub.Relieve], and the first one's servers are asked for some.
//
// # Between processes
//
// The launcher makes a [Pair] and gives both ends away. Packets, one connection each, go over it with
// these promises:
//
//   - Each connection is served by one process at any time. The taker answers for a connection before
//     its server sees it; a giver that loses patience shuts the channel down first, and then counts
//     what was answered, so that an answer either arrives or fails.
//   - The death of the taker at any moment costs nothing that it has not begun to use. The giver keeps
//     a copy of each descriptor until it hears that the connection is used, or until it has nothing
//     else left to do, and serves on what comes back.
//   - At most 64 are on the way without an answer. A taker without room for the descriptor refuses,
//     and the giver keeps the connection.
//   - Both sides say their version first. If these differ, nothing is handed over.
//
// Whoever gives a connection away says since when it is idle, so that it is not idle for longer just
// because it changes hands. Addresses are those of the socket.
package handover
