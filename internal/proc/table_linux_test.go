// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// anyPort is a spec for sockets on ports that the kernel chooses.
var anyPort = bind.Spec{Network: "tcp", Address: "127.0.0.1:0"}

func ExampleTable() {
	table := proc.NewTable()
	defer table.CloseAll()
	// main asks for its addresses; a launcher keeps them.
	lease, err := table.Claim(context.Background(), anyPort)
	if err != nil {
		panic(err)
	}
	table.Hold(true)
	fmt.Println(lease.Spec.Key())
	// A worker gets a duplicate.
	q, _, err := table.Give(lease.Spec.Key(), proc.Place{Set: "api", Slot: 0})
	fmt.Println(q.Addr == lease.Addr, err)
	syscall.Close(q.FD)
	// Output:
	// tcp 127.0.0.1:0
	// true <nil>
}

func newTable(t *testing.T) *proc.Table {
	t.Helper()
	table := proc.NewTable()
	t.Cleanup(func() { table.CloseAll() })
	return table
}

func claim(t *testing.T, table *proc.Table, spec bind.Spec) *proc.Lease {
	t.Helper()
	l, err := table.Claim(deadline(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func keys(table *proc.Table) (list []string) {
	for _, l := range table.List() {
		list = append(list, l.Key)
	}
	return list
}

func wantKeys(t *testing.T, table *proc.Table, want ...string) {
	t.Helper()
	if got := keys(table); !slices.Equal(got, want) {
		t.Errorf("the table has %q, want %q", got, want)
	}
}

// dials reports whether somebody listens on addr.
func dials(t *testing.T, network, addr string) bool {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return false
	}
	c.Close()
	return true
}

func TestClaimsOfOneAddressGetSocketsOfTheirOwn(t *testing.T) {
	table := newTable(t)
	first, second := claim(t, table, anyPort), claim(t, table, anyPort)
	if first.Addr == second.Addr {
		t.Errorf("both have %s", first.Addr)
	}
	wantKeys(t, table, "tcp 127.0.0.1:0", "tcp 127.0.0.1:0#1")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, table, "tcp 127.0.0.1:0#1")
	if dials(t, "tcp", first.Addr) {
		t.Error("a socket is open after its lease was closed")
	}
	again := second.Spec
	if third := claim(t, table, again); third.Spec.Key() != "tcp 127.0.0.1:0" {
		t.Errorf("the third claim got %q, want the number that is free", third.Spec.Key())
	}
}

func TestHoldKeepsSocketsForTheNextClaim(t *testing.T) {
	table := newTable(t)
	first := claim(t, table, anyPort)
	table.Hold(true)
	first.Close()
	first.Close()
	if _, err := first.Dup(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dup of a closed lease: %v, want %v", err, net.ErrClosed)
	}
	second := claim(t, table, anyPort)
	if second.Addr != first.Addr || second.Spec.Key() != first.Spec.Key() {
		t.Errorf("the next claim got %s at %s, want %s again", second.Spec.Key(), second.Addr, first.Addr)
	}
	first.Close() // must not end the claim of another
	table.Hold(false)
	if !dials(t, "tcp", second.Addr) {
		t.Error("the socket of a lease was closed")
	}
	second.Close()
	wantKeys(t, table)
}

func TestDupIsNonBlockingAndTheCallers(t *testing.T) {
	table := newTable(t)
	l := claim(t, table, anyPort)
	a, err := l.Dup()
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Dup()
	if err != nil {
		t.Fatal(err)
	}
	if a == b || !nonBlocking(t, a) {
		t.Errorf("descriptors %d and %d, non-blocking %v", a, b, nonBlocking(t, a))
	}
	if flags, err := fcntl(a, syscall.F_GETFD); err != nil || flags&syscall.FD_CLOEXEC == 0 {
		t.Error("a descriptor stays open over exec")
	}
	if err := errors.Join(syscall.Close(a), l.Close(), syscall.Close(b)); err != nil {
		t.Error(err)
	}
}

func TestEnsureBindsOnce(t *testing.T) {
	table := newTable(t)
	spec := anyPort
	spec.Ordinal = 3
	if bound, err := table.Ensure(deadline(t), spec); !bound || err != nil {
		t.Fatalf("Ensure() = %v, %v", bound, err)
	}
	before := table.List()
	if bound, err := table.Ensure(deadline(t), spec); bound || err != nil {
		t.Errorf("a second Ensure() = %v, %v", bound, err)
	}
	if after := table.List(); !slices.Equal(after, before) {
		t.Errorf("the table has %v, had %v", after, before)
	}
	wantKeys(t, table, "tcp 127.0.0.1:0#3")
	if _, err := table.Addr(anyPort.Key()); err == nil {
		t.Error("Offer of a socket that is not there succeeded")
	}
}

func TestKeepClosesWhatNobodyNeeds(t *testing.T) {
	table := newTable(t)
	spec := func(n int) bind.Spec {
		s := anyPort
		s.Ordinal = n
		return s
	}
	claimed := claim(t, table, anyPort)
	for n := 1; n <= 2; n++ {
		if _, err := table.Ensure(deadline(t), spec(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Keep([]string{spec(2).Key()}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, table, spec(0).Key(), spec(2).Key())
	table.Hold(true)
	if err := table.Keep([]string{spec(2).Key()}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, table, spec(2).Key())
	if dials(t, "tcp", claimed.Addr) {
		t.Error("a launcher goes on listening on an address that the plan does not have any more")
	}
	if _, err := claimed.Dup(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dup of its lease: %v, want %v", err, net.ErrClosed)
	}
	if err := claimed.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseAllUnlinksUnixSockets(t *testing.T) {
	table := newTable(t)
	path := filepath.Join(t.TempDir(), "s")
	claim(t, table, bind.Spec{Network: "unix", Address: path})
	if !dials(t, "unix", path) {
		t.Error("nobody listens")
	}
	if err := table.CloseAll(); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, table)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v, want %v", err, fs.ErrNotExist)
	}
}

func TestAdoptedSocketIsClaimedInsteadOfBound(t *testing.T) {
	table := newTable(t)
	sock, err := bind.Bind(deadline(t), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := sock.Dup()
	if err != nil {
		t.Fatal(err)
	}
	passed, err := bind.FromFD(fd, bind.Spec{Network: "systemd", Address: "web"})
	if err != nil {
		t.Fatal(err)
	}
	table.Adopt(passed)
	table.Adopt(sock)
	wantKeys(t, table, "systemd web", "tcp 127.0.0.1:0")
	l := claim(t, table, bind.Spec{Network: "systemd", Address: "web"})
	if l.Addr != sock.Addr || l.Spec.Key() != "systemd web" {
		t.Errorf("the lease is of %s at %s, want the socket that was passed", l.Spec.Key(), l.Addr)
	}
	if l := claim(t, table, anyPort); l.Addr != sock.Addr {
		t.Errorf("the lease is of %s, want %s", l.Addr, sock.Addr)
	}
}

func TestFailedBindLeavesNothing(t *testing.T) {
	table := newTable(t)
	spec := bind.Spec{Network: "tcp", Address: claim(t, newTable(t), anyPort).Addr}
	for range 2 {
		if _, err := table.Claim(deadline(t), spec); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Claim: %v, want %v", err, syscall.EADDRINUSE)
		}
		if bound, err := table.Ensure(deadline(t), spec); bound || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Ensure: %v, %v, want %v", bound, err, syscall.EADDRINUSE)
		}
	}
	wantKeys(t, table)
}

func TestTableWorksWhileABindIsRetried(t *testing.T) {
	table := newTable(t)
	other := newTable(t)
	taken := claim(t, other, anyPort)
	spec := bind.Spec{Network: "tcp", Address: taken.Addr, RetryUntil: patience}
	results := make(chan error, 3)
	var wg sync.WaitGroup // all three end up with the one socket
	for range 2 {
		wg.Go(func() {
			_, err := table.Ensure(deadline(t), spec)
			results <- err
		})
	}
	wg.Go(func() {
		_, err := table.Claim(deadline(t), spec)
		results <- err
	})
	if got := claim(t, table, anyPort); !dials(t, "tcp", got.Addr) {
		t.Error("another claim meanwhile is not served")
	}
	if err := table.Keep(nil); err != nil { // must not touch what is being bound
		t.Error(err)
	}
	taken.Close()
	wg.Wait()
	for range 3 {
		if err := <-results; err != nil {
			t.Errorf("once the address was free: %v", err)
		}
	}
	if !slices.Contains(keys(table), spec.Key()) {
		t.Errorf("the table has %q, want %q too", keys(table), spec.Key())
	}
}

func TestWaitForABindEndsWithTheContext(t *testing.T) {
	table := newTable(t)
	taken := claim(t, newTable(t), anyPort)
	spec := bind.Spec{Network: "tcp", Address: taken.Addr, RetryUntil: patience}
	ctx, cancel := context.WithCancel(deadline(t))
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := table.Ensure(ctx, spec)
			results <- err
		}()
	}
	cancel()
	for range 2 {
		if err := <-results; err == nil {
			t.Error("an address in use was bound")
		}
	}
}

func TestCloseAllGivesUpWhatIsBeingBound(t *testing.T) {
	table := newTable(t)
	taken := claim(t, newTable(t), anyPort)
	spec := bind.Spec{Network: "tcp", Address: taken.Addr, RetryUntil: patience}
	result := make(chan error, 1)
	go func() {
		_, err := table.Claim(deadline(t), spec)
		result <- err
	}()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	poll(t, "the claim binds", func() bool { // Ensure waits for it, rather than try by itself
		_, err := table.Ensure(ended, spec)
		return errors.Is(err, context.Canceled) && !errors.Is(err, syscall.EADDRINUSE)
	})
	table.CloseAll()
	taken.Close()
	if err := <-result; err == nil {
		t.Error("a claim succeeded after CloseAll")
	}
	wantKeys(t, table)
	if dials(t, "tcp", taken.Addr) {
		t.Error("the socket is open")
	}
}
