// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/scoreboard"
	"github.com/mainstay-go/mainstay/web"
)

var (
	schedulesFlag = flag.Int("schedules", 0, "how many random schedules to play; 0 is each test's own number")
	firstSeed     = flag.Uint64("seed", 0, "seed of the first random schedule")
)

// schedules returns how many schedules a test plays that plays so many by default.
func schedules(few int) uint64 {
	if *schedulesFlag > 0 {
		return uint64(*schedulesFlag)
	}
	return uint64(few)
}

// TestDrainSchedules drains servers in the middle of what random clients do, and holds that nothing a
// server has taken a byte of is lost, that each answer says whether its connection closes, that a drain
// takes no longer than its requests, and that what a deadline cuts is in the ledger. More of them, or one
// again:
//
//	go test ./web -run TestDrainSchedules -schedules 100000
//	go test ./web -run TestDrainSchedules -schedules 1 -seed 4711
func TestDrainSchedules(t *testing.T) {
	var answers, late, cut int
	for n := range schedules(5000) {
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(*firstSeed + n)
			p.run(t)
			if len(p.faults) > 0 {
				t.Fatalf("seed %d: %s\n%s", *firstSeed+n, strings.Join(p.faults, "\n"), strings.Join(p.journal, "\n"))
			}
			answers, late, cut = answers+p.answers, late+p.late, cut+p.lost
		})
	}
	t.Logf("%d answers, %d of them to requests that began in a drain, %d requests cut at a deadline", answers, late, cut)
	if *schedulesFlag != 1 && (answers == 0 || late == 0 || cut == 0) {
		t.Error("these schedules show nothing")
	}
}

// A drain that reaches its deadline while it reads off what a client sends behind its last answer has
// lost nothing. Found by seed 277.
func TestDrainDeadlineAfterLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		r := start(t, &web.Server{Listener: ln, Handler: sleeper})
		ours, theirs := memPipe()
		ln.conns <- theirs
		conn := newClient(t, ours)
		conn.send("GET /?1s HTTP/1.1\r\nHost: test\r\n\r\n")
		synctest.Wait()
		before := lostSoFar()
		if err := r.shutdown(drain.Stop, 1200*time.Millisecond); err != nil {
			t.Errorf("Shutdown = %v, want nil", err)
		}
		if a := conn.must(); a.body != "slept" || !a.closes() {
			t.Errorf("answer %q, Connection: close = %t", a.body, a.closes())
		}
		if n := lostSoFar() - before; n != 0 {
			t.Errorf("%d requests are counted lost, want 0", n)
		}
	})
}

// trailing is how long a client may go on sending after its last answer, in up to two pieces, and a
// server reads that off: half a second after each.
const trailing = 1500 * time.Millisecond

// A play is a server, its clients and its drain, made up from a seed.
type play struct {
	rng    *rand.Rand
	ln     *pipeListener
	server *web.Server
	reason drain.Reason
	after  time.Duration // from the beginning to the drain
	limit  time.Duration // of the drain
	strict bool          // the limit is far away: nothing may be cut
	visits []*visit

	mu      sync.Mutex
	began   time.Time
	drained time.Time // when the drain began; zero before
	last    time.Time // when the last answer was there
	answers int
	late    int // answers to requests that began in the drain
	lost    int
	ties    int // requests that began, or were answered, in the moment in which the limit was reached
	journal []string
	faults  []string
}

// A visit is what one client does with its connection.
type visit struct {
	*play
	id       int
	rng      *rand.Rand
	after    time.Duration
	requests []wanted
	conn     *memConn
	in       *bufio.Reader
	early    int       // bytes of the next request that are sent
	begun    time.Time // when the first byte of the request was
}

// A wanted is a request and how it is sent: in how many pieces, with what pauses, and with how much of
// the next one right behind it.
type wanted struct {
	pause  time.Duration // before it
	brink  time.Duration // or, if not 0, until so long after the grace of the drain
	body   int
	takes  time.Duration // in the handler
	flush  bool          // the head of the answer is out before that
	pieces int
	rest   time.Duration // between pieces
	ahead  int           // bytes of the next request
}

func newPlay(seed uint64) *play {
	rng := rand.New(rand.NewPCG(seed, 2))
	p := &play{
		rng: rng, ln: newPipeListener(),
		reason: []drain.Reason{drain.Stop, drain.Shrink, drain.Replace}[rng.IntN(3)],
		after:  upTo(rng, 10*time.Second),
		limit:  time.Hour, strict: true,
	}
	if rng.IntN(3) == 0 {
		p.limit, p.strict = upTo(rng, 3*time.Second), false
	}
	p.server = &web.Server{Listener: p.ln, Handler: http.HandlerFunc(p.serve), PoolSize: rng.IntN(4)}
	if rng.IntN(4) == 0 {
		p.server.DrainGrace = -1
	}
	for id := range 1 + rng.IntN(5) {
		v := &visit{play: p, id: id, rng: rand.New(rand.NewPCG(seed, uint64(3+id))), after: upTo(rng, 2*p.after)}
		for range 1 + rng.IntN(5) {
			w := wanted{pause: upTo(rng, 2*time.Second), pieces: 1 + rng.IntN(3), rest: upTo(rng, time.Second), flush: rng.IntN(5) == 0}
			if rng.IntN(2) == 0 {
				w.body = rng.IntN(300)
			}
			if rng.IntN(2) == 0 {
				w.takes = upTo(rng, 3*time.Second)
			}
			if rng.IntN(6) == 0 {
				w.brink = 1 + time.Duration(rng.Int64N(int64(lastLook+time.Millisecond)))
			}
			if rng.IntN(4) == 0 {
				w.ahead = 1 + rng.IntN(60)
			}
			v.requests = append(v.requests, w)
		}
		p.visits = append(p.visits, v)
	}
	return p
}

// upTo returns a time below d, half of them full milliseconds, so that some things coincide.
func upTo(rng *rand.Rand, d time.Duration) time.Duration {
	at := time.Duration(rng.Int64N(int64(d) + 1))
	if rng.IntN(2) == 0 {
		at = at.Round(250 * time.Millisecond)
	}
	return at
}

// serve is the handler: it gives back the body.
func (p *play) serve(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	takes, _ := time.ParseDuration(r.URL.Query().Get("takes"))
	if r.URL.Query().Has("flush") {
		http.NewResponseController(w).Flush()
	}
	select {
	case <-time.After(takes):
		w.Write(b)
	case <-r.Context().Done():
		panic(http.ErrAbortHandler) // else it would look like an answer
	}
}

func (p *play) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.journal = append(p.journal, fmt.Sprintf("%12v ", time.Since(p.began))+fmt.Sprintf(format, args...))
}

func (p *play) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// run plays it all and holds the drain against what clients saw.
func (p *play) run(t *testing.T) {
	p.began = time.Now()
	before := lostSoFar()
	r := start(t, p.server)
	var clients sync.WaitGroup
	for _, v := range p.visits {
		clients.Go(v.live)
	}
	time.Sleep(p.after)
	p.mu.Lock()
	p.drained = time.Now()
	p.mu.Unlock()
	p.note("drain: %v within %v", p.reason, p.limit)
	err := r.shutdown(p.reason, p.limit)
	ended := time.Now()
	p.note("drained: %v", err)
	if served := r.wait(); served != nil {
		p.fault("Serve = %v", served)
	}
	clients.Wait()
	if latest := later(p.drained.Add(p.grace()), p.last.Add(trailing)).Add(2 * lastLook); p.strict && ended.After(latest) {
		p.fault("the drain was over at %v, its last answer at %v", ended.Sub(p.began), p.last.Sub(p.began))
	}
	if p.strict && (err != nil || p.lost > 0) {
		p.fault("Shutdown = %v, with %d requests lost", err, p.lost)
	}
	if !p.strict && p.lost > 0 && !errors.Is(err, context.DeadlineExceeded) {
		p.fault("Shutdown = %v, with %d requests lost", err, p.lost)
	}
	// What begins, or is complete, in the very moment of the cut may be counted as cut.
	if ledger := int(lostSoFar() - before); ledger < p.lost || ledger > p.lost+p.ties {
		p.fault("the ledger has %d requests lost, clients have %d", ledger, p.lost)
	}
}

// grace is how long idle connections are waited for.
func (p *play) grace() time.Duration {
	if p.server.DrainGrace < 0 {
		return 0
	}
	return time.Second
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lostSoFar returns the losses of this process, of all causes.
func lostSoFar() (n uint64) {
	for _, lost := range scoreboard.Current().Read().Lost {
		n += lost
	}
	return n
}

// live is the whole visit.
func (v *visit) live() {
	time.Sleep(v.after)
	ours, theirs := memPipe()
	defer ours.Close()
	select {
	case v.ln.conns <- theirs:
	case <-v.ln.done:
		return // refused
	}
	v.conn, v.in = ours, bufio.NewReader(ours)
	v.note("client %d connects", v.id)
	for i := range v.requests {
		if !v.ask(i) {
			return
		}
	}
	if v.rng.IntN(2) == 0 {
		v.in.ReadByte() // until the server ends it
	}
}

// ask makes one request, and reports whether the connection can take another.
func (v *visit) ask(i int) bool {
	w := v.requests[i]
	body := strings.Repeat("x", w.body)
	text, ahead := w.text(body), ""
	if w.ahead > 0 && i+1 < len(v.requests) {
		next := v.requests[i+1]
		ahead = next.text(strings.Repeat("x", next.body))
		ahead = ahead[:min(w.ahead, len(ahead)-1)] // it is not whole before its turn
	}
	taken := v.early
	if w.brink > 0 && v.strict {
		w.pause = time.Until(v.began.Add(v.play.after + v.grace() + w.brink))
	}
	time.Sleep(w.pause)
	if taken == 0 {
		v.begun = time.Now()
	}
	n, err := v.send(text[taken:]+ahead, w)
	taken += n
	v.early = max(taken-len(text), 0)
	v.note("client %d has sent %d bytes of request %d of %d: %v", v.id, taken, i, len(text), err)
	if taken == 0 {
		return false // closed before it
	}
	if err != nil && taken < len(text) {
		v.lose(i, err)
		return false
	}
	return v.take(i, body)
}

func (w wanted) text(body string) string {
	flush := ""
	if w.flush {
		flush = "&flush"
	}
	return fmt.Sprintf("POST /?takes=%v%s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", w.takes, flush, len(body), body)
}

// send writes a text in pieces, and returns how much of it was taken.
func (v *visit) send(text string, w wanted) (taken int, err error) {
	for left := w.pieces; left > 0 && text != ""; left-- {
		piece := text
		if left > 1 {
			piece = text[:1+v.rng.IntN(len(text))]
		}
		n, err := io.WriteString(v.conn, piece)
		taken += n
		if err != nil {
			return taken, err
		}
		if text = text[len(piece):]; text != "" {
			time.Sleep(w.rest)
		}
	}
	if text != "" {
		n, err := io.WriteString(v.conn, text)
		return taken + n, err
	}
	return taken, nil
}

// take reads the answer to a request, and judges it.
func (v *visit) take(i int, want string) bool {
	res, err := http.ReadResponse(v.in, nil)
	var got []byte
	if err == nil {
		got, err = io.ReadAll(res.Body)
	}
	if err != nil {
		v.lose(i, err)
		return false
	}
	v.note("client %d: answer %d, closes %v", v.id, i, res.Close)
	now := v.conn.came() // the client may have been busy sending since
	v.mu.Lock()
	v.answers++
	v.last = later(v.last, now)
	drained := v.drained
	began := v.begun
	if !drained.IsZero() && now.Equal(drained.Add(v.limit)) {
		v.ties++
	}
	v.begun = now // of the next one, if bytes of it are sent
	if !drained.IsZero() && began.After(drained) {
		v.late++
	}
	v.mu.Unlock()
	switch {
	case res.StatusCode == http.StatusServiceUnavailable && !v.strict && !drained.IsZero() && now.Equal(drained.Add(v.limit)):
		v.refused() // it waited for its turn until the cut, and the server was quick to say so
	case res.StatusCode != 200 || string(got) != want:
		v.fault("client %d, request %d: %s, %d bytes, want %d", v.id, i, res.Status, len(got), len(want))
	case res.Close && drained.IsZero():
		v.fault("client %d, request %d: the connection closes without a drain", v.id, i)
	case !res.Close && !drained.IsZero() && began.After(drained):
		v.fault("client %d, request %d began in the drain, and its answer does not say that the connection closes", v.id, i)
	}
	return !res.Close
}

// refused counts a request that was answered, but not by its handler, as lost.
func (v *visit) refused() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers--
	v.lost++
}

// lose counts a request as lost, unless the client could see before it began that the server had hung up,
// or that happened in the very same moment.
func (v *visit) lose(i int, err error) {
	v.note("client %d loses request %d: %v", v.id, i, err)
	left := v.conn.left()
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case left.IsZero() || left.After(v.begun):
		v.lost++
	case left.Equal(v.begun):
		v.ties++
	}
}
