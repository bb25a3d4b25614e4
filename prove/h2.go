// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
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

// begin gathers the head of a request.
func (h *h2) begin(l *Load, client int, r *request) {
	s := &stream{id: h.next, req: r, room: h.initial, rest: r.body, check: checker{want: r.want}}
	h.next += 2
	h.streams[s.id] = s
	scheme := "http"
	if l.TLS != nil {
		scheme = "https"
	}
	h.headers.Reset()
	field := func(name, value string) { h.encode.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	if r.post {
		field(":method", "POST")
		field(":path", l.Echo)
	} else {
		field(":method", "GET")
		field(":path", l.path)
	}
	field(":scheme", scheme)
	field(":authority", l.host)
	field("user-agent", "mainstay-prove")
	field("prove-serial", fmt.Sprintf("%x %d %d", l.Seed, client, r.serial))
	if r.post {
		field("content-length", strconv.Itoa(len(r.body)))
	}
	block := h.headers.Bytes()
	first := block
	if r.shape == Split {
		first = block[:len(block)/2]
	}
	s.ended = !r.post
	h.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: s.id, BlockFragment: first, EndStream: s.ended, EndHeaders: len(first) == len(block),
	})
	if len(first) < len(block) {
		h.frames.WriteContinuation(s.id, true, block[len(first):])
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

// sendBodies gathers DATA of all streams as far as there is room, at most limit bytes of each if that is
// above 0.
func (h *h2) sendBodies(limit int) {
	for id := uint32(1); id < h.next && len(h.streams) > 0; id += 2 {
		s := h.streams[id]
		if s == nil || s.ended {
			continue
		}
		for sent := 0; ; {
			n := min(len(s.rest), h.biggest, int(min(s.room, h.room)))
			if limit > 0 {
				n = min(n, limit-sent)
			}
			if n <= 0 && len(s.rest) > 0 {
				break
			}
			s.ended = n == len(s.rest)
			h.frames.WriteData(s.id, s.ended, s.rest[:n])
			s.rest = s.rest[n:]
			s.room -= int64(n)
			h.room -= int64(n)
			sent += n
			if s.ended {
				break
			}
		}
	}
}

// readFrame takes in a frame. It returns the stream that it ended, if it did.
func (c *conn) readFrame() (*stream, error) {
	h := c.h2
	frame, err := h.frames.ReadFrame()
	if err != nil {
		var bad http2.ConnectionError
		var streamBad http2.StreamError
		if errors.As(err, &bad) || errors.As(err, &streamBad) || errors.Is(err, http2.ErrFrameTooLarge) {
			return nil, malformed("frame: %v", err)
		}
		return nil, err
	}
	s := h.streams[frame.Header().StreamID]
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		return nil, h.settings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			h.frames.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			h.room += int64(f.Increment)
		} else if s != nil {
			s.room += int64(f.Increment)
		}
	case *http2.GoAwayFrame:
		h.goAway, h.last = true, f.LastStreamID
	case *http2.RSTStreamFrame:
		return h.resetBy(s, f.ErrCode), nil
	case *http2.MetaHeadersFrame:
		if s == nil {
			return nil, errTwice
		}
		return h.head(s, f)
	case *http2.DataFrame:
		h.refill(uint32(f.Length))
		if s == nil {
			return nil, errTwice
		}
		s.check.take(f.Data())
		return h.endOf(s, f.StreamEnded()), nil
	}
	return nil, nil
}

func (h *h2) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, st := range h.streams {
				st.room += int64(s.Val) - h.initial
			}
			h.initial = int64(s.Val)
		case http2.SettingMaxFrameSize:
			h.biggest = int(s.Val)
		case http2.SettingHeaderTableSize:
			h.encode.SetMaxDynamicTableSizeLimit(s.Val)
		}
		return nil
	})
	h.frames.WriteSettingsAck()
	return err
}

// refill gives the server room again.
func (h *h2) refill(n uint32) {
	if h.consumed += n; h.consumed >= h2Refill {
		h.frames.WriteWindowUpdate(0, h.consumed)
		h.consumed = 0
	}
}

func (h *h2) head(s *stream, f *http2.MetaHeadersFrame) (*stream, error) {
	s.answers = true
	if s.status < 200 { // else these are trailers
		status, err := strconv.Atoi(f.PseudoValue("status"))
		if err != nil || status < 100 {
			return nil, malformed("status %q", f.PseudoValue("status"))
		}
		s.status = status
	}
	for _, field := range f.RegularFields() {
		if field.Name == "prove-count" {
			s.count, _ = strconv.ParseInt(field.Value, 10, 64)
		}
	}
	return h.endOf(s, f.StreamEnded()), nil
}

// endOf returns the stream if it has ended.
func (h *h2) endOf(s *stream, ended bool) *stream {
	if !ended {
		return nil
	}
	delete(h.streams, s.id)
	return s
}

// refusedStream stands for a status of a stream that was not served; resetStream for one cut.
const (
	refusedStream = -1
	resetStream   = -2
)

func (h *h2) resetBy(s *stream, code http2.ErrCode) *stream {
	if s == nil || code == http2.ErrCodeNo && s.status >= 200 && !s.ended {
		if s != nil { // the answer is whole, and the rest of the request not wanted
			s.ended = true
		}
		return nil
	}
	if s.status = resetStream; code == http2.ErrCodeRefusedStream {
		s.status = refusedStream
	}
	return h.endOf(s, true)
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
