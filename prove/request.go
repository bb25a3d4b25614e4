// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"time"
)

// A Shape is a way to send a request over HTTP/1.1.
type Shape string

const (
	Get      Shape = "get"      // GET in one piece
	Post     Shape = "post"     // POST in one piece
	Slow     Shape = "slow"     // POST whose body comes in pieces, with pauses between
	Chunked  Shape = "chunked"  // POST with a chunked body, in pieces
	Large    Shape = "large"    // POST of a body of LargeBody bytes, read while it is written
	Split    Shape = "split"    // head in several packets
	Early    Shape = "early"    // behind it, at once, first bytes of the next request
	Pipeline Shape = "pipeline" // two to four requests at once, cut anywhere
	Expect   Shape = "expect"   // POST that waits for 100 Continue before its body
	HTTP10   Shape = "http10"   // GET of HTTP/1.0 that asks to keep the connection
)

// shapes says of each shape whether it needs a path that echoes.
var shapes = map[Shape]bool{
	Get: false, Post: true, Slow: true, Chunked: true, Large: true,
	Split: false, Early: false, Pipeline: false, Expect: true, HTTP10: false,
}

// AllShapes returns every [Shape], or those only that do without a path that echoes.
func AllShapes(echo bool) []Shape {
	var all []Shape
	for _, s := range []Shape{Get, Post, Slow, Chunked, Large, Split, Early, Pipeline, Expect, HTTP10} {
		if echo || !shapes[s] {
			all = append(all, s)
		}
	}
	return all
}

// A request is one that a client sends, with the answer that it wants.
type request struct {
	serial uint64 // of its client, from 1
	shape  Shape
	head   []byte
	body   []byte // as it goes over the wire
	want   []byte // body of the answer; nil takes any
	behind bool   // only its first bytes are sent, behind the request before it
	post   bool
	sent   int // bytes that are sent; all of head and body make it whole
	began  time.Time
	paused time.Duration // of our own will, between its pieces
}

func (r *request) size() int { return len(r.head) + len(r.body) }

// whole reports whether all of it is sent.
func (r *request) whole() bool { return r.sent >= r.size() }

// bytes returns what is between two places of it, or as much of that as lies together.
func (r *request) bytes(from, to int) []byte {
	if from < len(r.head) {
		return r.head[from:min(to, len(r.head))]
	}
	return r.body[from-len(r.head) : to-len(r.head)]
}

const (
	serialHeader = "Prove-Serial"
	countHeader  = "Prove-Count"
)

// noise is what bodies are filled with: two places of it are not alike.
var noise = func() []byte {
	b := make([]byte, 64<<10)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = ' ' + byte(r.UintN(95))
	}
	return b
}()

// body returns a body of about size bytes that says whose it is, and carries its checksum, so that
// one that turns up in the wrong place can be told.
func body(size, client int, serial uint64) []byte {
	b := make([]byte, 0, size+80)
	at := int((serial*7919 + uint64(client)*104729) % uint64(len(noise)))
	fill := noise[at:]
	for left := size; left > 0; fill = noise {
		n := min(left, len(fill))
		b = append(b, fill[:n]...)
		left -= n
	}
	sum := crc32.ChecksumIEEE(b)
	label := fmt.Appendf(nil, "prove %d %d %d %08x\n", client, serial, size, sum)
	return append(label, b...)
}

// labelOf returns client and serial of a body that begins with b.
func labelOf(b []byte) (client int, serial uint64, ok bool) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	n, err := fmt.Sscanf(string(line), "prove %d %d ", &client, &serial)
	return client, serial, n == 2 && err == nil
}

// A maker makes the requests of one client.
type maker struct {
	load   *Load
	client int
	fresh  bool // each request asks to have its connection closed
	random *rand.Rand
	serial uint64
}

// next returns the requests that a shape stands for, one but for Pipeline.
func (m *maker) next(s Shape) []*request {
	if s != Pipeline || m.fresh {
		return []*request{m.one(s)}
	}
	var all []*request
	for range 2 + m.random.IntN(3) {
		all = append(all, m.one(Pipeline))
	}
	return all
}

// one returns one request. A shape that may have either method posts where there is an echo, and now
// and then gets all the same.
func (m *maker) one(s Shape) *request {
	m.serial++
	r := &request{serial: m.serial, shape: s}
	either := !shapes[s] && s != Get && s != HTTP10
	if m.load.Echo != "" && (shapes[s] || either && m.random.IntN(4) > 0) {
		m.post(r)
	} else {
		m.get(r)
	}
	return r
}

func (m *maker) get(r *request) {
	r.want = m.load.Want
	r.head = m.begin(r, "GET", m.load.path)
	r.head = append(r.head, "\r\n"...)
}

func (m *maker) post(r *request) {
	var size int
	switch r.shape {
	case Large:
		size = m.load.LargeBody
	case Expect:
		// Small: net/http closes the connection if an answer begins before the end of such a body.
		size = m.random.IntN(min(m.load.MaxBody, 400) + 1)
	default:
		// Small ones are the most, as in life.
		size = m.random.IntN(m.load.MaxBody>>m.random.IntN(6) + 1)
	}
	r.post = true
	r.want = body(size, m.client, r.serial)
	r.head = m.begin(r, "POST", m.load.Echo)
	switch r.shape {
	case Chunked:
		r.body = chunks(r.want, m.random)
		r.head = append(r.head, "Transfer-Encoding: chunked\r\n\r\n"...)
		return
	case Expect:
		r.head = append(r.head, "Expect: 100-continue\r\n"...)
	}
	r.body = r.want
	r.head = append(r.head, "Content-Length: "...)
	r.head = strconv.AppendInt(r.head, int64(len(r.body)), 10)
	r.head = append(r.head, "\r\n\r\n"...)
}

// begin writes the lines that all requests have.
func (m *maker) begin(r *request, method, path string) []byte {
	b := make([]byte, 0, 256)
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, path...)
	version, connection := " HTTP/1.1\r\n", ""
	if r.shape == HTTP10 {
		version, connection = " HTTP/1.0\r\n", "Connection: keep-alive\r\n"
	}
	if m.fresh {
		connection = "Connection: close\r\n"
	}
	b = append(b, version...)
	b = append(b, "Host: "...)
	b = append(b, m.load.host...)
	b = append(b, "\r\nUser-Agent: mainstay-prove\r\n"...)
	b = append(b, connection...)
	b = append(b, serialHeader+": "...)
	b = strconv.AppendUint(b, m.load.Seed, 16)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(m.client), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, r.serial, 10)
	return append(b, "\r\n"...)
}

// chunks writes a body as chunks of any size.
func chunks(body []byte, random *rand.Rand) []byte {
	var b []byte
	for len(body) > 0 {
		n := 1 + random.IntN(min(len(body), 5000))
		b = strconv.AppendInt(b, int64(n), 16)
		b = append(b, "\r\n"...)
		b = append(b, body[:n]...)
		b = append(b, "\r\n"...)
		body = body[n:]
	}
	return append(b, "0\r\n\r\n"...)
}

// cuts returns up to n places between from and to, in order, and then to.
func cuts(from, to, n int, random *rand.Rand) []int {
	var at []int
	for range n {
		if to-from < 2 {
			break
		}
		from += 1 + random.IntN(to-from-1)
		at = append(at, from)
	}
	return append(at, to)
}
