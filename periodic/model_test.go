// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

// TestAgainstAModel compares when runs begin, in random sets of tasks that come and go, with a model that
// computes it for each task alone.
func TestAgainstAModel(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(7, uint64(seed)))
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playModel(t, r) })
		})
		if !ok {
			return
		}
	}
}

// A modelTask is a task with a known fate. Its intervals and durations are such that no two of its
// moments coincide: then the order would be anybody's.
type modelTask struct {
	periodic.Task
	takes   []time.Duration // of each run, in turn
	added   time.Duration
	removed time.Duration // 0: never
}

func newModelTask(r *rand.Rand, name string) *modelTask {
	m := &modelTask{Task: periodic.Task{
		Name: name, Jitter: -1,
		Every:       time.Duration(1+r.IntN(60)) * time.Second,
		Immediately: r.IntN(3) == 0,
		Overlap:     periodic.Overlap(r.IntN(3)),
		CatchUp:     periodic.CatchUp(r.IntN(3)), // nothing is missed: without effect
	}}
	for n := range 5 {
		m.takes = append(m.takes, time.Duration(r.IntN(3*int(m.Every/time.Second)))*time.Second+time.Duration(1+n)*time.Millisecond)
	}
	if r.IntN(2) == 0 {
		m.added = time.Duration(r.IntN(200)) * time.Second
	}
	if r.IntN(3) == 0 {
		m.removed = m.added + time.Duration(1+r.IntN(200))*time.Second + 500*time.Microsecond
	}
	return m
}

// starts computes when the runs of the task begin, until end, and how many are skipped.
func (m *modelTask) starts(end time.Duration) (starts []time.Duration, skipped uint64) {
	if m.removed != 0 {
		end = min(end, m.removed)
	}
	var busy []time.Duration // ends of runs
	next := m.added + m.Every
	if m.Immediately {
		next = m.added
	}
	begin := func(at time.Duration) {
		busy = append(busy, at+m.takes[len(starts)%len(m.takes)])
		starts = append(starts, at)
	}
	waiting := 0
	for ; next <= end; next += m.Every {
		// What ended before this beat, and in a queue what began then.
		for {
			busy = slices.DeleteFunc(busy, func(e time.Duration) bool { return e < next && waiting == 0 })
			if waiting == 0 || busy[0] >= next {
				break
			}
			waiting--
			at := busy[0]
			busy = nil
			begin(at)
		}
		switch {
		case len(busy) == 0, m.Overlap == periodic.OverlapConcurrent:
			begin(next)
		case m.Overlap == periodic.OverlapQueue && waiting < periodic.MaxBacklog:
			waiting++
		default:
			skipped++
		}
	}
	for waiting > 0 && busy[0] <= end { // the tail of a queue
		waiting--
		at := busy[0]
		busy = nil
		begin(at)
	}
	return starts, skipped
}

func playModel(t *testing.T, r *rand.Rand) {
	const end = 400*time.Second + 300*time.Microsecond
	j := newJournal()
	tasks := make([]*modelTask, 1+r.IntN(8))
	for i := range tasks {
		m := newModelTask(r, fmt.Sprint("task ", i))
		n := 0
		var mu sync.Mutex
		m.Run = func(ctx context.Context) error {
			j.note(m.Name)
			mu.Lock()
			takes := m.takes[n%len(m.takes)]
			n++
			mu.Unlock()
			return sleep(ctx, takes)
		}
		tasks[i] = m
	}
	s := scheduler(t, periodic.Options{Concurrency: 10_000})
	stop := serve(t, s)
	skipped := make([]uint64, len(tasks))
	var wg sync.WaitGroup
	for i, m := range tasks {
		wg.Go(func() {
			time.Sleep(m.added)
			if err := s.Add(m.Task); err != nil {
				t.Error(err)
			}
			if m.removed != 0 && m.removed < end {
				time.Sleep(m.removed - m.added)
				skipped[i] = state(t, s, m.Name).Skipped
				s.Remove(m.Name)
			}
		})
	}
	time.Sleep(end)
	for i, m := range tasks {
		if m.removed == 0 || m.removed >= end {
			skipped[i] = state(t, s, m.Name).Skipped
		}
	}
	stop()
	wg.Wait()
	for i, m := range tasks {
		want, wantSkipped := m.starts(end)
		if got := j.of(m.Name); !slices.Equal(got, want) || skipped[i] != wantSkipped {
			t.Errorf("every %v, overlap %d, immediately %v, takes %v, added %v, removed %v:\ngot  %v, %d skipped\nwant %v, %d skipped",
				m.Every, m.Overlap, m.Immediately, m.takes, m.added, m.removed, got, skipped[i], want, wantSkipped)
		}
	}
}
