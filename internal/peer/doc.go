// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package peer starts the programs that interop tests and benchmarks talk to, and sees to it that
// they end: also when the test that started them fails, times out or is killed.
//
// Every program leads a process group of its own. A [Guard] process, started with the first program,
// knows the groups and the temporary folder through a pipe; at the pipe's end, however that came, it
// ends what is left. [Main] must be the first call of main or TestMain.
package peer
