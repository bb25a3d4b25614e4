// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"errors"
	"fmt"
	"time"
)

// An inLink is the taker's end of a channel. One goroutine receives, until the giver has gone.
//
// It never ends a channel by itself once it has taken something: the giver would have to believe that
// this process is dead, and that what was not used is free to be served again.
type inLink struct {
	hub  *Hub
	sock *sock
}

func newInLink(h *Hub, fd int) *inLink {
	s := newSock(fd)
	if s == nil {
		return nil
	}
	return &inLink{hub: h, sock: s}
}

func (l *inLink) run() {
	defer func() {
		l.sock.close()
		l.hub.mu.Lock()
		delete(l.hub.ins, l)
		l.hub.mu.Unlock()
	}()
	hello := packet{kind: typeHello, ver: version, keys: l.hub.keys()}
	if l.sock.send(hello.encode(), nil) != nil {
		return
	}
	greeted := false
	for {
		b, fds, err := l.sock.receive()
		if err != nil && !errors.Is(err, errTruncated) {
			closeAll(fds)
			return
		}
		p, bad := decode(b)
		switch {
		case bad != nil:
			closeAll(fds)
		case p.kind == typeHello:
			closeAll(fds)
			if p.ver != version && !greeted {
				return // nothing was taken yet
			}
			greeted = true
		case p.kind == typeGive && greeted:
			l.take(p, fds, err)
		default:
			closeAll(fds)
		}
	}
}

// take answers for a connection, and then gives it to its server.
func (l *inLink) take(p packet, fds []int, err error) {
	if len(fds) != 1 {
		closeAll(fds)
		if err == nil {
			err = fmt.Errorf("%d descriptors in one packet", len(fds))
		}
		l.refuse(p, err)
		return
	}
	nc, err := connOf(fds[0]) // which owns the descriptor
	if err != nil {
		l.refuse(p, err)
		return
	}
	port := l.hub.receiver(p.key)
	if port == nil {
		nc.Close()
		l.refuse(p, fmt.Errorf("nobody serves %q", p.key))
		return
	}
	took := packet{kind: typeTook, id: p.id}
	if l.sock.send(took.encode(), nil) != nil {
		nc.Close() // too late: the giver has taken it back
		return
	}
	used := packet{kind: typeUsed, id: p.id}
	port.owner.Adopt(Arrival{
		Conn: nc, Since: time.Now().Add(-p.idle), Fresh: p.fresh,
		used: func() { l.sock.sendSoon(used.encode()) },
	})
}

func (l *inLink) refuse(p packet, why error) {
	refused := packet{kind: typeRefused, id: p.id, reason: why.Error()}
	l.sock.send(refused.encode(), nil)
}
