// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package timers measures what very many timed calls cost a process: CPU time, memory, lateness, and
// how long it takes to stop them all. Each way to make the calls is a [Kind], and is measured in a
// process of its own: the command bench has some, a program beside it, with libraries of other people,
// has others. They share this package, so that all are measured alike.
package timers
