// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// mustBind binds spec for the length of the test.
func mustBind(t *testing.T, spec bind.Spec) *bind.Socket {
	t.Helper()
	s, err := bind.Bind(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestKey(t *testing.T) {
	for spec, want := range map[bind.Spec]string{
		{Network: "tcp", Address: "127.0.0.1:8774"}:        "tcp 127.0.0.1:8774",
		{Network: "tcp", Address: ":0", Ordinal: 1}:        "tcp :0#1",
		{Network: "unix", Address: "/run/x", Backlog: 128}: "unix /run/x",
	} {
		if got := spec.Key(); got != want {
			t.Errorf("%+v.Key() = %q, want %q", spec, got, want)
		}
	}
}

func TestSpecTravelsAsJSON(t *testing.T) {
	want := bind.Spec{Network: "unix", Address: "@x", Ordinal: 2, Backlog: 7, Mode: 0o640, RetryUntil: time.Second}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got bind.Spec
	if err := json.Unmarshal(data, &got); err != nil || got != want {
		t.Errorf("%s came back as %+v, %v, want %+v", data, got, err, want)
	}
}

func TestBindRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spec bind.Spec
		want string // in the error, beside the address
	}{
		"a network of datagrams":  {bind.Spec{Network: "udp", Address: ":0"}, "udp"},
		"an address without port": {bind.Spec{Network: "tcp", Address: "127.0.0.1"}, "HOST:PORT"},
		"a port out of range":     {bind.Spec{Network: "tcp", Address: "127.0.0.1:65536"}, `"65536"`},
		"a port that is a word":   {bind.Spec{Network: "tcp", Address: "127.0.0.1:no-such"}, `"no-such"`},
		"a host that does not resolve": {
			bind.Spec{Network: "tcp", Address: "no-such-host.invalid:80"}, `"no-such-host.invalid"`},
		"a host of the other family":     {bind.Spec{Network: "tcp4", Address: "[::1]:0"}, "tcp4"},
		"a negative backlog":             {bind.Spec{Network: "tcp", Address: ":0", Backlog: -1}, "backlog: -1"},
		"a mode with more than the bits": {bind.Spec{Network: "unix", Address: "x", Mode: fs.ModeSetuid}, "mode"},
		"an empty path":                  {bind.Spec{Network: "unix"}, "empty"},
		"an empty abstract name":         {bind.Spec{Network: "unix", Address: "@"}, "empty"},
		"a path with a zero byte":        {bind.Spec{Network: "unix", Address: "a\x00b"}, "zero byte"},
		"a path that is too long":        {bind.Spec{Network: "unix", Address: "/" + strings.Repeat("x", 107)}, "108"},
		"a path in a missing folder":     {bind.Spec{Network: "unix", Address: "/no/such/folder/x"}, "/no/such/folder"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := bind.Bind(t.Context(), c.spec)
			if err == nil {
				s.Close()
				t.Fatalf("Bind(%+v) = nil error", c.spec)
			}
			msg := err.Error()
			if !strings.Contains(msg, c.want) || !strings.Contains(msg, c.spec.Network+" "+c.spec.Address) {
				t.Errorf("Bind(%+v) = %q, want the address and %q in it", c.spec, msg, c.want)
			}
			if strings.Contains(msg, "\n") {
				t.Errorf("Bind(%+v) = %q, want one line", c.spec, msg)
			}
		})
	}
}

func TestWS08PortZeroIsARealPort(t *testing.T) {
	s := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil || host != "127.0.0.1" || port == "0" {
		t.Errorf("Addr = %q, want 127.0.0.1 and a real port", s.Addr)
	}
	dial(t, "tcp", s.Addr)
}

func TestWS09IPv6(t *testing.T) {
	s := mustBind(t, bind.Spec{Network: "tcp", Address: "[::1]:0"})
	if !strings.HasPrefix(s.Addr, "[::1]:") {
		t.Errorf("Addr = %q, want [::1] and a port", s.Addr)
	}
	dial(t, "tcp", s.Addr)
}

func TestAnEmptyHostAnswersBothFamilies(t *testing.T) {
	_, port, _ := net.SplitHostPort(mustBind(t, bind.Spec{Network: "tcp", Address: ":0"}).Addr)
	dial(t, "tcp4", "127.0.0.1:"+port)
	dial(t, "tcp6", "[::1]:"+port)
}

func TestAHostNameIsLookedUp(t *testing.T) {
	dial(t, "tcp", mustBind(t, bind.Spec{Network: "tcp", Address: "localhost:0"}).Addr)
}

func TestASecondBindIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ first, second string }{
		"IPv4":                     {"127.0.0.1", "127.0.0.1"},
		"IPv6":                     {"::1", "::1"},
		"every address":            {"", ""},
		"IPv4 after every address": {"", "0.0.0.0"},
		"every address after IPv4": {"0.0.0.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustBind(t, bind.Spec{Network: "tcp", Address: net.JoinHostPort(c.first, "0")})
			_, port, _ := net.SplitHostPort(s.Addr)
			addr := net.JoinHostPort(c.second, port)
			if second, err := bind.Bind(t.Context(), bind.Spec{Network: "tcp", Address: addr}); !errors.Is(err, syscall.EADDRINUSE) {
				if err == nil {
					second.Close()
				}
				t.Errorf("Bind(%q) = %v, want EADDRINUSE", addr, err)
			}
			if ln, err := net.Listen("tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
				if err == nil {
					ln.Close()
				}
				t.Errorf("net.Listen(%q) = %v, want EADDRINUSE", addr, err)
			}
		})
	}
}

func TestCloseTwice(t *testing.T) {
	s := mustBind(t, bind.Spec{Network: "tcp", Address: "127.0.0.1:0"})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	if c, err := net.Dial("tcp", s.Addr); err == nil {
		c.Close()
		t.Error("connected after Close")
	}
}

// dial connects, which needs nobody to accept, and closes again.
func dial(t *testing.T, network, addr string) {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Errorf("Dial(%s, %s): %v", network, addr, err)
		return
	}
	c.Close()
}
