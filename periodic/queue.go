// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic

// A slot is an entry in the queue with the time it is wanted at. An entry that was moved or removed
// leaves its slot behind: one whose time is not its entry's is stale, and dropped when it comes up.
type slot struct {
	at int64
	e  *entry
}

// A queue is a heap of slots, the earliest first. With four children a node is one cache line, and the
// way down half as long as with two.
type queue struct {
	slots []slot
	stale int // how many, at most
}

const fan = 4

func (q *queue) len() int { return len(q.slots) }

// first returns the earliest slot of which the entry still wants it.
func (q *queue) first() (slot, bool) {
	for len(q.slots) > 0 {
		if top := q.slots[0]; top.e.due == top.at {
			return top, true
		}
		q.stale = max(0, q.stale-1)
		q.drop()
	}
	return slot{}, false
}

// push adds an entry for the time it is due.
func (q *queue) push(e *entry) {
	q.slots = append(q.slots, slot{e.due, e})
	i := len(q.slots) - 1
	s := q.slots[i]
	for i > 0 {
		up := (i - 1) / fan
		if !s.before(q.slots[up]) {
			break
		}
		q.slots[i] = q.slots[up]
		i = up
	}
	q.slots[i] = s
}

// drop removes the first slot.
func (q *queue) drop() {
	last := len(q.slots) - 1
	s := q.slots[last]
	q.slots[last] = slot{}
	q.slots = q.slots[:last]
	if last > 0 {
		q.down(s)
	}
}

// again puts the first slot's entry where it is due next: cheaper than drop and push.
func (q *queue) again() {
	e := q.slots[0].e
	q.down(slot{e.due, e})
}

// down puts s into the hole at the top.
func (q *queue) down(s slot) {
	h := q.slots
	i := 0
	for {
		child := i*fan + 1
		if child >= len(h) {
			break
		}
		least := child
		for c := child + 1; c < min(child+fan, len(h)); c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if !h[least].before(s) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = s
}

// abandon says that one more slot is stale, and clears them out when they are the most.
func (q *queue) abandon() {
	q.stale++
	if q.stale <= len(q.slots)/2 || q.stale < 64 {
		return
	}
	old := q.slots
	q.slots, q.stale = make([]slot, 0, len(old)-len(old)/4), 0
	for _, s := range old {
		if s.e.due == s.at {
			q.push(s.e)
		}
	}
}

// before orders by time, and what is due together as it was added.
func (s slot) before(other slot) bool {
	return s.at < other.at || s.at == other.at && s.e.seq < other.e.seq
}
