// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// pass makes listeners, as a service manager does, and passes them for the length of the test. It
// returns their addresses.
func pass(t *testing.T, specs ...bind.Spec) []string {
	t.Helper()
	var all []bind.Inherited
	var addrs []string
	for _, spec := range specs {
		name, addr, _ := strings.Cut(spec.Address, "=")
		spec.Address = addr
		s := mustBind(t, spec)
		all = append(all, bind.Inherited{FD: s.FD, Name: name})
		addrs = append(addrs, s.Addr)
	}
	bind.Passed = func() []bind.Inherited { return all }
	t.Cleanup(func() { bind.Passed = func() []bind.Inherited { return nil } })
	return addrs
}

func TestPassedSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	addrs := pass(t,
		bind.Spec{Network: "tcp", Address: "web=127.0.0.1:0"},
		bind.Spec{Network: "tcp", Address: "web=[::1]:0"},
		bind.Spec{Network: "tcp", Address: "any=:0"},
		bind.Spec{Network: "unix", Address: "local=" + path},
	)
	_, anyPort, _ := net.SplitHostPort(addrs[2])
	for name, c := range map[string]struct {
		spec bind.Spec
		want string
	}{
		"by name":                {bind.Spec{Network: "systemd", Address: "web"}, addrs[0]},
		"second of the name":     {bind.Spec{Network: "systemd", Address: "web", Ordinal: 1}, addrs[1]},
		"by index":               {bind.Spec{Network: "systemd", Address: "3"}, path},
		"by address":             {bind.Spec{Network: "tcp", Address: addrs[0]}, addrs[0]},
		"by IPv6 address":        {bind.Spec{Network: "tcp6", Address: addrs[1]}, addrs[1]},
		"by port":                {bind.Spec{Network: "tcp", Address: ":" + anyPort}, addrs[2]},
		"by port, IPv4 wildcard": {bind.Spec{Network: "tcp", Address: "0.0.0.0:" + anyPort}, addrs[2]},
		"by path":                {bind.Spec{Network: "unix", Address: path}, path},
		"by path, spelled otherwise": {
			bind.Spec{Network: "unix", Address: filepath.Dir(path) + "/./s"}, path},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // closing one leaves the original for the next
				s, err := bind.Bind(t.Context(), c.spec)
				if err != nil {
					t.Fatal(err)
				}
				if s.Addr != c.want || s.Spec != c.spec {
					t.Errorf("Bind(%+v) = %+v, want address %s", c.spec, s, c.want)
				}
				s.Close()
			}
		})
	}
	dial(t, "unix", path) // the file of a passed socket is not ours to remove
}

func TestPassedSocketsThatAreNone(t *testing.T) {
	spec := bind.Spec{Network: "systemd", Address: "web"}
	if _, err := bind.Bind(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "LISTEN_FDS") {
		t.Errorf("Bind(%+v) with nothing passed = %v, want LISTEN_FDS in the error", spec, err)
	}
	pass(t, bind.Spec{Network: "tcp", Address: "api=127.0.0.1:0"})
	for _, address := range []string{"web", "1", "-1", ""} {
		spec := bind.Spec{Network: "systemd", Address: address}
		if _, err := bind.Bind(t.Context(), spec); err == nil || !strings.Contains(err.Error(), `"api"`) {
			t.Errorf("Bind(%+v) = %v, want the names that were passed", spec, err)
		}
	}
	mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"}) // no match: a socket of its own
}
