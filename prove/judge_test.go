// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// A crook is a server that does wrong to every seventh request, and counts what it does.
type crook struct {
	// wrong does it, on a connection whose request was read. It is true if the connection goes on.
	wrong func(d *deed) bool
	// greet sees each connection before the first request; true ends it.
	greet func(c *net.TCPConn) bool

	mu     sync.Mutex
	served int
	done   int
	wg     sync.WaitGroup
	conns  map[*net.TCPConn]bool
}

// A deed is a request that something wrong is done to.
type deed struct {
	conn *net.TCPConn
	in   *bufio.Reader
	req  *http.Request
	body []byte // that the client wants
	not  bool   // the deed was not done after all
}

// serve accepts until ln is closed.
func (s *crook) serve(t *testing.T, ln net.Listener) {
	s.conns = make(map[*net.TCPConn]bool)
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conn := c.(*net.TCPConn)
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			s.wg.Go(func() {
				defer conn.Close()
				if s.greet == nil || !s.greet(conn) {
					s.talk(conn)
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
}

func (s *crook) talk(conn *net.TCPConn) {
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		d := &deed{conn: conn, in: in, req: req, body: []byte("hello, world\n")}
		if req.Header.Get("Expect") == "" && req.Method == "POST" {
			if d.body, err = io.ReadAll(req.Body); err != nil {
				return
			}
		}
		s.mu.Lock()
		s.served++
		bad := s.served%7 == 0
		if bad {
			s.done++
		}
		s.mu.Unlock()
		if !bad {
			if req.Header.Get("Expect") != "" {
				io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				if d.body, err = io.ReadAll(req.Body); err != nil {
					return
				}
			}
			d.answer("", d.body)
			continue
		}
		goes := s.wrong(d)
		if d.not {
			s.mu.Lock()
			s.done--
			s.mu.Unlock()
		}
		if !goes {
			return
		}
	}
}

// answer writes a right answer, with more header lines.
func (d *deed) answer(lines string, body []byte) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", lines, len(body), body)
	d.conn.Write(b.Bytes())
}

func (d *deed) reset() { d.conn.SetLinger(0) }

// TestCountsWhatServersDo is the proof of the judge: its counts are those of servers that do wrong.
func TestCountsWhatServersDo(t *testing.T) {
	type kind struct {
		class  prove.Class
		cause  prove.Cause
		moment prove.Moment
	}
	for name, c := range map[string]struct {
		shapes []prove.Shape // default post and get
		think  time.Duration
		wrong  func(d *deed) bool
		want   kind
		other  kind                        // counts as want too, where the two cannot be told apart in time
		closes func(c prove.Closes) uint64 // is what the server did, instead of a fault
	}{
		"closes without an answer": {
			wrong: func(d *deed) bool { return false },
			want:  kind{prove.Lost, prove.EOF, prove.Sent},
		},
		"resets without an answer": {
			wrong: func(d *deed) bool { d.reset(); return false },
			want:  kind{prove.Lost, prove.Reset, prove.Sent},
		},
		"resets when half of the request is there": {
			shapes: []prove.Shape{prove.Expect},
			wrong:  func(d *deed) bool { d.reset(); return false },
			want:   kind{prove.Lost, prove.Reset, prove.HalfSent},
		},
		"closes when half of the request is there": {
			shapes: []prove.Shape{prove.Expect},
			wrong:  func(d *deed) bool { return false },
			want:   kind{prove.Lost, prove.EOF, prove.HalfSent},
		},
		"never answers": {
			wrong: func(d *deed) bool { io.Copy(io.Discard, d.in); return false },
			want:  kind{prove.Lost, prove.Timeout, prove.Sent},
		},
		"ends in the head of an answer": {
			wrong: func(d *deed) bool { io.WriteString(d.conn, "HTTP/1.1 200 OK\r\nContent-Le"); return false },
			want:  kind{prove.Truncated, prove.EOF, prove.Answering},
		},
		"ends in the body of an answer": {
			wrong: func(d *deed) bool {
				fmt.Fprintf(d.conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(d.body), d.body[:len(d.body)-1])
				return false
			},
			want: kind{prove.Truncated, prove.EOF, prove.Answering},
		},
		"ends before the last chunk": {
			wrong: func(d *deed) bool {
				fmt.Fprintf(d.conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(d.body), d.body)
				return false
			},
			want: kind{prove.Truncated, prove.EOF, prove.Answering},
		},
		"stalls in the body of an answer": {
			wrong: func(d *deed) bool {
				fmt.Fprintf(d.conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(d.body), d.body[:len(d.body)-1])
				io.Copy(io.Discard, d.in)
				return false
			},
			want: kind{prove.Truncated, prove.Timeout, prove.Answering},
		},
		"answers with less than the body": {
			wrong: func(d *deed) bool { d.answer("", d.body[:len(d.body)-1]); return true },
			want:  kind{prove.Truncated, prove.Body, prove.Complete},
		},
		"answers with less than the body, to the end of the connection": {
			wrong: func(d *deed) bool {
				fmt.Fprintf(d.conn, "HTTP/1.1 200 OK\r\n\r\n%s", d.body[:len(d.body)-1])
				return false
			},
			want: kind{prove.Truncated, prove.Body, prove.Complete},
		},
		"answers with more than the body": {
			wrong: func(d *deed) bool { d.answer("", append(d.body, '!')); return true },
			want:  kind{prove.Wrong, prove.Body, prove.Complete},
		},
		"changes a byte": {
			wrong: func(d *deed) bool { d.body[len(d.body)-1] ^= 1; d.answer("", d.body); return true },
			want:  kind{prove.Wrong, prove.Body, prove.Complete},
		},
		"answers with the body of another client": {
			shapes: []prove.Shape{prove.Post},
			wrong: func(d *deed) bool {
				d.answer("", bytes.Replace(d.body, []byte("prove "), []byte("prove 1"), 1))
				return true
			},
			want: kind{prove.Wrong, prove.Another, prove.Complete},
		},
		"answers 500": {
			wrong: func(d *deed) bool {
				io.WriteString(d.conn, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
				return true
			},
			want: kind{prove.Wrong, prove.Status, prove.Complete},
		},
		"answers 417 to Expect": {
			shapes: []prove.Shape{prove.Expect},
			wrong: func(d *deed) bool {
				io.WriteString(d.conn, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
				return false
			},
			want: kind{prove.Wrong, prove.Status, prove.Complete},
		},
		"speaks another protocol": {
			wrong: func(d *deed) bool { io.WriteString(d.conn, "SSH-2.0-OpenSSH\r\n"); return false },
			want:  kind{prove.Wrong, prove.Protocol, prove.Answering},
		},
		"answers twice at once": {
			wrong: func(d *deed) bool {
				one := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(d.body), d.body)
				io.WriteString(d.conn, one+one)
				return true
			},
			want: kind{prove.Doubled, prove.Answered, prove.Idle},
		},
		"answers again a moment later": {
			think: 20 * time.Millisecond,
			wrong: func(d *deed) bool {
				d.answer("", d.body)
				d.answer("", d.body)
				return true
			},
			want: kind{prove.Doubled, prove.Answered, prove.Idle},
		},
		"answers again to the next request": {
			shapes: []prove.Shape{prove.Post},
			wrong: func(d *deed) bool {
				d.answer("", d.body)
				if _, err := d.in.Peek(1); err != nil { // else the next request is on its way
					d.not = true
					return false
				}
				d.answer("", d.body)
				return true
			},
			want: kind{prove.Doubled, prove.Answered, prove.Complete},
		},
		"sends a line of its own": {
			wrong: func(d *deed) bool {
				fmt.Fprintf(d.conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sbye\r\n", len(d.body), d.body)
				return true
			},
			want: kind{prove.Wrong, prove.Stray, prove.Idle},
		},
		"executes twice": {
			wrong: func(d *deed) bool { d.answer("Prove-Count: 2\r\n", d.body); return true },
			want:  kind{prove.Doubled, prove.Executed, prove.Complete},
		},
		"announces a close": {
			wrong:  func(d *deed) bool { d.answer("Connection: close\r\n", d.body); return false },
			closes: func(c prove.Closes) uint64 { return c.Announced },
		},
		"announces a close by answering in HTTP/1.0": {
			wrong: func(d *deed) bool {
				fmt.Fprintf(d.conn, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(d.body), d.body)
				return false
			},
			closes: func(c prove.Closes) uint64 { return c.Announced },
		},
		"closes while idle": {
			think:  20 * time.Millisecond,
			wrong:  func(d *deed) bool { d.answer("", d.body); return false },
			closes: func(c prove.Closes) uint64 { return c.Idle },
		},
		"resets while idle": {
			think:  20 * time.Millisecond,
			wrong:  func(d *deed) bool { d.answer("", d.body); d.reset(); return false },
			closes: func(c prove.Closes) uint64 { return c.Reset },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			s := &crook{wrong: c.wrong}
			s.serve(t, ln)
			if c.shapes == nil {
				c.shapes = []prove.Shape{prove.Post, prove.Get}
			}
			r := run(t, prove.Load{
				Target: "http://" + ln.Addr().String() + "/", Echo: "/echo", Want: []byte("hello, world\n"), Shapes: c.shapes,
				Clients: 4, Requests: 200, MaxBody: 3000, Pause: -1, Think: c.think, Timeout: 500 * time.Millisecond,
			})
			s.mu.Lock()
			defer s.mu.Unlock()
			faults := map[kind]uint64{}
			for _, f := range r.Faults {
				faults[kind{f.Class, f.Cause, f.Moment}] += f.Count
			}
			want := map[kind]uint64{c.want: uint64(s.done)}
			if c.closes != nil {
				want = map[kind]uint64{}
				if got := c.closes(r.Closes); got != uint64(s.done) {
					t.Errorf("closes %+v, want %d", r.Closes, s.done)
				}
			}
			if !maps.Equal(faults, want) {
				t.Errorf("faults %v, want %v", r.Faults, want)
			}
			if s.done < 20 {
				t.Errorf("the server did wrong %d times, which proves little", s.done)
			}
			var bad int
			for _, line := range r.Judge(prove.AnyCloses) {
				if bad++; !strings.Contains(line, string(c.want.class)) {
					t.Errorf("Judge said %q", line)
				}
			}
			if (bad > 0) != (c.closes == nil) {
				t.Errorf("Judge said %q", r.Judge(prove.AnyCloses))
			}
		})
	}
}
