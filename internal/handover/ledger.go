// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"net"
	"syscall"
	"time"
)

// window is how many connections may be on the way to a successor that has not answered for them:
// what is in flight counts against a limit of the kernel, and dies with a receiver that is full.
const window = 64

// A parcel is a connection that a port gave away, for as long as it may come back.
type parcel struct {
	id    uint64
	port  *Port
	conn  net.Conn
	raw   syscall.RawConn
	since time.Time
	fresh bool
}

// A ledger is what a giver knows of its parcels on one channel. A parcel is in one place at any time:
//
//	queued -> in flight -> kept -> gone, as it is used
//	  |          |          |
//	  +----------+----------+--> back, when the channel ends, or it is refused
//
// Kept ones come back only if the other process has died, and so has read nothing of them.
type ledger struct {
	last   uint64
	queue  []*parcel
	flight map[uint64]*parcel
	kept   map[uint64]*parcel
}

func newLedger() ledger {
	return ledger{flight: map[uint64]*parcel{}, kept: map[uint64]*parcel{}}
}

func (l *ledger) add(p *parcel) {
	l.last++
	p.id = l.last
	l.queue = append(l.queue, p)
}

// next returns the parcel to send now, which is in flight from here on: its answer may come before
// the call that sends it has returned. It is nil while there is none, or no credit.
func (l *ledger) next() *parcel {
	if len(l.queue) == 0 || len(l.flight) >= window {
		return nil
	}
	p := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.flight[p.id] = p
	return p
}

// took notes that the other side has a parcel; nil if it was not in flight.
func (l *ledger) took(id uint64) *parcel {
	p := l.flight[id]
	if p != nil {
		delete(l.flight, id)
		l.kept[id] = p
	}
	return p
}

// used returns a parcel whose copy is of no use any more, nil if there is none.
func (l *ledger) used(id uint64) *parcel {
	p := l.kept[id]
	delete(l.kept, id)
	return p
}

// refused returns a parcel that stays ours, nil if it was not in flight.
func (l *ledger) refused(id uint64) *parcel {
	p := l.flight[id]
	delete(l.flight, id)
	return p
}

// close empties the ledger: back are the parcels that stay ours, lost those whose copies are to be
// closed.
func (l *ledger) close(died bool) (back, lost []*parcel) {
	back = l.queue
	for _, p := range l.flight {
		back = append(back, p)
	}
	for _, p := range l.kept {
		if died {
			back = append(back, p)
		} else {
			lost = append(lost, p)
		}
	}
	*l = newLedger()
	return back, lost
}
