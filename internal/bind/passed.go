// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An Inherited is a listening descriptor that a service manager passed to this program.
type Inherited struct {
	FD   int
	Name string
}

// Passed returns what the service manager passed to this process. Package socket sets it while the
// program initialises, so that this package needs to know no service manager. [Bind] takes a
// duplicate of a passed socket for a Spec of network systemd, whose address is a name or an index,
// and for any other Spec whose address the socket has. The originals stay open.
var Passed = func() []Inherited { return nil }

// pick returns the passed descriptor that a name, or else an index, means. Of several with one name
// the ordinal chooses.
func pick(all []Inherited, address string, ordinal int) (Inherited, error) {
	n := ordinal
	for _, p := range all {
		if p.Name != address {
			continue
		}
		if n == 0 {
			return p, nil
		}
		n--
	}
	if i, err := strconv.Atoi(address); err == nil && ordinal == 0 && i >= 0 && i < len(all) {
		return all[i], nil
	}
	if len(all) == 0 {
		return Inherited{}, errors.New("no sockets were passed to this process (LISTEN_FDS)")
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = strconv.Quote(p.Name)
	}
	return Inherited{}, fmt.Errorf("was not passed to this process; these were: %s", strings.Join(names, ", "))
}
