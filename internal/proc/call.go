// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstay-go/mainstay/internal/wire"
)

// An Incoming is a message of the launcher that answers no request. Its descriptors are the
// receiver's to close; they may be missing if this process had no room for them.
type Incoming struct {
	wire.Message
	FDs []int
}

// incomingBuffer is far more than a launcher sends to a worker before that reads. Were it full,
// answers would wait behind it.
const incomingBuffer = 256

// sendPause is the time between two tries to send to a launcher that has no room.
const sendPause = 5 * time.Millisecond

var errAlone = errors.New("this process has no launcher")

// calls is the one reader of a channel: it gives answers to those who asked and all else to the owner.
type calls struct {
	conn     *wire.Conn
	start    sync.Once
	incoming chan Incoming
	gone     chan struct{} // closed at the end
	owned    atomic.Bool   // somebody reads incoming, and learns of the end there

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan<- answer // nil once the launcher is gone
}

type answer struct {
	Incoming
	err error
}

func newCalls(conn *wire.Conn) *calls {
	return &calls{conn: conn, incoming: make(chan Incoming, incomingBuffer), gone: make(chan struct{}), waiting: make(map[uint64]chan<- answer)}
}

// Request sends m with the descriptors fds, which stay the caller's, and waits for the answer until
// ctx ends. An answer with an Error is returned as that error; else its descriptors are the caller's.
// The error is io.EOF when the launcher is gone.
func (p *Process) Request(ctx context.Context, m wire.Message, fds ...int) (wire.Message, []int, error) {
	if p.calls == nil {
		return wire.Message{}, nil, errAlone
	}
	a, err := p.calls.do(ctx, m, fds)
	if err == nil {
		err = a.err
	}
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		closeAll(a.FDs)
		return wire.Message{}, nil, err
	}
	return a.Message, a.FDs, nil
}

// Messages returns the channel of all that the launcher sends unasked; it is closed when the launcher
// is gone. It is nil when Alone.
func (p *Process) Messages() <-chan Incoming {
	if p.calls == nil {
		return nil
	}
	p.calls.owned.Store(true)
	p.calls.read()
	return p.calls.incoming
}

// read starts the reader, which ends with the channel.
func (c *calls) read() {
	c.start.Do(func() { go c.run() })
}

func (c *calls) run() {
	defer c.end()
	for {
		m, fds, err := c.conn.Receive()
		switch {
		case errors.Is(err, wire.ErrTooLarge):
			continue
		case err != nil && !errors.Is(err, wire.ErrDescriptors):
			return
		}
		if m.Type == "" {
			continue // of no message were descriptors lost
		}
		in := Incoming{m, fds}
		if m.Re == 0 {
			c.incoming <- in
			continue
		}
		if w := c.forget(m.Re); w != nil {
			w <- answer{in, err}
		} else {
			closeAll(fds) // whoever asked has given up
		}
	}
}

// end tells everyone that nothing comes any more.
func (c *calls) end() {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, w := range waiting {
		w <- answer{err: io.EOF}
	}
	close(c.incoming)
	close(c.gone)
}

// do returns the answer to m.
func (c *calls) do(ctx context.Context, m wire.Message, fds []int) (answer, error) {
	w := make(chan answer, 1) // at most one answer comes, and nobody waits for it to be taken
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		return answer{}, io.EOF
	}
	c.last++
	m.ID = c.last
	c.waiting[m.ID] = w
	c.mu.Unlock()
	c.read()
	err := c.send(ctx, m, fds)
	if err == nil {
		select {
		case a := <-w:
			return a, nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if c.forget(m.ID) == nil {
		return <-w, nil // it came after all
	}
	return answer{}, err
}

// send waits until the launcher has room for m.
func (c *calls) send(ctx context.Context, m wire.Message, fds []int) error {
	for {
		err := c.conn.Send(m, fds...)
		if !errors.Is(err, wire.ErrFull) {
			return err
		}
		select {
		case <-time.After(sendPause):
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// forget returns who waits for the answer to id, and takes it off the list; nil is nobody.
func (c *calls) forget(id uint64) chan<- answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waiting[id]
	delete(c.waiting, id)
	return w
}
