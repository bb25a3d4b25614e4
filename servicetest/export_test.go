// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest

import (
	"testing"

	"github.com/mainstay-go/mainstay/service"
)

// Hold checks one clause of Conform. It works inside a bubble, and with what stands in for a test.
func Hold(t testing.TB, clause string, svc service.Service) {
	for _, c := range clauses {
		if c.name == clause {
			hold(t, svc, c.check)
			return
		}
	}
	panic("no clause " + clause)
}

// Clauses returns the names of what Conform checks.
func Clauses() []string {
	var names []string
	for _, c := range clauses {
		names = append(names, c.name)
	}
	return names
}
