// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import "github.com/mainstay-go/mainstay/internal/proc"

// ReadFile reads a configuration file so that all workers of a generation see the same bytes: the
// launcher remembers what main read, and its workers, those started later too, get these bytes and
// never the disk's. In a program without worker processes, and for a file that main did not read, it
// is os.ReadFile. A reload reads the files anew, in a probe of its own, before anything changes.
func ReadFile(path string) ([]byte, error) { return proc.Self().ReadFile(path) }

// ReadDir returns the names in a folder, sorted, so that all workers of a generation see the same ones,
// whatever came or went on disk since: what [ReadFile] is for files. The names are the caller's.
func ReadDir(path string) ([]string, error) { return proc.Self().ReadDir(path) }

// Mutated reports whether a mutate has changed the configuration that this worker started with, and
// from then on [ReadFile] and [ReadDir] answer with that change. A worker that is started after a
// mutate first reads what its generation began with, in which options have their values that need a
// reload, and then this. It reports true once. Only workers of a launcher with [Options] Configure are
// told apart so; others start with the latest files.
func Mutated() bool { return proc.Self().Mutated() }
