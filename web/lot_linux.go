// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"os"
	"sync"
	"syscall"
)

// A lot waits for the next byte of any number of connections with one goroutine, by an epoll of its
// own that the runtime polls.
type lot struct {
	file  *os.File
	raw   syscall.RawConn
	ready func(*parked)
	done  chan struct{} // closed when the goroutine has ended

	mu    sync.Mutex
	last  int32
	there map[int32]*parked // by place; descriptors are used again, places are not so soon
}

// lotEvents is how many connections one look finds ready at most.
const lotEvents = 128

// newLot returns a lot that calls ready for each connection that can be read, once, from its one
// goroutine; nil if the system has none to give.
func newLot(ready func(*parked)) *lot {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	syscall.SetNonblock(fd, true) // else os.NewFile would not have it polled
	l := &lot{file: os.NewFile(uintptr(fd), "parked connections"), ready: ready, done: make(chan struct{}), there: map[int32]*parked{}}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil
	}
	go l.run()
	return l
}

func (l *lot) run() {
	defer close(l.done)
	events := make([]syscall.EpollEvent, lotEvents)
	for {
		n := 0
		err := l.raw.Read(func(fd uintptr) bool {
			n, _ = syscall.EpollWait(int(fd), events, 0)
			return n > 0
		})
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			l.mu.Lock()
			p := l.there[e.Fd]
			l.mu.Unlock()
			if p != nil {
				l.ready(p)
			}
		}
	}
}

// watch begins to wait for p; false if that cannot be.
func (l *lot) watch(p *parked) bool {
	l.mu.Lock()
	for l.last++; l.there[l.last] != nil; l.last++ {
	}
	p.place = l.last
	l.there[p.place] = p
	l.mu.Unlock()
	if l.control(p, syscall.EPOLL_CTL_ADD) {
		return true
	}
	l.mu.Lock()
	delete(l.there, p.place)
	l.mu.Unlock()
	return false
}

// forget ends that. It comes before p is closed: others may hold the connection open, and the kernel
// would go on telling of it.
func (l *lot) forget(p *parked) {
	l.mu.Lock()
	delete(l.there, p.place)
	l.mu.Unlock()
	l.control(p, syscall.EPOLL_CTL_DEL)
}

func (l *lot) control(p *parked, op int) bool {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | oneShot, Fd: p.place}
	var err error
	outer := l.raw.Control(func(lot uintptr) {
		if e := p.raw.Control(func(fd uintptr) { err = syscall.EpollCtl(int(lot), op, int(fd), &event) }); e != nil {
			err = e
		}
	})
	return outer == nil && err == nil
}

// oneShot is EPOLLONESHOT: one look is enough for each connection.
const oneShot = 1 << 30

// close ends the lot and waits for its goroutine. Nothing may be in it any more.
func (l *lot) close() {
	l.file.Close()
	<-l.done
}

// hasInput reports whether there is something to read, the end not counted.
func hasInput(raw syscall.RawConn) bool {
	var n int
	var err error
	outer := raw.Control(func(fd uintptr) {
		for {
			n, _, err = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if err != syscall.EINTR {
				return
			}
		}
	})
	return outer == nil && err == nil && n > 0
}
