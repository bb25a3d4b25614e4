// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/mainstay-go/mainstay/prove"
)

// A server of net/http is found to do nothing wrong over HTTP/2 either.
func TestGoodServerOverHTTP2(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") })
	mux.Handle("POST /echo", new(prove.Echo))
	s := httptest.NewUnstartedServer(mux)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for _, shape := range []prove.Shape{prove.Get, prove.Post, prove.Slow, prove.Large, prove.Split, prove.Pipeline} {
		t.Run(string(shape), func(t *testing.T) {
			r := run(t, prove.Load{
				Target: s.URL, HTTP2: true, TLS: &tls.Config{InsecureSkipVerify: true}, Echo: "/echo", Shapes: []prove.Shape{shape},
				Clients: 4, Fresh: 1, Requests: 100,
			})
			for _, line := range r.Judge(prove.Limits{Answers: 100}) {
				t.Error(line)
			}
			if r.Reconnects > 0 || r.Again > 0 {
				t.Errorf("%d reconnects, %d sent again, want none", r.Reconnects, r.Again)
			}
		})
	}
}

// An h2crook is a crook of HTTP/2.
type h2crook struct {
	t    *testing.T
	deed func(c *h2conn, id uint32, body []byte) bool // true if the connection goes on

	mu           sync.Mutex
	served, done int
}

// An h2conn is a connection of it.
type h2conn struct {
	*http2.Framer
	conn    net.Conn
	headers bytes.Buffer
	encode  *hpack.Encoder
}

// answer answers a stream; end says whether it is whole.
func (c *h2conn) answer(id uint32, body []byte, end bool, extra ...hpack.HeaderField) {
	c.headers.Reset()
	for _, f := range append([]hpack.HeaderField{{Name: ":status", Value: "200"}}, extra...) {
		c.encode.WriteField(f)
	}
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.headers.Bytes(), EndHeaders: true})
	c.WriteData(id, end, body)
}

func (s *h2crook) serve(ln net.Listener) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				s.talk(conn)
			})
		}
	})
	s.t.Cleanup(func() { // clients have left by then
		ln.Close()
		wg.Wait()
	})
}

func (s *h2crook) talk(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	c := &h2conn{Framer: http2.NewFramer(conn, conn), conn: conn}
	c.encode = hpack.NewEncoder(&c.headers)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.WriteSettings()
	bodies := map[uint32][]byte{}
	gone := uint32(1<<31 - 1) // streams above it are not served any more
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return
		}
		id, ended := frame.Header().StreamID, false
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if ended = f.StreamEnded(); ended {
				bodies[id] = []byte("hello, world\n")
			}
		case *http2.DataFrame:
			bodies[id], ended = append(bodies[id], f.Data()...), f.StreamEnded()
		}
		if !ended || id > gone {
			continue
		}
		s.mu.Lock()
		s.served++
		bad := s.served%7 == 0
		if bad {
			s.done++
		}
		s.mu.Unlock()
		if !bad {
			c.answer(id, bodies[id], true)
		} else if !s.deed(c, id, bodies[id]) {
			gone = id - 1
		}
		delete(bodies, id)
	}
}

// Over HTTP/2 too the report counts what the server did; what it did not serve is sent again.
func TestCountsWhatHTTP2ServersDo(t *testing.T) {
	for name, c := range map[string]struct {
		deed  func(c *h2conn, id uint32, body []byte) bool
		want  *prove.Fault
		again bool // each deed makes one stream go again
		away  bool // and ends its connection
	}{
		"GOAWAY before the stream": {
			deed: func(c *h2conn, id uint32, _ []byte) bool {
				c.WriteGoAway(max(id, 2)-2, http2.ErrCodeNo, nil)
				return false
			},
			again: true, away: true,
		},
		"the stream refused": {
			deed: func(c *h2conn, id uint32, _ []byte) bool {
				c.WriteRSTStream(id, http2.ErrCodeRefusedStream)
				return true
			},
			again: true,
		},
		"the stream reset": {
			deed: func(c *h2conn, id uint32, _ []byte) bool { c.WriteRSTStream(id, http2.ErrCodeInternal); return true },
			want: &prove.Fault{Class: prove.Lost, Cause: prove.Reset, Moment: prove.Sent},
		},
		"the stream reset in its answer": {
			deed: func(c *h2conn, id uint32, body []byte) bool {
				c.answer(id, body[:1], false)
				c.WriteRSTStream(id, http2.ErrCodeInternal)
				return true
			},
			want: &prove.Fault{Class: prove.Truncated, Cause: prove.Reset, Moment: prove.Answering},
		},
		"GOAWAY that promises the stream, and no answer": {
			deed: func(c *h2conn, id uint32, _ []byte) bool {
				c.WriteGoAway(id, http2.ErrCodeNo, nil)
				c.conn.(*net.TCPConn).CloseWrite()
				return true
			},
			want: &prove.Fault{Class: prove.Lost, Cause: prove.EOF, Moment: prove.Sent}, away: true,
		},
		"the connection closed": {
			deed: func(c *h2conn, _ uint32, _ []byte) bool { c.conn.(*net.TCPConn).CloseWrite(); return true },
			want: &prove.Fault{Class: prove.Lost, Cause: prove.EOF, Moment: prove.Sent},
		},
		"the connection closed in an answer": {
			deed: func(c *h2conn, id uint32, body []byte) bool {
				c.answer(id, body[:1], false)
				c.conn.(*net.TCPConn).CloseWrite()
				return true
			},
			want: &prove.Fault{Class: prove.Truncated, Cause: prove.EOF, Moment: prove.Answering},
		},
		"less than the body": {
			deed: func(c *h2conn, id uint32, body []byte) bool { c.answer(id, body[:1], true); return true },
			want: &prove.Fault{Class: prove.Truncated, Cause: prove.Body, Moment: prove.Complete},
		},
		"executed twice": {
			deed: func(c *h2conn, id uint32, body []byte) bool {
				c.answer(id, body, true, hpack.HeaderField{Name: "prove-count", Value: "2"})
				return true
			},
			want: &prove.Fault{Class: prove.Doubled, Cause: prove.Executed, Moment: prove.Complete},
		},
		"answered twice": {
			deed: func(c *h2conn, id uint32, body []byte) bool {
				c.answer(id, body, true)
				c.answer(id, body, true)
				return true
			},
			want: &prove.Fault{Class: prove.Doubled, Cause: prove.Answered, Moment: prove.Idle},
		},
		"no frame": {
			deed: func(c *h2conn, id uint32, body []byte) bool {
				c.conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				return true
			},
			want: &prove.Fault{Class: prove.Wrong, Cause: prove.Protocol, Moment: prove.Answering},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			s := &h2crook{t: t, deed: c.deed}
			s.serve(ln)
			r := run(t, prove.Load{
				Target: "http://" + ln.Addr().String() + "/", HTTP2: true, Echo: "/echo", Want: []byte("hello, world\n"),
				Shapes: []prove.Shape{prove.Get, prove.Post}, MaxBody: 1000, Clients: 4, Requests: 200, Think: 2 * time.Millisecond,
			})
			s.mu.Lock()
			defer s.mu.Unlock()
			var faults, again uint64
			for _, f := range r.Faults {
				faults += f.Count
				if c.want == nil || f.Class != c.want.Class || f.Cause != c.want.Cause || f.Moment != c.want.Moment {
					t.Errorf("fault %v, want %v", f, c.want)
				}
			}
			want := uint64(s.done)
			if c.again {
				again, want = want, 0
			}
			if faults != want || r.Again != again || s.done < 20 {
				t.Errorf("%d faults and %d sent again, want %d and %d", faults, r.Again, want, again)
			}
			if got := r.Closes.Announced + r.Closes.Busy; c.away && c.again && got != uint64(s.done) {
				t.Errorf("closes %+v, want %d announced", r.Closes, s.done)
			}
		})
	}
}
