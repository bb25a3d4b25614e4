// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"errors"
	"slices"
)

// A Group is the sockets at one address, each with an accept queue of its own, so that each worker
// has one: the kernel shares new connections out among them, and [Group.Steer] keeps some out of it.
//
// The process that holds a Group must be the only one that makes and removes its sockets. It keeps
// the kernel's order of them: as they began to listen, and where one goes, the last takes its place.
// A duplicate in another process changes nothing, as [Group.Remove] ends the socket for everybody.
//
// Its methods must not be called from two goroutines at a time.
type Group struct {
	socks []*Socket // in the kernel's order
}

// NewGroup returns the group of which first is the only socket so far.
func NewGroup(first *Socket) *Group { return &Group{socks: []*Socket{first}} }

// Sockets returns the members. The caller must not change the list.
func (g *Group) Sockets() []*Socket { return g.socks }

// Splits reports whether the address can have more than one socket: one of TCP that [Bind] made.
func (g *Group) Splits() bool { return len(g.socks) > 0 && g.socks[0].splits() }

// Join adds a socket. Until the next Steer it gets no connections where something was steered before,
// else its share.
func (g *Group) Join() (*Socket, error) {
	if len(g.socks) == 0 {
		return nil, errors.New("join: the address has no socket any more")
	}
	s, err := g.socks[0].join()
	if err != nil {
		return nil, err
	}
	g.socks = append(g.socks, s)
	return s, nil
}

// Steer shares new connections out among the members for which open is true, at random; among all if
// it is true for none. Those that are in a queue stay there. Members that join or go make the choice
// void: steer again.
func (g *Group) Steer(open func(*Socket) bool) error {
	chosen := make([]bool, len(g.socks))
	for i, s := range g.socks {
		chosen[i] = open(s)
	}
	if !slices.Contains(chosen, true) {
		for i := range chosen {
			chosen[i] = true
		}
	}
	return g.choose(chosen)
}

// Remove ends a member at once, also for those who have a duplicate of it: their Accept fails. What
// is left in its queue is reset, so steer away and empty it first.
func (g *Group) Remove(s *Socket) error {
	i := slices.Index(g.socks, s)
	if i < 0 {
		return nil
	}
	last := len(g.socks) - 1
	g.socks[i] = g.socks[last]
	g.socks = g.socks[:last]
	return errors.Join(s.end(), s.Close())
}

// Close closes the descriptors of all members; those who have duplicates accept on.
func (g *Group) Close() error {
	var errs []error
	for _, s := range g.socks {
		errs = append(errs, s.Close())
	}
	g.socks = nil
	return errors.Join(errs...)
}
