// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/handover"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
)

// A parked connection is one that came from another server, idle, and that net/http does not know of
// until its next byte is there: to net/http it would be new, with the time limits of a new one.
type parked struct {
	handover.Arrival
	raw      syscall.RawConn
	deadline int64 // of its idling, as the timekeeper counts
	place    int32 // in the lot
}

// openPort opens the run's place among those that hand over connections, if its connections can be.
func (r *run) openPort() {
	if !r.movable.Load() {
		return
	}
	a := r.ln.Addr()
	port := handover.Local().Open(a.Network()+" "+a.String(), r)
	r.mu.Lock()
	r.port = port
	r.mu.Unlock()
}

// able reports whether there is somebody to move connections to.
func (r *run) able() bool {
	r.mu.Lock()
	port := r.port
	r.mu.Unlock()
	return port != nil && r.movable.Load() && port.Able()
}

// Accepts reports whether connections of others may come.
func (r *run) Accepts() bool { return !r.stopped.Load() || r.moving.Load() }

// Changed has the loop look at who is there.
func (r *run) Changed() {
	r.turned.Store(true)
	r.notify()
}

// Adopt takes a connection that was served by another server, or that nobody took.
func (r *run) Adopt(a handover.Arrival) {
	if r.moving.Load() && !a.Returned && r.give(a) {
		return
	}
	r.park(a)
}

// give moves an idle connection on. It returns false if nobody takes it any more.
func (r *run) give(a handover.Arrival) bool {
	r.mu.Lock()
	port := r.port
	r.mu.Unlock()
	if port == nil {
		return false
	}
	a.Used() // whoever had it before may forget it: from now on it is us who answer for it
	return port.Give(a.Conn, a.Since, a.Fresh)
}

// Shed lets up to n connections move on, though the run goes on: those that are idle now, and the next
// ones to be so.
func (r *run) Shed(n int) int {
	r.shed.Store(0)
	if n == 0 || r.stopped.Load() || !r.movable.Load() {
		return 0
	}
	var all []*parked
	left := n
	r.mu.Lock()
	for p := range r.parked {
		if left > 0 && r.takeLocked(p) {
			all = append(all, p)
			left--
		}
	}
	for c := range r.conns {
		if left > 0 && c.nudge() {
			left--
		}
	}
	r.shed.Store(int64(min(left, len(r.conns))))
	r.mu.Unlock()
	for _, p := range all {
		if !r.give(p.Arrival) {
			r.park(p.Arrival)
		}
	}
	return n
}

// lets reports whether a connection that is idle now is to move on.
func (r *run) lets() bool {
	return r.moving.Load() || r.shed.Load() > 0 && r.shed.Add(-1) >= 0
}

// send moves a connection on that has left net/http.
func (r *run) send(c *conn) {
	a := handover.Arrival{Conn: c.Conn, Since: time.Now(), Fresh: c.steps > 1}
	limit := r.idle
	if a.Fresh {
		limit = r.header
	}
	if d := c.deadline.Load(); limit > 0 && d > passed {
		a.Since = r.keeper.epoch.Add(time.Duration(d) - limit)
	}
	if !r.give(a) {
		r.Changed()
		r.park(a)
	}
}

// pin gives up moving connections: net/http does not do what the rule for it rests on.
func (r *run) pin() {
	r.movable.Store(false)
	r.Changed()
}

// park waits for the next byte of a connection.
func (r *run) park(a handover.Arrival) {
	p := &parked{Arrival: a}
	limit := r.idle
	if a.Fresh {
		limit = r.header
	}
	if limit > 0 {
		p.deadline = max(r.keeper.at(a.Since.Add(limit)), passed+1)
	}
	r.mu.Lock()
	if r.cutting || r.unserved || r.phase == over {
		r.mu.Unlock()
		p.close()
		return
	}
	if !r.watchLocked(p) {
		r.mu.Unlock()
		r.resume(p)
		return
	}
	r.parked[p] = struct{}{}
	scoreboard.Current().Hold(1)
	r.mu.Unlock()
	r.keeper.sooner(p.deadline)
}

func (p *parked) close() {
	p.Used()
	p.Conn.Close()
}

// watchLocked reports whether the lot looks after p from now on.
func (r *run) watchLocked(p *parked) bool {
	sc, ok := p.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	var err error
	if p.raw, err = sc.SyscallConn(); err != nil {
		return false
	}
	if r.lot == nil {
		r.lot = newLot(r.unpark)
	}
	return r.lot != nil && r.lot.watch(p)
}

// takeLocked takes p from the parked connections; false if somebody else did.
func (r *run) takeLocked(p *parked) bool {
	if _, ok := r.parked[p]; !ok {
		return false
	}
	delete(r.parked, p)
	scoreboard.Current().Hold(-1)
	r.lot.forget(p)
	return true
}

// unpark serves a parked connection that has something to read, be it its end.
func (r *run) unpark(p *parked) {
	r.mu.Lock()
	ok := r.takeLocked(p)
	r.mu.Unlock()
	if ok {
		r.lastLook(p)
	}
}

// lastLook serves a connection if something has come over it that is not its end, and closes it if not.
func (r *run) lastLook(p *parked) {
	if hasInput(p.raw) {
		r.resume(p)
		return
	}
	p.close()
	r.notify()
}

// resume gives a connection to net/http.
func (r *run) resume(p *parked) {
	p.Used()
	c, err := r.admit(p.Conn)
	if err != nil {
		return
	}
	if p.raw == nil && !p.Fresh {
		c.deadline.Store(p.deadline) // nothing has come yet
	}
	if r.lingered.Load() && !r.moving.Load() {
		c.end()
	}
	r.late.put(c)
}

// expireLocked returns the parked connections whose time is over by now, and when that of the next is.
func (r *run) expireLocked(now int64) (due []*parked, next int64) {
	next = never
	for p := range r.parked {
		switch {
		case p.deadline == none:
		case p.deadline <= now:
			r.takeLocked(p)
			due = append(due, p)
		default:
			next = min(next, p.deadline)
		}
	}
	return due, next
}

// carry moves what is idle to whoever is there for it, now and as requests end. With nobody there it
// stops that and returns false.
func (r *run) carry() bool {
	able := r.able()
	r.moving.Store(able)
	if !able {
		return false
	}
	r.front.closing.Store(false)
	r.lingered.Store(false)
	r.mu.Lock()
	var all []*parked
	for p := range r.parked {
		r.takeLocked(p)
		all = append(all, p)
	}
	for c := range r.conns {
		c.nudge()
	}
	r.mu.Unlock()
	for _, p := range all {
		if !r.give(p.Arrival) {
			r.Changed()
			r.park(p.Arrival)
		}
	}
	return true
}

// carried reports whether nothing is left that was to move on, or may come back.
func (r *run) carried() bool {
	r.mu.Lock()
	port, left := r.port, len(r.parked)
	r.mu.Unlock()
	return left == 0 && (port == nil || port.Pending() == 0)
}

// closePort ends the run's place among those that hand over connections, and what came there.
func (r *run) closePort() {
	r.mu.Lock()
	port, lot := r.port, r.lot
	var all []*parked
	for p := range r.parked {
		r.takeLocked(p)
		all = append(all, p)
	}
	r.port, r.lot = nil, nil
	r.mu.Unlock()
	if port != nil {
		port.Close()
	}
	if lot != nil {
		lot.close()
	}
	for _, p := range all {
		p.close()
	}
}

// A lateListener is where net/http gets the connections that were parked. It can be closed by anyone,
// more than once.
type lateListener struct {
	addr  net.Addr
	conns chan *conn
	over  chan struct{}
	once  sync.Once
}

func newLateListener(addr net.Addr) *lateListener {
	return &lateListener{addr: addr, conns: make(chan *conn), over: make(chan struct{})}
}

// put waits until net/http takes c.
func (l *lateListener) put(c *conn) {
	select {
	case l.conns <- c:
	case <-l.over:
		c.Conn.Close()
		c.run.forget(c)
	}
}

func (l *lateListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *lateListener) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}

func (l *lateListener) Addr() net.Addr { return l.addr }
