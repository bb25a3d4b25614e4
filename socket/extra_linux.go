// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// extras are the queues of other workers that a term serves besides its own, by slot: of those that
// died, hang, are not ready yet or are to go. Nothing new is steered to them, so they are short.
type extras map[int]*extra

// An extra is one such queue. Nothing is taken from it before Accept is there to return it: a
// connection that was accepted but not handed out would be lost with the worker. So a goroutine waits
// for the queue to have somebody, and wakes Accept.
type extra struct {
	file *os.File // a listening descriptor, known to the poller
	rc   syscall.RawConn
	own  bool
	gate *bind.Gate

	filled bool          // somebody waits, as far as we know
	again  chan struct{} // to the goroutine: the queue was emptied; room for one, of which two are the same
}

// standInLocked has the queues of other workers come to a term.
func (l *Listener) standInLocked(t *term) {
	for slot, q := range t.lease.SetStandIn(standIn{l, t}) {
		l.addLocked(t, slot, q)
	}
}

// A standIn is a term as the launcher's messages come to it.
type standIn struct {
	l *Listener
	t *term
}

// Serve adds a queue.
func (s standIn) Serve(slot int, q proc.Queue) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.addLocked(s.t, slot, q)
}

// Return takes a queue away; what is in it is for whoever has it now.
func (s standIn) Return(slot int) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.t.extras.remove(slot)
}

// addLocked starts to serve a queue. Its goroutine ends with the queue's descriptor.
func (l *Listener) addLocked(t *term, slot int, q proc.Queue) {
	if l.term != t {
		syscall.Close(q.FD)
		return
	}
	t.extras.remove(slot) // one that came before may be of a socket that is no more
	x := &extra{file: os.NewFile(uintptr(q.FD), "queue of another worker"), own: q.Own, again: make(chan struct{}, 1)}
	var err error
	if x.rc, err = x.file.SyscallConn(); err != nil {
		x.file.Close()
		return
	}
	if t.extras == nil {
		t.extras = make(extras)
	}
	t.extras[slot] = x
	if t.draining {
		x.shut(l.spec)
	}
	go l.watch(t, slot, x)
}

// watch wakes Accept whenever somebody waits in x, until x is closed.
func (l *Listener) watch(t *term, slot int, x *extra) {
	for {
		err := x.rc.Read(func(fd uintptr) bool { return waits(int(fd)) })
		if !l.wake(t, slot, x, err) {
			return
		}
		<-x.again
	}
}

// wake has Accept look at x, or forgets x if err says that it is no queue any more. False is the end.
func (l *Listener) wake(t *term, slot int, x *extra, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != t || t.extras[slot] != x {
		return false
	}
	if err != nil {
		t.extras.remove(slot)
		return false
	}
	x.filled = true
	t.rest()
	return true
}

// waits reports whether a connection waits on the listening descriptor fd. The poller tells of changes
// alone: who looks first finds also those who came before.
func waits(fd int) bool {
	// Without flags an accept would take one; a listening socket has no other way to look that every
	// architecture has in package syscall.
	info, err := syscall.GetsockoptICMPv6Filter(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	return err != nil || info.Data[6] > 0
}

// accept takes from the queues that have somebody, or from all for the last time. The error is
// errEmpty if nobody is there.
func (xs extras) accept(last bool) (net.Conn, error) {
	for slot, x := range xs {
		if !x.filled && !last {
			continue
		}
		c, err := acceptFrom(x.rc)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, errEmpty) {
			xs.remove(slot) // the launcher has closed it to all
			continue
		}
		x.rest()
	}
	return nil, errEmpty
}

// filled reports whether somebody is in a queue, as far as we know.
func (xs extras) filled() bool {
	for _, x := range xs {
		if x.filled {
			return true
		}
	}
	return false
}

// rest has the goroutine of x wait again.
func (x *extra) rest() {
	x.filled = false
	select {
	case x.again <- struct{}{}:
	default:
	}
}

// remove gives a queue back.
func (xs extras) remove(slot int) {
	if x := xs[slot]; x != nil {
		delete(xs, slot)
		x.close()
	}
}

// close ends x and its goroutine.
func (x *extra) close() {
	x.file.Close()
	if x.gate != nil {
		x.gate.Drop()
	}
	x.rest()
}

// close gives all queues back.
func (xs extras) close() {
	for slot := range xs {
		xs.remove(slot)
	}
}

// shut puts gates before all queues: nobody serves afterwards.
func (xs extras) shut(spec bind.Spec) {
	for _, x := range xs {
		x.shut(spec)
	}
}

func (x *extra) shut(spec bind.Spec) {
	if x.own {
		x.rc.Control(func(fd uintptr) { x.gate, _ = bind.Shut(int(fd), spec, false) })
	}
}

// open lifts these gates.
func (xs extras) open() error {
	var errs []error
	for _, x := range xs {
		if x.gate != nil {
			errs = append(errs, x.rc.Control(func(fd uintptr) { errs = append(errs, x.gate.Open(int(fd))) }))
			x.gate = nil
		}
	}
	return errors.Join(errs...)
}
