// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import "time"

// reliefTime is for how long connections go to a process that relieves this one. What has not been idle
// by then stays.
const reliefTime = 500 * time.Millisecond

// Relieve takes the end of a channel to a process that serves the same and holds fewer connections: up
// to n that are idle go there. It owns fd. Servers go on as before otherwise.
func (h *Hub) Relieve(fd, n int) {
	l := newOutLink(h, fd)
	if l == nil {
		return
	}
	l.left = n
	h.mu.Lock()
	old := h.relief
	h.relief = l
	h.mu.Unlock()
	if old != nil {
		old.breakOff()
	}
	l.start()
}

// shed asks the servers for the connections that l is to take, and sees to its end.
func (h *Hub) shed(l *outLink) {
	l.mu.Lock()
	n := l.left
	l.mu.Unlock()
	if n == 0 {
		return
	}
	time.AfterFunc(reliefTime, l.breakOff)
	for _, p := range h.open() {
		if n > 0 && l.serves(p.key) {
			n -= p.owner.Shed(n)
		}
	}
}

// spend reports whether a connection of key may go over a channel that takes so many.
func (l *outLink) spend(key string) bool {
	if !l.serves(key) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil || l.left <= 0 {
		return false
	}
	l.left--
	return true
}
