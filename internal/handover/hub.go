// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A Hub is where the servers of a process meet those that come after them: of its next generation, or
// of the process that takes its place. Its methods may be called from many goroutines.
type Hub struct {
	mu     sync.Mutex
	ports  []*Port  // open ones, the newest last
	out    *outLink // to the successor; nil without one
	relief *outLink // to a process that has less to do; nil without one
	ins    map[*inLink]struct{}
	held   int // how many hold it
	lobby  []waiting
}

// waiting is a connection for whoever opens a port for its key next.
type waiting struct {
	key     string
	arrival Arrival
}

// NewHub returns a Hub without servers.
func NewHub() *Hub { return &Hub{ins: map[*inLink]struct{}{}} }

var local = NewHub()

// Local returns the Hub of this process.
func Local() *Hub { return local }

// Hold keeps connections that are given away while nobody is there for them, until somebody opens a
// port for their key: another generation is to come. The function that it returns ends that, once:
// what nobody came for goes back to a server of its key, if one is left, and is closed if not.
func (h *Hub) Hold() (release func()) {
	h.mu.Lock()
	h.held++
	h.mu.Unlock()
	return sync.OnceFunc(func() {
		h.mu.Lock()
		h.held--
		var left []waiting
		if h.held == 0 {
			left, h.lobby = h.lobby, nil
		}
		h.mu.Unlock()
		h.changed()
		for _, w := range left {
			h.goBack(w)
		}
	})
}

// goBack gives a connection to the newest server of its key, whether it still accepts or not.
func (h *Hub) goBack(w waiting) {
	for _, p := range slices.Backward(h.open()) {
		if p.key == w.key {
			w.arrival.Returned = true
			p.owner.Adopt(w.arrival)
			return
		}
	}
	w.arrival.Conn.Close()
}

// An Owner is a server as a Hub sees it.
type Owner interface {
	// Accepts reports whether Adopt may be called with connections of others. It must not lock
	// anything that is held while methods of a Port are called.
	Accepts() bool

	// Adopt gives the owner a connection, for good.
	Adopt(Arrival)

	// Shed asks the owner to give away up to n connections, those that are idle now and those that are
	// so soon. It returns how many these may be at most. Shed(0) takes the rest of that back.
	Shed(n int) int

	// Changed says that Able or Pending of the owner's Port may have changed.
	Changed()
}

// An Arrival is a connection that an [Owner] gets.
type Arrival struct {
	Conn     net.Conn
	Since    time.Time // of its last answer; of its beginning if Fresh
	Fresh    bool      // no request has come over it yet
	Returned bool      // the owner gave it away itself, and nobody took it

	used func()
}

// Used must be called before the first byte is read off the connection, and before it is closed, by
// whoever was given it. Until then it goes on elsewhere if this process dies.
func (a *Arrival) Used() {
	if a.used != nil {
		a.used()
		a.used = nil
	}
}

// A Port is the place of one server in a Hub.
type Port struct {
	hub   *Hub
	key   string
	owner Owner

	pending int  // given, neither taken nor returned; guarded by hub.mu
	closed  bool // likewise
}

// Open makes a port for a server of key, by which it gives connections away and gets those of its
// predecessors. What waits for it arrives before Open returns.
func (h *Hub) Open(key string, owner Owner) *Port {
	p := &Port{hub: h, key: key, owner: owner}
	h.mu.Lock()
	h.ports = append(h.ports, p)
	var mine []waiting
	h.lobby = slices.DeleteFunc(h.lobby, func(w waiting) bool {
		if w.key == key {
			mine = append(mine, w)
		}
		return w.key == key
	})
	h.mu.Unlock()
	for _, w := range mine {
		owner.Adopt(w.arrival)
	}
	return p
}

// Close ends the port. A connection given away that nobody takes is closed from now on.
func (p *Port) Close() {
	p.hub.mu.Lock()
	p.closed = true
	p.hub.ports = slices.DeleteFunc(p.hub.ports, func(o *Port) bool { return o == p })
	outs := []*outLink{p.hub.out, p.hub.relief}
	p.hub.mu.Unlock()
	for _, out := range outs {
		if out != nil {
			out.abandon(p)
		}
	}
}

// Able reports whether there is somebody to give connections to.
func (p *Port) Able() bool {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	return p.hub.held > 0 || p.hub.out != nil && p.hub.out.serves(p.key) || p.hub.nextLocked(p) != nil
}

// Pending returns how many connections were given away that nobody has taken yet: they may come back.
func (p *Port) Pending() int {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	return p.pending
}

// nextLocked returns the newest port of p's key, but none that is older than p.
func (h *Hub) nextLocked(p *Port) *Port {
	for _, o := range slices.Backward(h.ports) {
		switch {
		case o == p:
			return nil
		case o.key == p.key && o.owner.Accepts():
			return o
		}
	}
	return nil
}

// Give gives a connection away, which is idle and of which nothing is in any buffer. The owner must
// not touch it any more, unless it comes back by Adopt. Give returns false if nobody is there: it is
// the owner's then. It has no deadlines.
func (p *Port) Give(nc net.Conn, since time.Time, fresh bool) bool {
	h := p.hub
	h.mu.Lock()
	if out := h.outLocked(p.key); out != nil {
		if c, ok := nc.(syscall.Conn); ok {
			if raw, err := c.SyscallConn(); err == nil {
				p.pending++
				h.mu.Unlock()
				out.give(&parcel{port: p, conn: nc, raw: raw, since: since, fresh: fresh})
				return true
			}
		}
	}
	a := Arrival{Conn: nc, Since: since, Fresh: fresh}
	if next := h.nextLocked(p); next != nil {
		h.mu.Unlock()
		next.owner.Adopt(a)
		return true
	}
	if h.held > 0 {
		h.lobby = append(h.lobby, waiting{p.key, a})
		h.mu.Unlock()
		return true
	}
	h.mu.Unlock()
	return false
}

// outLocked returns the channel for a connection of key, nil without one.
func (h *Hub) outLocked(key string) *outLink {
	switch {
	case h.out != nil && h.out.serves(key):
		return h.out
	case h.relief != nil && h.relief.spend(key):
		return h.relief
	}
	return nil
}

// taken notes that a parcel of p needs no more care.
func (p *Port) taken() {
	p.hub.mu.Lock()
	p.pending--
	last, closed := p.pending == 0, p.closed
	p.hub.mu.Unlock()
	if last && !closed {
		p.owner.Changed()
	}
}

// returned gives a parcel back, to somebody else if there is one by now.
func (p *Port) returned(c *parcel, counted bool) {
	p.hub.mu.Lock()
	if counted {
		p.pending--
	}
	closed := p.closed
	p.hub.mu.Unlock()
	switch {
	case closed:
		c.conn.Close()
	case !p.Give(c.conn, c.since, c.fresh):
		p.owner.Adopt(Arrival{Conn: c.conn, Since: c.since, Fresh: c.fresh, Returned: true})
	}
}

// Successor takes the end of a channel to the process that takes this one's place, which is where
// connections are given to from now on. It owns fd. An earlier successor gets nothing any more.
func (h *Hub) Successor(fd int) {
	l := newOutLink(h, fd)
	if l == nil {
		return
	}
	h.mu.Lock()
	old := h.out
	h.out = l
	h.mu.Unlock()
	l.start()
	if old != nil {
		old.breakOff()
	}
	h.changed()
}

// Predecessor takes the end of a channel over which connections come from a process that this one
// takes the place of. It owns fd. Servers that are to get them must have opened their ports.
func (h *Hub) Predecessor(fd int) {
	l := newInLink(h, fd)
	if l == nil {
		return
	}
	h.mu.Lock()
	h.ins[l] = struct{}{}
	h.mu.Unlock()
	go l.run()
}

// left forgets a channel that has ended.
func (h *Hub) left(l *outLink) {
	h.mu.Lock()
	if h.out == l {
		h.out = nil
	}
	relieved := h.relief == l
	if relieved {
		h.relief = nil
	}
	h.mu.Unlock()
	if relieved {
		for _, p := range h.open() {
			p.owner.Shed(0)
		}
	}
}

// changed tells all owners.
func (h *Hub) changed() {
	for _, p := range h.open() {
		p.owner.Changed()
	}
}

// open returns all ports.
func (h *Hub) open() []*Port {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ports)
}

// keys returns what the servers of this process have ports for.
func (h *Hub) keys() (keys []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.ports {
		if !slices.Contains(keys, p.key) {
			keys = append(keys, p.key)
		}
	}
	return keys
}

// receiver returns the port for connections of that key, nil without one.
func (h *Hub) receiver(key string) *Port {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.nextLocked(&Port{key: key})
}
