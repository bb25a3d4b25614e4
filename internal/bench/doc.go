// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures mainstay beside its peers and prints a table of ratios: make bench.
//
//	go run ./internal/bench                        all rows, about a quarter of an hour
//	go run ./internal/bench -list                  the rows
//	go run ./internal/bench -quick -rows start     one of them, shortened
//
// Figures of one run are compared with each other, never with those of another run or machine. Each
// comparison starts both servers anew for each of its pairs, loads one, then the other, and takes the
// ratio of the two; the median over the pairs is the result, and the quartiles beside it say how far
// to believe it. The row noise compares two bare servers: no other row can tell less than it shows.
//
// What is lost in reloads and stops is counted by package prove, over kept connections and new ones,
// with the same load for every server; requests that cross a close count as lost.
//
// The rows reload-latency take half of the load that the server has just shown to bear, sent when each
// request is due, and look at two windows of one length in turn: from the signal of a reload to 100 ms
// after the last old process is gone, and at rest. The row roll is the same reload without any load.
//
// The row fair connects all clients at once, asks over each connection which process serves, and takes
// the worst of its rounds. With few clients it gives connections the time to move: the detail says how
// they were dealt out, and whether any moved.
//
// The load generator of the other rows is a process of its own with one thread: it costs about a third of a core at full
// load, keeps one request under way on each of 64 kept-alive connections, and checks each answer. CPU
// time is that of all processes of a server, by their CPU clocks, over exactly the measured window.
//
// The row timers has 100,000 timed calls a second, made in several ways, each in a process of its own
// that measures itself: package timers says how. The ways are listed in timerSides. Those with the
// libraries of other people are a program in peers/timers, a module of its own; the go command fetches
// what it needs when it is built, and the row says so where that is not possible.
package main
