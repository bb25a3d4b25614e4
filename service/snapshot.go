// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import "github.com/mainstay-go/mainstay/internal/proc"

// ReadFile reads a configuration file so that all workers of a generation see the same bytes: the
// launcher remembers what main read, and its workers, those started later too, get these bytes and
// never the disk's. In a program without worker processes, and for a file that main did not read, it
// is os.ReadFile. A reload reads the files anew, in a probe of its own, before anything changes.
func ReadFile(path string) ([]byte, error) { return proc.Self().ReadFile(path) }
