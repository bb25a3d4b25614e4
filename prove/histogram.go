// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Durations share a bucket if they differ by less than one part in subBuckets.
const (
	subBits    = 6
	subBuckets = 1 << subBits
	maxBits    = 41 // 2^41 ns are 36 minutes; longer ones count as that, only the worst is exact
	numBuckets = (maxBits - subBits + 1) * subBuckets
)

// A histogram counts durations. Its methods may be called from many goroutines at once.
type histogram struct {
	counts [numBuckets]atomic.Uint32
	sum    atomic.Int64
	worst  atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)].Add(1)
	h.sum.Add(int64(d))
	raise(&h.worst, int64(d))
}

// raise sets a to v if that is more.
func raise(a *atomic.Int64, v int64) {
	for {
		old := a.Load()
		if v <= old || a.CompareAndSwap(old, v) {
			return
		}
	}
}

func bucketOf(d time.Duration) int {
	v := min(uint64(d), 1<<maxBits-1)
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift*subBuckets + int(v>>shift)
}

// middle returns the duration that stands for a bucket.
func middle(bucket int) time.Duration {
	if bucket < 2*subBuckets {
		return time.Duration(bucket)
	}
	shift := bucket/subBuckets - 1
	low := uint64(bucket-shift*subBuckets) << shift
	return time.Duration(low + 1<<shift/2)
}

// merge adds what other has counted.
func (h *histogram) merge(other *histogram) {
	for i := range other.counts {
		if n := other.counts[i].Load(); n > 0 {
			h.counts[i].Add(n)
		}
	}
	h.sum.Add(other.sum.Load())
	raise(&h.worst, other.worst.Load())
}

// Latency sums up durations. Percentiles are right within one part in 64, the worst exactly; all are 0
// where nothing was counted.
type Latency struct {
	Count uint64        `json:"count"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Worst time.Duration `json:"worst_ns"`
}

func (h *histogram) latency() Latency {
	var l Latency
	for i := range h.counts {
		l.Count += uint64(h.counts[i].Load())
	}
	if l.Count == 0 {
		return l
	}
	l.Worst = time.Duration(h.worst.Load())
	l.Mean = time.Duration(h.sum.Load() / int64(l.Count))
	marks := []struct {
		share float64
		into  *time.Duration
	}{{0.5, &l.P50}, {0.9, &l.P90}, {0.99, &l.P99}, {0.999, &l.P999}}
	var seen uint64
	for i := range h.counts {
		seen += uint64(h.counts[i].Load())
		for len(marks) > 0 && float64(seen) >= marks[0].share*float64(l.Count) {
			*marks[0].into = min(middle(i), l.Worst)
			marks = marks[1:]
		}
	}
	return l
}
