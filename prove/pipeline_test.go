// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// Of requests sent together, those are lost that come behind the one that went wrong; behind an answer
// that announces a close they go again.
func TestPipeline(t *testing.T) {
	for name, c := range map[string]struct {
		lines string // of the answer before the connection is closed
		again bool
	}{
		"closed without a word": {"", false},
		"announced":             {"Connection: close\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			var mu sync.Mutex
			given, cut := 0, 0 // answers, and requests that came whole behind the last answer of a connection
			s := &crook{greet: func(conn *net.TCPConn) bool {
				in := bufio.NewReader(conn)
				var first []byte
				for n := 0; ; n++ {
					req, err := http.ReadRequest(in)
					if err != nil {
						return true
					}
					body, _ := io.ReadAll(req.Body)
					mu.Lock()
					switch n {
					case 0:
						first = body
						given++
					default:
						cut++
					}
					mu.Unlock()
					// The whole group is read before the answer, so that the close destroys nothing.
					conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
					if _, err := in.Peek(1); err != nil {
						(&deed{conn: conn}).answer(c.lines, first)
						return true
					}
				}
			}}
			s.serve(t, ln)
			r := run(t, prove.Load{
				Target: "http://" + ln.Addr().String() + "/", Echo: "/echo", Want: []byte{}, Shapes: []prove.Shape{prove.Pipeline},
				Clients: 8, Requests: 100, MaxBody: 100, Pause: -1, Timeout: 10 * time.Second,
			})
			mu.Lock()
			defer mu.Unlock()
			if r.Answered != uint64(given) {
				t.Errorf("%d answers, the server gave %d", r.Answered, given)
			}
			again, lost := uint64(cut), uint64(0)
			if !c.again {
				again, lost = lost, again
			}
			if r.Again != again || r.Count() != lost {
				t.Errorf("%d again and faults %v, want %d again and %d lost", r.Again, r.Faults, again, lost)
			}
			if cut == 0 {
				t.Error("nothing was sent together")
			}
		})
	}
}

// Nobody who listens, and nobody who shakes hands, is a fault while dialing.
func TestDialing(t *testing.T) {
	ln := listen(t)
	addr := ln.Addr().String()
	s := &crook{greet: func(c *net.TCPConn) bool { return true }}
	s.serve(t, ln)
	load := prove.Load{Target: "https://" + addr + "/", Want: []byte{}, Clients: 2, Requests: 20}
	for _, c := range []struct {
		scheme string
		close  bool
		causes []prove.Cause
	}{
		{"https", false, []prove.Cause{prove.EOF, prove.Reset}},
		{"http", true, []prove.Cause{prove.Refused}},
	} {
		if c.close {
			ln.Close()
		}
		load.Target = c.scheme + "://" + addr + "/"
		r := run(t, load)
		if r.Answered != 0 || r.Failed != r.Requests || r.Failed < 20 || r.Dials != 0 {
			t.Errorf("%s: %+v, want all of them failed", c.scheme, r)
		}
		for _, f := range r.Faults {
			if f.Class != prove.Lost || !slices.Contains(c.causes, f.Cause) || f.Moment != prove.Dialing {
				t.Errorf("%s: fault %v, want lost while dialing by %v", c.scheme, f, c.causes)
			}
		}
	}
}
