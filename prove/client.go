// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// A client sends one request after the other over connections of its own. It never tries a request
// again on its own account, so that each one that gets no answer is seen; what the server gave back
// unread, by a close that it announced, it sends anew.
type client struct {
	run    *run
	id     int
	fresh  bool
	random *rand.Rand
	maker  maker
	conn   *conn
	dialed bool       // it had a connection before
	queue  []*request // to be answered, in order; the last may be behind the others
	took   histogram
	due    time.Time // when the next request is meant to be sent, with Load.Rate
	gone   bool      // nobody listens any more, as a disturbance wanted it
	buf    []byte    // what is written next
}

// live is the whole life of a client. It ends when the load does, with its last request answered.
func (c *client) live(ctx context.Context) {
	defer c.leave()
	for !c.gone && c.refill() {
		if c.connect(ctx) {
			c.exchange()
		}
	}
}

// refill draws new requests when there are none. It is false at the end of the load.
func (c *client) refill() bool {
	if len(c.queue) == 0 {
		c.rest()
		if !c.run.more() {
			return false
		}
		c.draw(c.load().Shapes[c.random.IntN(len(c.load().Shapes))])
	}
	// One that was behind others is in front now, and may have another behind itself.
	if last := c.queue[len(c.queue)-1]; len(c.queue) == 1 {
		last.behind = false
		if last.shape == Early && !c.fresh && c.run.more() {
			c.draw([]Shape{Get, Post, Split, Early}[c.random.IntN(4)])
			c.queue[1].behind = true
		}
	}
	return true
}

func (c *client) load() *Load { return c.run.load }

func (c *client) draw(s Shape) {
	if c.load().Echo == "" && shapes[s] {
		s = Get
	}
	all := c.maker.next(s)
	c.queue = append(c.queue, all...)
	c.run.requests.Add(uint64(len(all)))
}

// rest waits between two requests, and sees what the server does to the connection meanwhile.
func (c *client) rest() {
	var until time.Time
	switch l := c.load(); {
	case l.Rate > 0:
		if c.due.IsZero() {
			c.due = c.run.began.Add(time.Duration(c.random.Int64N(int64(c.run.interval))))
		} else {
			c.due = c.due.Add(c.run.interval)
		}
		until = c.due
	case l.Think > 0:
		until = time.Now().Add(time.Duration(c.random.Int64N(2 * int64(l.Think))))
	default:
		return
	}
	const slice = 20 * time.Millisecond // within which the end of the load is noticed
	for c.run.ctx.Err() == nil {
		left := time.Until(until)
		if left <= 0 {
			return
		}
		left = min(left, slice)
		if c.conn == nil {
			time.Sleep(left)
			continue
		}
		c.look(c.conn.idle(left))
	}
}

// look settles what a wait on a connection with nothing under way has brought.
func (c *client) look(err error) {
	switch {
	case err == nil:
	case errors.Is(err, errStray):
		c.stray()
	case errors.Is(err, errGoAway):
		c.run.announced(false)
		c.hangUp()
	case errors.Is(err, errTwice):
		c.fault(Fault{Class: Doubled, Cause: Answered, Moment: Idle, Reused: true}, err.Error())
		c.hangUp()
	default:
		c.run.closed(causeOf(err))
		c.hangUp()
	}
}

// stray settles bytes that nobody asked for.
func (c *client) stray() {
	b, _ := c.conn.in.Peek(min(c.conn.in.Buffered(), 64))
	f := Fault{Class: Wrong, Cause: Stray, Moment: Idle, Reused: true}
	if bytes.HasPrefix(b, []byte("HTTP/1.")) && c.conn.answers > 0 {
		f.Class, f.Cause = Doubled, Answered
	}
	c.fault(f, fmt.Sprintf("behind an answer: %.40q", b))
	c.hangUp()
}

// connect sees to it that there is a connection that can take the first request of the queue.
func (c *client) connect(ctx context.Context) bool {
	if c.conn != nil {
		if c.queue[0].sent == 0 {
			c.look(c.conn.idle(0))
		} else if err := c.conn.wait(0); err != nil && !errors.Is(err, errStray) {
			c.broken(err, 1)
			return false
		} // an answer may begin before the request is whole
	}
	if c.conn != nil {
		return true
	}
	began := time.Now()
	conn, err := c.load().dial(ctx)
	if err != nil {
		c.refused(err, began)
		return false
	}
	c.conn = conn
	c.run.dials.Add(1)
	if c.dialed && !c.fresh {
		c.run.redials.Add(1)
	}
	c.dialed = true
	if c.due.IsZero() {
		c.queue[0].began = began
	}
	return true
}

// refused settles a connection that could not be made.
func (c *client) refused(err error, began time.Time) {
	cause := causeOf(err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		cause = Timeout
	}
	if cause == Refused && c.run.stopped.Load() {
		c.run.refused.Add(uint64(len(c.queue)))
		c.queue, c.gone = nil, true
		return
	}
	c.fail(Fault{Class: Lost, Cause: cause, Moment: Dialing}, err.Error())
	if time.Since(began) < redialPause {
		time.Sleep(redialPause) // else a dead server makes this a busy loop
	}
}

const redialPause = 5 * time.Millisecond

// exchange sends what is in the queue and takes the answers.
func (c *client) exchange() {
	now := time.Now()
	n := len(c.queue)
	if c.queue[n-1].behind {
		n--
	}
	for _, r := range c.queue[:n] {
		if r.began.IsZero() {
			r.began = now
		}
	}
	if !c.due.IsZero() && c.due.Before(now) {
		c.queue[0].began = c.due // what a slow answer kept from being sent in time counts
	}
	c.conn.bound(now, c.load().Timeout)
	if c.conn.h2 != nil {
		c.exchangeH2()
		return
	}
	if c.queue[0].shape == Expect && c.queue[0].sent < len(c.queue[0].head) {
		c.expect()
		return
	}
	if c.queue[0].shape == Large {
		c.large()
		return
	}
	if err := c.send(n); err != nil {
		c.unsent(err)
		return
	}
	c.receive(n)
}

// unsent settles an error of sending. The answer to what the server has may have come before.
func (c *client) unsent(err error) {
	r := c.queue[0]
	if r.sent == 0 && c.conn.answers > 0 {
		c.run.closed(causeOf(err)) // while idle: nothing of it has reached anybody
		c.hangUp()
		return
	}
	if c.conn.in.Buffered() > 0 || c.conn.probe() == readable {
		if _, peekErr := c.conn.in.Peek(1); peekErr == nil {
			c.receive(1)
			return
		}
	}
	n := 1 // those behind it that are not whole go again
	for n < len(c.queue) && c.queue[n].whole() {
		n++
	}
	c.broken(err, n)
}

// receive takes the answers to the first n requests of the queue.
func (c *client) receive(n int) {
	for i := range n {
		if !c.answer(n - i) {
			return
		}
	}
}

// answer takes the answer to the first request; n are sent. It is false if the connection cannot be
// used any more.
func (c *client) answer(n int) bool {
	if _, err := c.conn.in.Peek(1); err != nil {
		c.broken(err, n)
		return false
	}
	h, err := readHead(c.conn.in)
	for err == nil && h.status < 200 && h.status != 101 {
		h, err = readHead(c.conn.in)
	}
	if err != nil {
		c.cut(err, n)
		return false
	}
	return c.finish(h, n)
}

// finish takes the body of the answer whose head is h.
func (c *client) finish(h head, n int) bool {
	r := c.queue[0]
	check := checker{want: r.want}
	if err := readBody(c.conn.in, h, check.take); err != nil {
		c.cut(err, n)
		return false
	}
	c.conn.answers++
	c.queue = c.queue[1:]
	synced := c.judge(r, h, &check)
	whole := r.whole()
	switch {
	case c.fresh:
		c.hangUp()
	case h.closes:
		c.run.announced(len(c.queue) > 0 && c.queue[0].sent > 0)
		c.hangUp()
	case !synced || !whole:
		c.hangUp()
	default:
		if len(c.queue) == 0 && c.conn.in.Buffered() > 0 {
			c.stray()
		}
		return c.conn != nil
	}
	return false
}

// broken settles a connection that ended before a byte of the answer to the first request came; n are
// sent, or begun.
func (c *client) broken(err error, n int) {
	r := c.queue[0]
	moment := Sent
	switch {
	case r.sent == 0:
		moment = Unsent
	case !r.whole():
		moment = HalfSent
	}
	c.lose(Fault{Class: Lost, Cause: causeOf(err), Moment: moment}, err, n)
}

// cut settles an answer that ended too soon, or is none.
func (c *client) cut(err error, n int) {
	f := Fault{Class: Truncated, Cause: causeOf(err), Moment: Answering}
	if f.Cause == Protocol {
		f.Class = Wrong
	}
	c.lose(f, err, n)
}

// lose counts the first request as f says, and those that were sent behind it as lost with it.
func (c *client) lose(f Fault, err error, n int) {
	f.Reused = c.conn.answers > 0
	f.Excused = c.run.inKilledHands(c.conn)
	c.fail(f, fmt.Sprintf("%s request %d of client %d: %v", c.queue[0].shape, c.queue[0].serial, c.id, err))
	for range n - 1 {
		f.Class, f.Moment = Lost, Sent
		c.fail(f, fmt.Sprintf("%s request %d of client %d, sent behind another: %v", c.queue[0].shape, c.queue[0].serial, c.id, err))
	}
	c.hangUp()
}

// fail counts the first request as failed.
func (c *client) fail(f Fault, detail string) {
	c.queue = c.queue[1:]
	c.failed(f, detail)
}

func (c *client) failed(f Fault, detail string) {
	c.run.failed.Add(1)
	c.fault(f, detail)
}

func (c *client) fault(f Fault, detail string) { c.run.fault(f, detail) }

// hangUp closes the connection. What was sent over it and has no answer will be sent anew: the callers
// have counted before what is lost.
func (c *client) hangUp() {
	if c.conn == nil {
		return
	}
	c.conn.Close()
	c.conn = nil
	for _, r := range c.queue {
		if r.sent > 0 {
			r.sent, r.behind = 0, false
			r.began = time.Time{}
			c.run.again.Add(1)
		}
	}
}

// leave ends the client; a last look finds an answer too many.
func (c *client) leave() {
	if c.conn != nil && c.conn.answers > 0 {
		if c.conn.h2 == nil && errors.Is(c.conn.wait(time.Millisecond), errStray) {
			c.stray()
		}
	}
	c.hangUp()
}
