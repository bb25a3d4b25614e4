// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// answerWait is how long a successor may take to answer, while the clients of what is in flight wait.
const answerWait = 2 * time.Second

// errSend tells an error of the channel from one of the connection that was to be sent.
var errSend = errors.New("hand-over channel")

// An outLink is the giver's end of a channel. Two goroutines run it until the channel ends: one sends,
// one receives. Both end with the channel.
type outLink struct {
	hub  *Hub
	sock *sock
	wake chan struct{} // there may be something to send; one note is enough
	over chan struct{} // closed when the channel has ended

	mu     sync.Mutex
	ledger ledger
	keys   map[string]bool // that the other side serves; nil until its hello
	denied map[string]bool // of which it refused a connection
	left   int             // connections that may go there, where that is for relief
	broken bool            // by us
	gone   bool
	timer  *time.Timer // for its next answer; stopped while it owes none
}

func newOutLink(h *Hub, fd int) *outLink {
	s := newSock(fd)
	if s == nil {
		return nil
	}
	l := &outLink{
		hub: h, sock: s, ledger: newLedger(), denied: map[string]bool{},
		wake: make(chan struct{}, 1), over: make(chan struct{}),
	}
	return l
}

func (l *outLink) start() {
	l.mu.Lock()
	l.timer = time.AfterFunc(answerWait, l.breakOff) // for its hello
	l.mu.Unlock()
	go l.receive()
	go l.send()
}

// serves reports whether connections of key may be given. Before the other side's hello that is a
// guess: what it does not serve comes back.
func (l *outLink) serves(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.broken && !l.gone && len(key) <= maxKey && !l.denied[key] && (l.keys == nil || l.keys[key])
}

// give queues a parcel; if the channel has ended it goes back at once.
func (l *outLink) give(p *parcel) {
	l.mu.Lock()
	ended := l.broken || l.gone
	if !ended {
		l.ledger.add(p)
	}
	l.mu.Unlock()
	if ended {
		p.port.returned(p, true)
		return
	}
	l.notify()
}

func (l *outLink) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// send sends what is queued, as credit allows.
func (l *outLink) send() {
	hello := packet{kind: typeHello, ver: version}
	err := l.sock.send(hello.encode(), nil)
	for err == nil {
		p := l.next()
		if p == nil {
			select {
			case <-l.wake:
				continue
			case <-l.over:
				return
			}
		}
		give := packet{kind: typeGive, id: p.id, fresh: p.fresh, idle: time.Since(p.since), key: p.port.key}
		err = l.sock.send(give.encode(), p.raw)
		if errors.Is(err, net.ErrClosed) && !errors.Is(err, errSend) {
			// Somebody has closed the connection; the channel is well.
			if l.settle(p.id, (*ledger).refused) != nil {
				p.port.taken()
			}
			err = nil
		}
	}
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		l.breakOff() // else the other side has died: receive sees that, and what it had not used comes back
	}
}

func (l *outLink) next() *parcel {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken || l.gone || l.keys == nil {
		return nil
	}
	p := l.ledger.next()
	if p != nil && len(l.ledger.flight) == 1 {
		l.timer.Reset(answerWait)
	}
	return p
}

// settle takes a parcel to its next place in the ledger.
func (l *outLink) settle(id uint64, to func(*ledger, uint64) *parcel) *parcel {
	l.mu.Lock()
	p := to(&l.ledger, id)
	if len(l.ledger.flight) == 0 {
		l.timer.Stop()
	} else {
		l.timer.Reset(answerWait)
	}
	l.mu.Unlock()
	l.notify()
	return p
}

// receive does what the other side says until it is gone.
func (l *outLink) receive() {
	for {
		b, fds, err := l.sock.receive()
		closeAll(fds) // none comes this way
		if err != nil && !errors.Is(err, errTruncated) {
			l.end(errors.Is(err, io.EOF))
			return
		}
		p, err := decode(b)
		if err != nil {
			continue // what is missing is missed by its time
		}
		l.heard(p)
	}
}

func (l *outLink) heard(p packet) {
	switch p.kind {
	case typeHello:
		l.greeted(p)
	case typeTook:
		if c := l.settle(p.id, (*ledger).took); c != nil {
			c.port.taken()
		}
	case typeUsed:
		if c := l.settle(p.id, (*ledger).used); c != nil {
			c.conn.Close()
		}
	case typeRefused:
		if c := l.settle(p.id, (*ledger).refused); c != nil {
			l.mu.Lock()
			l.denied[c.port.key] = true
			l.mu.Unlock()
			c.port.returned(c, true)
			l.hub.changed()
		}
	}
}

func (l *outLink) greeted(p packet) {
	l.mu.Lock()
	known := p.ver == version && l.keys == nil
	if known {
		l.keys = map[string]bool{}
		for _, key := range p.keys {
			l.keys[key] = true
		}
		l.timer.Stop()
	}
	var back []*parcel
	for i := len(l.ledger.queue) - 1; known && i >= 0; i-- {
		if c := l.ledger.queue[i]; !l.keys[c.port.key] {
			back = append(back, c)
			l.ledger.queue = append(l.ledger.queue[:i:i], l.ledger.queue[i+1:]...)
		}
	}
	l.mu.Unlock()
	if p.ver != version {
		l.breakOff()
		return
	}
	for _, c := range back {
		c.port.returned(c, true)
	}
	l.notify()
	l.hub.changed()
	l.hub.shed(l)
}

// breakOff ends the channel from this side. What the other side has answered for by now, or could
// still do, counts: it learns with its answer whether that came in time.
func (l *outLink) breakOff() {
	l.mu.Lock()
	was := l.broken || l.gone
	l.broken = true
	l.mu.Unlock()
	if !was {
		l.sock.shutdown()
	}
}

// end gives back what the other side did not take, and if it has died what it did not use.
func (l *outLink) end(died bool) {
	l.mu.Lock()
	l.gone = true
	died = died && !l.broken
	l.timer.Stop()
	inFlight := make(map[*parcel]bool, len(l.ledger.flight)+len(l.ledger.queue))
	for _, p := range l.ledger.queue {
		inFlight[p] = true
	}
	for _, p := range l.ledger.flight {
		inFlight[p] = true
	}
	back, lost := l.ledger.close(died)
	l.mu.Unlock()
	close(l.over)
	l.hub.left(l)
	l.sock.close()
	for _, p := range back {
		p.port.returned(p, inFlight[p])
	}
	for _, p := range lost {
		p.conn.Close()
	}
	l.hub.changed()
}

// abandon closes the copies of what a port that ends has given away.
func (l *outLink) abandon(port *Port) {
	l.mu.Lock()
	var copies []*parcel
	for id, p := range l.ledger.kept {
		if p.port == port {
			copies = append(copies, p)
			delete(l.ledger.kept, id)
		}
	}
	l.mu.Unlock()
	for _, p := range copies {
		p.conn.Close()
	}
}
