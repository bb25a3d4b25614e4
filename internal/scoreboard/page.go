// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package scoreboard

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

const (
	magic       = 0x6d61696e73746179 // "mainstay"
	pageVersion = 2
	pageSize    = 4096

	// A machine has more cores than this at times; they then share stripes, which costs a little.
	numStripes = 16

	// Requests that began between two beats share a bucket, and so a start time. Each bucket in use
	// holds requests of another beat, so this many can be told apart.
	numBuckets = 32
)

// page is the layout that launcher and worker share; both are the same program but for an upgrade,
// hence the version. Lines that different writers touch lie 64 bytes apart.
type page struct {
	magic   atomic.Uint64
	version atomic.Uint32
	size    atomic.Uint32
	beat    atomic.Int64
	current atomic.Uint32 // the bucket in which requests begin
	serving atomic.Uint32 // 1 when every service of the process has started

	goroutines atomic.Uint32 // at the last beat

	_       [28]byte
	lost    [8]atomic.Uint64
	held    atomic.Int64
	_       [56]byte
	starts  [numBuckets]atomic.Int64
	stripes [numStripes]stripe
}

type stripe struct {
	served  atomic.Uint64
	failed  atomic.Uint64
	_       [48]byte
	running [numBuckets]atomic.Int32
}

// The page must fit: a constant that is negative does not compile.
const _ = uint(pageSize - unsafe.Sizeof(page{}))

func (p *page) format() {
	p.version.Store(pageVersion)
	p.size.Store(uint32(unsafe.Sizeof(*p)))
	p.magic.Store(magic)
}

func (p *page) check() error {
	if m := p.magic.Load(); m != magic {
		return fmt.Errorf("scoreboard: no scoreboard, it begins with %#x", m)
	}
	if v, n := p.version.Load(), p.size.Load(); v != pageVersion || n != uint32(unsafe.Sizeof(*p)) {
		return fmt.Errorf("scoreboard: version %d of %d bytes, want version %d of %d", v, n, pageVersion, unsafe.Sizeof(*p))
	}
	return nil
}

// turn lets requests begin at mono from now on: in the current bucket if it is empty, else in another
// empty one. With none empty they go on in the current one, and look older than they are.
//
// A Begin that read current just before may still count in a bucket that was left, or started anew:
// its start is then off by the time between the two, never its count.
func (p *page) turn(mono int64) {
	now := p.current.Load() % numBuckets
	for i := range uint32(numBuckets) {
		bucket := (now + i) % numBuckets
		if p.running(bucket) == 0 {
			p.starts[bucket].Store(mono)
			p.current.Store(bucket)
			return
		}
	}
}

// running adds up a bucket. A request ends in the stripe where it began, so no stripe is negative,
// and a request that runs all the while is seen.
func (p *page) running(bucket uint32) (n int) {
	for i := range p.stripes {
		n += int(p.stripes[i].running[bucket].Load())
	}
	return n
}

func (p *page) read() Counts {
	c := Counts{Beat: p.beat.Load(), Serving: p.serving.Load() != 0, Goroutines: int(p.goroutines.Load()), Held: int(p.held.Load())}
	for bucket := range uint32(numBuckets) {
		n := p.running(bucket)
		if n <= 0 {
			continue
		}
		c.Running += n
		if start := p.starts[bucket].Load(); start != 0 && (c.Oldest == 0 || start < c.Oldest) {
			c.Oldest = start
		}
	}
	for i := range p.stripes {
		c.Served += p.stripes[i].served.Load()
		c.Failed += p.stripes[i].failed.Load()
	}
	for i := range c.Lost {
		c.Lost[i] = p.lost[i].Load()
	}
	return c
}
