// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

// Steer sends new connections of a group to one member.
var Steer = steer

// Gates are the kinds of gate, by name, each without the others.
var Gates = map[string]func(fd int) (*Gate, error){
	"minimum TTL": shutTTL,
	"sink":        shutSink,
	"filter":      shutFilter,
}
