// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/systemd"
)

// Importing this package changes nothing: the function is called by the first bind, and only in the
// process that the variables name.
func init() {
	bind.Passed = func() []bind.Inherited {
		var all []bind.Inherited
		for _, p := range systemd.ListenFDs() {
			all = append(all, bind.Inherited{FD: p.FD, Name: p.Name})
		}
		return all
	}
}
