// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Shapes are the shapes that mean something in HTTP/2: Slow is DATA with pauses between, Split a head
// in several frames, Pipeline several streams at once.
var h2Shapes = map[Shape]bool{Get: true, Post: true, Slow: true, Large: true, Split: true, Pipeline: true}

// window is how much a server may send before it hears from us again; so much that it never has to
// wait.
const (
	h2Window = 1 << 30
	h2Refill = 1 << 29
)

// An h2 is what a connection of HTTP/2 has beside its socket. It is read and written by one goroutine:
// what has no room to be sent waits until frames were read.
type h2 struct {
	frames   *http2.Framer
	headers  bytes.Buffer
	encode   *hpack.Encoder
	out      bytes.Buffer // frames that are not written yet
	next     uint32       // stream
	streams  map[uint32]*stream
	room     int64 // of the connection, to send
	initial  int64 // of a new stream
	biggest  int   // DATA frame
	consumed uint32
	goAway   bool
	last     uint32 // stream that is served, if goAway
}

// A stream is one request under way.
type stream struct {
	id      uint32
	req     *request
	room    int64
	rest    []byte // of the body
	ended   bool   // all is sent
	answers bool   // something has come
	status  int
	count   int64
	check   checker
}

// startH2 begins a connection.
func startH2(c *conn) error {
	h := &h2{next: 1, streams: make(map[uint32]*stream), room: 65535, initial: 65535, biggest: 16384}
	h.encode = hpack.NewEncoder(&h.headers)
	h.frames = http2.NewFramer(&h.out, c.in)
	h.frames.SetReuseFrames()
	h.frames.SetMaxReadFrameSize(16384) // what we have promised to take, by not promising more
	h.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.out.WriteString(http2.ClientPreface)
	h.frames.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: h2Window},
	)
	h.frames.WriteWindowUpdate(0, h2Window-65535)
	c.h2 = h
	return c.flushH2()
}

// flushH2 writes the frames that are gathered.
func (c *conn) flushH2() error {
	_, err := c.Write(c.h2.out.Bytes())
	c.h2.out.Reset()
	return err
}

// waitH2 is wait for HTTP/2: what the server says while nothing is under way is not for nothing.
func (c *conn) waitH2(d time.Duration) error {
	for end := time.Now().Add(d); ; d = time.Until(end) {
		if c.in.Buffered() == 0 {
			if err := c.wait(max(d, 0)); err == nil {
				return nil
			} else if !errors.Is(err, errStray) {
				return err
			}
		}
		c.SetReadDeadline(time.Now().Add(time.Second)) // the rest of a frame
		c.unbound()
		if _, err := c.readFrame(); err != nil {
			return err
		}
		if c.h2.goAway {
			return errGoAway
		}
		if err := c.flushH2(); err != nil {
			return err
		}
	}
}

var errGoAway = errors.New("GOAWAY")

// errTwice is an answer on a stream that has had one.
var errTwice = errors.New("an answer on a stream that was answered")

// exchangeH2 sends what is in the queue as streams of one connection, and takes the answers.
func (c *client) exchangeH2() {
	h := c.conn.h2
	all := c.queue
	for _, r := range all {
		h.begin(c.load(), c.id, r)
	}
	err := c.sendH2(all)
	for err == nil && len(h.streams) > 0 {
		var s *stream
		if s, err = c.conn.readFrame(); err != nil {
			break
		}
		if s != nil {
			c.finishH2(s)
		}
		if h.goAway {
			c.giveBack()
		}
		if err == nil {
			h.sendBodies(0)
			err = c.conn.flushH2()
		}
	}
	if err != nil {
		c.brokenH2(err)
		return
	}
	if h.goAway && !c.fresh {
		c.run.announced(len(c.queue) > 0)
	}
	if h.goAway || c.fresh {
		c.hangUp()
	}
}

// sendH2 writes the heads, and as much of the bodies as there is room for.
func (c *client) sendH2(all []*request) error {
	h := c.conn.h2
	for i := 0; i < 3 && all[0].shape == Slow; i++ {
		h.sendBodies(len(all[0].body)/4 + 1)
		if err := c.conn.flushH2(); err != nil {
			return err
		}
		c.pause(all...)
	}
	h.sendBodies(0)
	return c.conn.flushH2()
}

// finishH2 counts a stream that has ended.
func (c *client) finishH2(s *stream) {
	if s.status == refusedStream {
		c.again(s.req)
		return
	}
	c.drop(s.req)
	c.conn.answers++
	if s.status == resetStream {
		f := Fault{Class: Lost, Cause: Reset, Moment: Sent, Reused: c.conn.answers > 1, Excused: c.run.inKilledHands(c.conn)}
		if s.answers {
			f.Class, f.Moment = Truncated, Answering
		}
		c.failed(f, fmt.Sprintf("%s request %d of client %d: stream reset", s.req.shape, s.req.serial, c.id))
		return
	}
	c.judge(s.req, head{status: s.status, count: s.count}, &s.check)
}

// drop takes a request out of the queue.
func (c *client) drop(r *request) {
	for i, q := range c.queue {
		if q == r {
			c.queue = append(c.queue[:i:i], c.queue[i+1:]...)
			return
		}
	}
}

// again counts a request that goes over another stream.
func (c *client) again(r *request) {
	c.run.again.Add(1)
	r.sent, r.began = 0, time.Time{}
}

// giveBack takes the streams away that a GOAWAY leaves unserved.
func (c *client) giveBack() {
	h := c.conn.h2
	for id, s := range h.streams {
		if id > h.last {
			delete(h.streams, id)
			c.again(s.req)
		}
	}
}

// brokenH2 settles a connection that ended with streams under way.
func (c *client) brokenH2(err error) {
	h := c.conn.h2
	if h.goAway {
		c.giveBack()
	}
	if errors.Is(err, errTwice) {
		c.fault(Fault{Class: Doubled, Cause: Answered, Moment: Idle, Reused: true}, err.Error())
		for id, s := range h.streams { // we hang up on them
			delete(h.streams, id)
			c.again(s.req)
		}
	}
	if err == io.EOF && len(h.streams) == 0 {
		c.hangUp()
		return
	}
	reused, excused := c.conn.answers > 0, c.run.inKilledHands(c.conn)
	for _, s := range h.streams {
		f := Fault{Class: Lost, Cause: causeOf(err), Moment: Sent, Reused: reused, Excused: excused}
		switch {
		case f.Cause == Protocol:
			f.Class, f.Moment = Wrong, Answering
		case s.answers:
			f.Class, f.Moment = Truncated, Answering
		case !s.ended:
			f.Moment = HalfSent
		}
		c.drop(s.req)
		c.failed(f, fmt.Sprintf("%s request %d of client %d, stream %d: %v", s.req.shape, s.req.serial, c.id, s.id, err))
	}
	c.hangUp()
}

// askH2 gets a path once.
func (l *Load) askH2(c *conn) (status int, body []byte, err error) {
	c.h2.begin(l, -1, &request{shape: Get})
	c.h2.streams[1].check.keep = true
	if err := c.flushH2(); err != nil {
		return 0, nil, err
	}
	for {
		s, err := c.readFrame()
		if err != nil || s != nil {
			if err == nil {
				return s.status, s.check.all, nil
			}
			return 0, nil, err
		}
		if err := c.flushH2(); err != nil {
			return 0, nil, err
		}
	}
}
