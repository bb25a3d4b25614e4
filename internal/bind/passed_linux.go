// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"context"
	"net/netip"
	"path/filepath"
)

// openPassed returns a duplicate of the passed socket that spec means, nil if it means none.
func openPassed(ctx context.Context, spec Spec) (*Socket, error) {
	all := Passed()
	if spec.Network == "systemd" {
		p, err := pick(all, spec.Address, spec.Ordinal)
		if err != nil {
			return nil, err
		}
		return dupPassed(p, spec)
	}
	if len(all) == 0 {
		return nil, nil
	}
	same, err := matcher(ctx, spec)
	if err != nil {
		return nil, err
	}
	n := spec.Ordinal
	for _, p := range all {
		if addr, err := inspect(p.FD); err != nil || !same(addr) {
			continue
		}
		if n == 0 {
			return dupPassed(p, spec)
		}
		n--
	}
	return nil, nil
}

func dupPassed(p Inherited, spec Spec) (*Socket, error) {
	fd, err := (&Socket{FD: p.FD}).Dup()
	if err != nil {
		return nil, err
	}
	s, err := FromFD(fd, spec)
	if err != nil {
		(&Socket{FD: fd}).Close()
		return nil, err
	}
	return s, nil
}

// matcher returns a function that reports whether a socket with an address, as localAddr gives it,
// is one that spec means. Wildcards of IPv4 and IPv6 are the same to it, as one port cannot have both.
func matcher(ctx context.Context, spec Spec) (func(addr string) bool, error) {
	if spec.Network == "unix" {
		want := clean(spec.Address)
		return func(addr string) bool { return clean(addr) == want }, nil
	}
	where, err := resolve(ctx, spec.Network, spec.Address)
	if err != nil {
		return nil, err
	}
	return func(addr string) bool {
		got, err := netip.ParseAddrPort(addr)
		if err != nil || got.Port() != where.at.Port() || got.Port() == 0 {
			return false
		}
		return got == where.at || got.Addr().IsUnspecified() && where.at.Addr().IsUnspecified()
	}, nil
}

// clean makes names of unix sockets comparable.
func clean(name string) string {
	if name == "" || name[0] == '@' {
		return name
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}
