// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"slices"
	"strings"
)

// childEnv returns the environment of a child: env without what concerns this process alone, then
// extra, which wins, then the marker of its role.
func childEnv(env, extra []string, role Role) []string {
	list := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		// The first of two variables of one name counts, so the other must go.
		return isPrivate(v) || slices.ContainsFunc(extra, func(x string) bool { return key(x) == key(v) })
	})
	return append(append(list, extra...), marker(role))
}

func key(v string) string {
	name, _, _ := strings.Cut(v, "=")
	return name
}

// isPrivate reports whether a variable is between this process and who started it: a worker must not
// talk to the service manager, nor take its sockets.
func isPrivate(v string) bool {
	for _, prefix := range []string{"MAINSTAY_", "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_"} {
		if strings.HasPrefix(v, prefix) {
			return true
		}
	}
	return false
}
