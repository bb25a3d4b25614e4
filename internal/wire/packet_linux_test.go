// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/internal/wire"
)

// rawPair returns one end as a Conn and the other as a descriptor, for packets that no Conn sends.
func rawPair(t *testing.T) (*wire.Conn, int) {
	t.Helper()
	x, y, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	c := wire.NewConn(x)
	t.Cleanup(func() { c.Close(); syscall.Close(y) })
	return c, y
}

// countFDs returns how many descriptors this process has open.
func countFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestPacketsThatNoConnSends(t *testing.T) {
	null := openNull(t)
	fds := func(n int) []byte {
		var list []int
		for range n {
			list = append(list, null)
		}
		return syscall.UnixRights(list...)
	}
	for name, c := range map[string]struct {
		packet  string
		control []byte
		want    error // nil: it is skipped
	}{
		"oversized":               {strings.Repeat("x", wire.MaxPacket+1), nil, wire.ErrTooLarge},
		"oversized by far":        {strings.Repeat("x", 100_000), fds(2), wire.ErrTooLarge},
		"too many descriptors":    {`{"t":"offer"}`, fds(wire.MaxFDs + 5), wire.ErrDescriptors},
		"no JSON":                 {"hello", nil, nil},
		"no JSON but descriptors": {"hello", fds(3), nil},
		"no type":                 {"{}", fds(1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			conn, raw := rawPair(t)
			before := countFDs(t)
			if err := syscall.Sendmsg(raw, []byte(c.packet), c.control, nil, 0); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Sendmsg(raw, []byte(`{"t":"ready"}`), nil, nil, 0); err != nil {
				t.Fatal(err)
			}
			if c.want != nil {
				if m, _, err := conn.Receive(); !errors.Is(err, c.want) {
					t.Errorf("Receive() = %+v, %v, want %v", m, err, c.want)
				}
			}
			if m, got := receive(t, conn); m.Type != wire.Ready || len(got) != 0 {
				t.Errorf("then Receive() = %+v, %v, want the message that follows", m, got)
			}
			if after := countFDs(t); after != before {
				t.Errorf("%d descriptors are open, %d were before", after, before)
			}
		})
	}
}

func TestReceiverWithAFullTableIsTold(t *testing.T) {
	a, b := newPair(t)
	send(t, a, wire.Message{Type: wire.Offer, Re: 7}, openNull(t))
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 3 // all numbers below are taken
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	m, fds, err := b.Receive()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, wire.ErrDescriptors) || len(fds) != 0 || m.Re != 7 {
		t.Errorf("Receive() = %+v, %v, %v, want the message and %v", m, fds, err, wire.ErrDescriptors)
	}
}
