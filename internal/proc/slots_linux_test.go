// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// give takes the queue of a slot of set api for the length of the test.
func give(t *testing.T, table *proc.Table, key string, slot int) proc.Queue {
	t.Helper()
	return giveTo(t, table, key, proc.Place{Set: "api", Slot: slot})
}

func giveTo(t *testing.T, table *proc.Table, key string, p proc.Place) proc.Queue {
	t.Helper()
	q, shared, err := table.Give(key, p)
	if err != nil || shared != nil {
		t.Fatal(err, shared)
	}
	t.Cleanup(func() { syscall.Close(q.FD) })
	return q
}

func ensure(t *testing.T, table *proc.Table, spec bind.Spec) (key string) {
	t.Helper()
	if _, err := table.Ensure(deadline(t), spec); err != nil {
		t.Fatal(err)
	}
	return spec.Key()
}

// inodes tells sockets apart.
func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// arrivals connects n times and returns how many came to each queue; all that wait are taken.
func arrivals(t *testing.T, n int, queues ...proc.Queue) (counts []int) {
	t.Helper()
	counts = make([]int, len(queues))
	for range n {
		c, err := net.Dial("tcp", queues[0].Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	for total, late := 0, time.Now().Add(patience); total < n; {
		for i, q := range queues {
			fd, _, err := syscall.Accept(q.FD)
			if err != nil {
				continue
			}
			syscall.Close(fd)
			counts[i]++
			total++
		}
		if time.Now().After(late) {
			t.Fatalf("%v of %d arrived", counts, n)
		}
	}
	return counts
}

func TestSlotsHaveSocketsOfTheirOwn(t *testing.T) {
	table := newTable(t)
	key := ensure(t, table, anyPort)
	first, second := give(t, table, key, 0), give(t, table, key, 1)
	again := give(t, table, key, 0) // the worker that follows
	if inode(t, first.FD) != inode(t, again.FD) || inode(t, first.FD) == inode(t, second.FD) || first.Addr != second.Addr {
		t.Errorf("slots 0, 0 again and 1 have %+v, %+v and %+v", first, again, second)
	}
	if !first.Own || table.List()[0].Sockets != 2 {
		t.Errorf("%+v in %+v, want our own in a list of 2 sockets", first, table.List())
	}
	if got := arrivals(t, 60, first, second); got[0] == 0 || got[1] == 0 {
		t.Errorf("60 connections came as %v, want some to each", got)
	}
	if err := table.Steer("api", []int{1}); err != nil {
		t.Fatal(err)
	}
	if got := arrivals(t, 30, first, second); got[0] != 0 {
		t.Errorf("30 connections came as %v, want none to the first", got)
	}
	third := give(t, table, key, 2)
	if got := arrivals(t, 30, first, second, third); got[1] != 30 {
		t.Errorf("30 connections came as %v, want all to the second: the third is new", got)
	}
	other := giveTo(t, table, key, proc.Place{Set: "rpc", Slot: 0}) // of a set that was not steered
	if got := arrivals(t, 60, first, second, third, other); got[1] == 0 || got[3] == 0 || got[1]+got[3] != 60 {
		t.Errorf("60 connections came as %v, want some to the second and the fourth, and no others", got)
	}
}

func TestQueuesOfASlot(t *testing.T) {
	table := newTable(t)
	twice := anyPort
	twice.Ordinal = 1
	shared := bind.Spec{Network: "unix", Address: filepath.Join(t.TempDir(), "s")}
	for _, spec := range []bind.Spec{anyPort, twice, shared} {
		give(t, table, ensure(t, table, spec), 0)
		give(t, table, spec.Key(), 1)
	}
	queues, err := table.Queues(proc.Place{Set: "api", Slot: 1})
	if err != nil || len(queues) != 2 || queues[0].Key == queues[1].Key {
		t.Errorf("the queues of slot 1 are %+v, %v, want those of both ports", queues, err)
	}
	for _, q := range queues {
		if own := give(t, table, q.Key, 1); inode(t, own.FD) != inode(t, q.FD) || !q.Own {
			t.Errorf("%+v is not the queue of slot 1", q)
		}
		syscall.Close(q.FD)
	}
	if queues, err := table.Queues(proc.Place{Set: "api", Slot: 2}); err != nil || len(queues) != 0 {
		t.Errorf("the queues of a slot that has none are %+v, %v", queues, err)
	}
}

func TestRetire(t *testing.T) {
	table := newTable(t)
	key := ensure(t, table, anyPort)
	queues := []proc.Queue{give(t, table, key, 0), give(t, table, key, 1), give(t, table, key, 2)}
	if err := table.Steer("api", []int{0}); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", queues[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first := proc.Place{Set: "api", Slot: 0}
	if err := table.Steer("api", []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	if left, err := table.Retire(first, false); left != 1 || err != nil {
		t.Fatalf("Retire of a slot with a connection in its queue = %d, %v, want 1", left, err)
	}
	if fd, _, err := syscall.Accept(queues[0].FD); err != nil {
		t.Errorf("accept after that: %v", err)
	} else {
		syscall.Close(fd)
	}
	if left, err := table.Retire(first, false); left != 0 || err != nil {
		t.Fatalf("Retire of a slot with an empty queue = %d, %v, want 0", left, err)
	}
	if got := arrivals(t, 40, queues[1], queues[2]); got[0] == 0 || got[1] == 0 {
		t.Errorf("40 connections came as %v, want some to each that is left", got)
	}
	if addr, err := table.Addr(key); addr != queues[0].Addr || err != nil {
		t.Errorf("the address is %s, %v, want %s as before", addr, err, queues[0].Addr)
	}
	for slot := range 3 {
		if _, err := table.Retire(proc.Place{Set: "api", Slot: slot}, true); err != nil {
			t.Error(err)
		}
	}
	if !dials(t, "tcp", queues[0].Addr) {
		t.Error("the address lost its last socket")
	}
	give(t, table, key, 5)
	if n := table.List()[0].Sockets; n != 1 {
		t.Errorf("there are %d sockets after all, want the one that was left", n)
	}
}

// TestLeave gives addresses up set by set: one that another set serves goes with that.
func TestLeave(t *testing.T) {
	table := newTable(t)
	both, path := ensure(t, table, anyPort), filepath.Join(t.TempDir(), "s")
	unix := ensure(t, table, bind.Spec{Network: "unix", Address: path})
	idle := anyPort
	idle.Ordinal = 1
	ensure(t, table, idle)
	mine := give(t, table, both, 0)
	give(t, table, unix, 0)
	others := giveTo(t, table, both, proc.Place{Set: "rpc"})
	if err := table.Leave("api"); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, table, both, idle.Key())
	if dials(t, "unix", path) {
		t.Error("the unix socket of the set listens")
	}
	if got := arrivals(t, 20, mine, others); got[0] != 0 {
		t.Errorf("20 connections came as %v, want none to the set that left", got)
	}
	if _, _, err := table.Give(both, proc.Place{Set: "api", Slot: 1}); !errors.Is(err, proc.ErrLeft) {
		t.Errorf("Give for the set that left: %v, want ErrLeft", err)
	}
	if err := table.Leave("rpc"); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, table, idle.Key())
	syscall.Close(mine.FD)
	syscall.Close(others.FD)

	table.Return("api")
	ensure(t, table, anyPort) // as main of any worker does
	wantKeys(t, table, idle.Key())
	if addr, err := table.Addr(both); addr != mine.Addr || err != nil {
		t.Errorf("the address that was given up is %s, %v, want %s", addr, err, mine.Addr)
	}
	if err := table.Recall(deadline(t), both); err != nil {
		t.Fatal(err)
	}
	if back := give(t, table, both, 0); back.Addr != mine.Addr {
		t.Errorf("a set that is back is at %s, want %s as before", back.Addr, mine.Addr)
	}
	if err := table.DropIdle([]string{both, idle.Key()}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, table, both)
	if _, _, err := table.Give(idle.Key(), proc.Place{Set: "rpc2"}); !errors.Is(err, proc.ErrLeft) {
		t.Errorf("Give of what was dropped at the end: %v, want ErrLeft", err)
	}
}
