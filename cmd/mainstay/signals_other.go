// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import (
	"fmt"
	"os"
	"strings"
)

// parseSignal returns the signal of a name; there is only one here.
func parseSignal(name string) (os.Signal, error) {
	if strings.TrimPrefix(strings.ToUpper(name), "SIG") == "KILL" {
		return os.Kill, nil
	}
	return nil, fmt.Errorf("--signal: %q: want KILL, this system has no other", name)
}
