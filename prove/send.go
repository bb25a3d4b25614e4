// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import "time"

// send writes the first n requests of the queue and, if there is one behind them, its first bytes.
func (c *client) send(n int) error {
	switch r := c.queue[0]; {
	case n > 1:
		return c.sendTogether(n)
	case r.shape == Slow:
		return c.sendPieces(r, c.pieces(r, len(r.head), r.size(), 4))
	case r.shape == Chunked:
		return c.sendPieces(r, c.pieces(r, 1, r.size(), 3))
	case r.shape == Split && !r.behind:
		return c.sendPieces(r, c.pieces(r, r.sent, len(r.head), 3))
	}
	return c.sendTogether(1)
}

// pieces returns where a request is cut, up to n times, between two places.
func (c *client) pieces(r *request, from, to, n int) []int {
	at := cuts(max(from, r.sent), to, 1+c.random.IntN(n), c.random)
	if to < r.size() {
		at[len(at)-1] = r.size()
	}
	return at
}

// sendPieces writes a request up to each of these places, with a pause behind each but the last.
func (c *client) sendPieces(r *request, to []int) error {
	for i, end := range to {
		if i > 0 {
			c.pause(r)
		}
		c.buf = c.buf[:0]
		c.gather(r, end)
		if err := c.flush(r); err != nil {
			return err
		}
	}
	return nil
}

// pause waits a moment that counts for no latency.
func (c *client) pause(rs ...*request) {
	if c.load().Pause <= 0 {
		return
	}
	began := time.Now()
	time.Sleep(time.Duration(c.random.Int64N(2 * int64(c.load().Pause))))
	slept := time.Since(began)
	for _, r := range rs {
		r.paused += slept
	}
}

// sendTogether writes n requests as one, or in two parts that are cut anywhere, and first bytes of the
// one behind them.
func (c *client) sendTogether(n int) error {
	c.buf = c.buf[:0]
	all := c.queue[:n]
	for _, r := range all {
		c.gather(r, r.size())
	}
	if len(c.queue) > n {
		behind := c.queue[n]
		k := 1 + c.random.IntN(3) // the first look of a server is at four bytes, or one
		if c.random.IntN(2) == 0 {
			k = 1 + c.random.IntN(behind.size()-1)
		}
		c.gather(behind, min(k, behind.size()-1))
		all = c.queue[:n+1]
	}
	if n == 1 || c.random.IntN(2) == 0 {
		return c.flush(all...)
	}
	rest := c.buf
	c.buf = rest[:1+c.random.IntN(len(rest)-1)]
	done := len(c.buf)
	if err := c.flush(all...); err != nil {
		return err
	}
	c.pause(all...)
	c.buf = rest[done:]
	err := c.flush(all...)
	c.buf = rest
	return err
}

// gather appends the bytes of r up to end to what will be written.
func (c *client) gather(r *request, end int) {
	for at := r.sent; at < end; {
		b := r.bytes(at, end)
		c.buf = append(c.buf, b...)
		at += len(b)
	}
}

// flush writes what was gathered of these requests, and says in each how much of it is sent.
func (c *client) flush(rs ...*request) error {
	if len(c.buf) == 0 {
		return nil
	}
	n, err := c.conn.Write(c.buf)
	for _, r := range rs {
		k := min(n, r.size()-r.sent)
		r.sent += k
		n -= k
	}
	return err
}

// expect sends a head, waits for 100 Continue, and sends the body then.
func (c *client) expect() {
	r := c.queue[0]
	c.buf = c.buf[:0]
	c.gather(r, len(r.head))
	if err := c.flush(r); err != nil {
		c.unsent(err)
		return
	}
	if _, err := c.conn.in.Peek(1); err != nil {
		c.broken(err, 1)
		return
	}
	h, err := readHead(c.conn.in)
	switch {
	case err != nil:
		c.cut(err, 1)
		return
	case h.status != 100:
		c.finish(h, 1)
		return
	}
	c.buf = c.buf[:0]
	c.gather(r, r.size())
	if err := c.flush(r); err != nil {
		c.unsent(err)
		return
	}
	c.receive(1)
}

// large writes a request while it reads the answer: neither end could hold so much.
func (c *client) large() {
	r := c.queue[0]
	conn := c.conn
	written := make(chan int, 1)
	go func() {
		n, err := conn.Write(r.head)
		if err == nil {
			var k int
			k, _ = conn.Write(r.body)
			n += k
		}
		written <- n
	}()
	// An error of writing shows in reading too, at the latest at the deadline. Until the answer is
	// there, all counts as sent; hangUp ends the writer.
	r.sent = r.size()
	defer func() {
		if c.conn != nil {
			select {
			case <-written:
				return
			case <-time.After(time.Second): // answered, and not read
				c.hangUp()
			}
		}
		<-written
	}()
	c.receive(1)
}
