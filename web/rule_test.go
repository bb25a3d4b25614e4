// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mainstay-go/mainstay/web"
)

// A schedule is one life of a connection, made up from a seed: a client that sends requests whole, in
// pieces or several at once, a net/http that reads them through its buffer and watches for the end of
// its client, and somebody who tells the connection to leave, all in any order. What net/http does is
// what TestOrderOfNetHTTP shows that it does, with a small buffer.
type schedule struct {
	rng  *rand.Rand
	rule *web.Rule
	lame string // which of its senses the rule lacks, to show what it is for

	requests []shape
	wire     int // bytes that the client has still to send
	kernel   int // bytes that have arrived
	taken    int // bytes that net/http has read off the socket

	buffer   int  // bytes in net/http's buffer
	place    int  // where in the buffer they begin
	hasByte  bool // one byte more was read while a request was handled
	watching bool // for that byte
	answered int  // requests
	draining bool // idle connections are to leave, or to end
	ends     bool // it is to end rather than to leave
	ended    bool // it has
	past     bool // the socket has a deadline in the past
	journal  []string
}

// A shape is the length of a request's lines and of its body.
type shape struct {
	lines []int
	body  int
	post  bool
}

func (q shape) size() (n int) {
	for _, l := range q.lines {
		n += l
	}
	return n + q.body
}

const roomy = 16 // bytes in net/http's buffer

func newSchedule(seed uint64, lame string) *schedule {
	s := &schedule{rng: rand.New(rand.NewPCG(seed, 1)), rule: web.NewRule(), lame: lame}
	s.ends = s.rng.IntN(4) == 0
	for range 1 + s.rng.IntN(5) {
		q := shape{post: s.rng.IntN(2) == 0}
		for range 1 + s.rng.IntN(3) {
			q.lines = append(q.lines, 4+s.rng.IntN(roomy-4))
		}
		if q.post {
			q.body = s.rng.IntN(3 * roomy)
		}
		s.requests = append(s.requests, q)
		s.wire += q.size()
	}
	return s
}

func (s *schedule) note(format string, args ...any) {
	s.journal = append(s.journal, fmt.Sprintf(format, args...))
}

// meanwhile lets others act between two steps of net/http.
func (s *schedule) meanwhile() {
	for s.rng.IntN(3) == 0 {
		switch s.rng.IntN(6) {
		case 0, 1:
			s.deliver(1 + s.rng.IntN(3))
		case 2:
			s.deliver(1 + s.rng.IntN(4*roomy))
		case 3:
			s.drain()
		case 4:
			s.watch()
		case 5: // a drain that had nobody to move to ends
		}
	}
}

func (s *schedule) deliver(n int) {
	n = min(n, s.wire)
	s.wire -= n
	s.kernel += n
}

// drain begins to move connections.
func (s *schedule) drain() {
	s.draining = true
	if s.nudge() {
		s.note("nudged")
		s.past = true
	}
}

func (s *schedule) nudge() bool {
	if s.ends {
		return s.rule.End()
	}
	return s.rule.Nudge()
}

// watch is the read of one byte while a request is handled.
func (s *schedule) watch() {
	if s.watching && !s.hasByte && s.kernel > 0 {
		s.rule.Reads(1)
		s.kernel--
		s.taken++
		s.hasByte = true
		s.rule.Arrived()
		s.note("an early byte")
	}
}

// read is a read of at most size bytes from the socket; false is the end.
func (s *schedule) read(size int) (n int, ok bool) {
	seen := size
	if s.lame == "the size of reads" {
		seen = roomy
	}
	s.rule.Reads(seen)
	if s.rule.Leaving() && s.leaves(seen) {
		return 0, false
	}
	for {
		s.meanwhile()
		if s.past {
			s.past = false
			switch {
			case s.rule.Leaving() && s.leaves(seen):
				return 0, false
			case s.rule.Ending() && s.kernel == 0: // after a last look
				s.ended = true
				return 0, false
			}
		}
		if s.kernel > 0 {
			n = 1 + s.rng.IntN(min(size, s.kernel))
			s.kernel -= n
			s.taken += n
			s.rule.Arrived()
			return n, true
		}
		if s.wire == 0 && s.answered == len(s.requests) && s.draining && !s.rule.Leaving() && !s.rule.Ending() {
			return 0, false // nothing more comes, and nobody nudges again
		}
		if s.wire == 0 && s.answered == len(s.requests) {
			s.drain()
		} else if s.wire > 0 && s.rng.IntN(4) == 0 {
			s.deliver(1)
		}
	}
}

func (s *schedule) leaves(size int) bool {
	leaves := s.rule.Leaves(size)
	s.note("leaves(%d) = %t", size, leaves)
	return leaves
}

// fill gets more into the buffer, which slides to its beginning first.
func (s *schedule) fill() bool {
	if s.hasByte {
		s.hasByte = false
		s.place, s.buffer = 0, s.buffer+1
		return true
	}
	s.place = 0
	n, ok := s.read(roomy - s.buffer)
	s.buffer += n
	return ok
}

// need fills the buffer until it has n bytes.
func (s *schedule) need(n int) bool {
	for s.buffer < n {
		if !s.fill() {
			return false
		}
	}
	return true
}

// serve is what net/http does with a connection. It returns when that has left or has nothing to do.
func (s *schedule) serve() {
	for i, q := range s.requests {
		if i > 0 && s.requests[i-1].post && !s.need(4) {
			return
		}
		for _, line := range q.lines {
			if !s.need(line) {
				return
			}
			s.buffer -= line
			s.meanwhile()
		}
		s.rule.Sets()
		s.meanwhile()
		s.rule.Active()
		if !s.handle(q.body) {
			return
		}
		s.answered++
		s.note("answered %d", s.answered)
		s.meanwhile()
		s.rule.Rests()
		if s.draining {
			s.past = s.nudge() && s.ends
		}
		s.meanwhile()
		s.rule.Sets()
		s.meanwhile()
		if !s.need(4) {
			return
		}
		if s.lame != "the second deadline" {
			s.rule.Sets()
		}
		s.meanwhile()
	}
}

// handle reads a body, partly past the buffer, and watches for the end of the client.
func (s *schedule) handle(body int) bool {
	for body > 0 {
		switch n := min(body, s.buffer); {
		case n > 0:
			s.buffer -= n
			body -= n
		case s.rng.IntN(2) == 0 && body > 1 && !s.hasByte:
			n, ok := s.read(min(body, 4*roomy)) // into the handler's own, larger buffer
			if !ok {
				return false
			}
			body -= n
		case !s.fill():
			return false
		}
	}
	s.rule.Sets()
	s.watching = true
	for range s.rng.IntN(4) {
		s.meanwhile()
	}
	s.watching = false
	s.rule.Sets()
	s.rule.Sets()
	return true
}

// run returns what is wrong with the outcome, empty if nothing is.
func (s *schedule) run() string {
	s.serve()
	served := 0
	for _, q := range s.requests[:s.answered] {
		served += q.size()
	}
	gone := s.rule.Moved() || s.ended
	switch {
	case gone && (s.buffer > 0 || s.hasByte || s.taken != served):
		return fmt.Sprintf("gone with %d bytes read of requests that were not answered", s.taken-served)
	case !gone && s.answered < len(s.requests):
		return fmt.Sprintf("ended after %d of %d requests", s.answered, len(s.requests))
	case !gone && s.draining && s.answered == len(s.requests):
		return "did not go although all was answered"
	}
	return ""
}

// ruleSchedules is how many are played by default; see the flag.
const ruleSchedules = 20_000

// A connection moves between requests, never within one, and it does move. More schedules, or one again:
//
//	go test ./web -run TestRuleOfMoving -schedules 100000
//	go test ./web -run TestRuleOfMoving -schedules 1 -seed 4711
func TestRuleOfMoving(t *testing.T) {
	moved, all := 0, schedules(ruleSchedules)
	for n := range all {
		seed := *firstSeed + n
		s := newSchedule(seed, "")
		if wrong := s.run(); wrong != "" {
			t.Fatalf("seed %d: %s\n%q", seed, wrong, s.journal)
		}
		if s.rule.Moved() && s.answered < len(s.requests) {
			moved++
		}
	}
	if moved < int(all)/4 && all >= ruleSchedules {
		t.Errorf("%d of %d connections moved between two requests, want a quarter at least", moved, all)
	}
}

// Each of the signs that the rule goes by is needed: without it these schedules lose a request.
func TestRuleNeedsItsSigns(t *testing.T) {
	for _, lame := range []string{"the size of reads", "the second deadline"} {
		var lost []uint64
		for seed := range uint64(ruleSchedules) {
			if newSchedule(seed, lame).run() != "" {
				lost = append(lost, seed)
			}
		}
		if len(lost) == 0 {
			t.Errorf("without %s no schedule of %d loses anything", lame, ruleSchedules)
			continue
		}
		t.Logf("without %s %d schedules lose a request, the first is %d", lame, len(lost), lost[0])
	}
}

// A rule that is told to end a connection, and one that is told to move it, are never both obeyed.
func TestRuleEndsOrMoves(t *testing.T) {
	r := web.NewRule()
	if !r.Nudge() || r.End() || !r.Leaving() {
		t.Error("a connection that is told to leave ends as well")
	}
	r = web.NewRule()
	if !r.End() || r.Nudge() || !r.Ending() {
		t.Error("a connection that is told to end leaves as well")
	}
	// A wait without a deadline before it, or a read of more than the buffer, is of no net/http known.
	for _, size := range []int{roomy, roomy + 1} {
		r := web.NewRule()
		for _, step := range []func(){func() { r.Reads(roomy) }, r.Arrived, r.Sets, r.Active, r.Rests} {
			step()
		}
		if size > roomy {
			r.Sets()
		}
		if !r.Nudge() || r.Leaves(size) {
			t.Errorf("a connection moves in a read of %d bytes", size)
		}
	}
}
