// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package scoreboard_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

func Example() {
	b := scoreboard.New()
	b.Beat(scoreboard.Monotonic())
	t := b.Begin()
	fmt.Println("running", b.Read().Running, "served", b.Read().Served)
	b.End(t)
	b.AddLost(scoreboard.StreamCut, 2)
	c := b.Read()
	fmt.Println("running", c.Running, "served", c.Served, "cut", c.Lost[scoreboard.StreamCut])
	// Output:
	// running 1 served 0
	// running 0 served 1 cut 2
}

func TestNewIsEmpty(t *testing.T) {
	if got := scoreboard.New().Read(); got != (scoreboard.Counts{}) {
		t.Errorf("Read() of a new board = %+v, want zeros", got)
	}
}

func TestOldestFollowsTheRunning(t *testing.T) {
	b := scoreboard.New()
	oldest := func(want int64) {
		t.Helper()
		if got := b.Read().Oldest; got != want {
			t.Errorf("Oldest = %d, want %d", got, want)
		}
	}
	early := b.Begin()
	oldest(0) // no beat, no clock
	b.End(early)

	b.Beat(100)
	oldest(0)
	first := b.Begin()
	oldest(100)
	b.Beat(200)
	second := b.Begin()
	oldest(100)
	b.Beat(300)
	third := b.Begin()
	b.End(first)
	oldest(200)
	b.Beat(400)
	b.End(second)
	oldest(300)
	b.End(third)
	oldest(0)
	b.Beat(500)
	fourth := b.Begin()
	oldest(500)
	b.End(fourth)
}

func TestOldestWithMoreBeatsThanBuckets(t *testing.T) {
	b := scoreboard.New()
	var tickets []scoreboard.Ticket
	for i := range int64(100) {
		b.Beat(1 + i)
		tickets = append(tickets, b.Begin())
	}
	for i, ticket := range tickets {
		c := b.Read()
		if c.Running != 100-i {
			t.Fatalf("Running = %d after %d of 100 ended", c.Running, i)
		}
		// With all buckets taken a request may look older than it is, never younger.
		if c.Oldest == 0 || c.Oldest > int64(1+i) {
			t.Fatalf("Oldest = %d after %d of 100 ended, want 1 to %d", c.Oldest, i, 1+i)
		}
		b.End(ticket)
	}
	b.Beat(1000)
	b.Begin()
	if got := b.Read().Oldest; got != 1000 {
		t.Errorf("Oldest = %d once buckets are free again, want 1000", got)
	}
}

func TestLongRequestKeepsItsStartUnderTraffic(t *testing.T) {
	b := scoreboard.New()
	b.Beat(7)
	long := b.Begin()
	for i := range int64(1000) {
		b.Beat(8 + i)
		b.End(b.Begin())
	}
	if c := b.Read(); c.Oldest != 7 || c.Running != 1 || c.Served != 1000 {
		t.Errorf("Read() = %+v, want oldest 7, 1 running, 1000 served", c)
	}
	b.End(long)
}

func TestBeginEndFromManyGoroutines(t *testing.T) {
	const goroutines, each = 8, 5000
	b := scoreboard.New()
	stop := make(chan struct{})
	var beats, workers sync.WaitGroup
	beats.Go(func() {
		for n := int64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
				b.Beat(n)
				if c := b.Read(); c.Running < 0 || c.Running > goroutines {
					t.Errorf("Running = %d, want 0 to %d", c.Running, goroutines)
					return
				}
			}
		}
	})
	for range goroutines {
		workers.Go(func() {
			for range each {
				b.End(b.Begin())
				b.AddLost(scoreboard.Panic, 1)
			}
		})
	}
	workers.Wait()
	close(stop)
	beats.Wait()
	c := b.Read()
	if c.Running != 0 || c.Oldest != 0 || c.Served != goroutines*each || c.Lost[scoreboard.Panic] != goroutines*each {
		t.Errorf("Read() = %+v, want nothing running, %d served and lost", c, goroutines*each)
	}
}

func TestEndOfNoTicketCountsNothing(t *testing.T) {
	b := scoreboard.New()
	b.End(0)
	b.End(1 << 30)
	if got := b.Read(); got != (scoreboard.Counts{}) {
		t.Errorf("Read() = %+v, want zeros", got)
	}
}

func TestLostByCause(t *testing.T) {
	b := scoreboard.New()
	for c := range scoreboard.Cause(scoreboard.NumCauses) {
		b.AddLost(c, 1+uint64(c))
	}
	b.AddLost(-1, 10)
	b.AddLost(99, 10)
	want := [scoreboard.NumCauses]uint64{1, 2, 3, 4, 25, 6}
	if got := b.Read(); got.Lost != want || got.LostTotal() != 41 {
		t.Errorf("Lost = %v, %d together, want %v, 41", got.Lost, got.LostTotal(), want)
	}
}

func TestCauseNamesDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for c := range scoreboard.Cause(scoreboard.NumCauses) {
		if seen[c.String()] {
			t.Errorf("name %q is taken twice", c)
		}
		seen[c.String()] = true
	}
}

func TestCurrentIsTheOneInUse(t *testing.T) {
	first := scoreboard.Current()
	if first == nil || first != scoreboard.Current() {
		t.Fatal("Current() is nil, or another each time")
	}
	b := scoreboard.New()
	scoreboard.Use(b)
	defer scoreboard.Use(first)
	if scoreboard.Current() != b {
		t.Error("Current() is not the board given to Use")
	}
}

func TestReadAfterClose(t *testing.T) {
	b := scoreboard.New()
	b.Beat(1)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.Read(); got != (scoreboard.Counts{}) {
		t.Errorf("Read() after Close = %+v, want zeros", got)
	}
}

func TestMonotonicFollowsTheBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := scoreboard.Monotonic()
		time.Sleep(time.Hour)
		if got := time.Duration(scoreboard.Monotonic() - before); got != time.Hour {
			t.Errorf("Monotonic moved by %v in an hour", got)
		}
	})
}

func BenchmarkBeginEnd(b *testing.B) {
	board := scoreboard.New()
	board.Beat(1)
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			board.End(board.Begin())
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				board.End(board.Begin())
			}
		})
	})
}

func BenchmarkMonotonic(b *testing.B) {
	for b.Loop() {
		scoreboard.Monotonic()
	}
}
