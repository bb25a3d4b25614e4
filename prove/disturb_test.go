// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// A disturbance that is counted ends the load, and what it did is in the report.
func TestDisturbance(t *testing.T) {
	ln := listen(t)
	serve(t, ln)
	var counted, other int
	r := run(t, prove.Load{
		Target: "http://" + ln.Addr().String() + "/", Clients: 4, Seed: 7,
		Disturb: []prove.Disturbance{
			{Name: "counted", Every: 5 * time.Millisecond, Times: 4, Settle: 5 * time.Millisecond, Do: func(ctx context.Context, s *prove.Scene) error {
				if counted++; counted%2 == 0 {
					return errors.New("refused")
				}
				return nil
			}},
			{Name: "other", Every: 2 * time.Millisecond, Settle: -1, Do: func(context.Context, *prove.Scene) error { other++; return nil }},
		},
	})
	if len(r.Disturbed) != 2 || r.Seed != 7 {
		t.Fatalf("%+v", r)
	}
	d := r.Disturbed[0]
	if counted != 4 || d.Name != "counted" || d.Times != 4 || d.Failed != 2 || !strings.Contains(d.First, "refused") || d.Took.Count != 4 {
		t.Errorf("done %d times, reported %+v", counted, d)
	}
	if d.Answers.Count == 0 || d.P99Median == 0 || d.Answers.Count > r.Answered {
		t.Errorf("%d answers in the windows, p99 %v, of %d", d.Answers.Count, d.P99Median, r.Answered)
	}
	if int(r.Disturbed[1].Times) != other || other == 0 {
		t.Errorf("the other was done %d times, reported %d", other, r.Disturbed[1].Times)
	}
	bad := r.Judge(prove.AnyCloses)
	if len(bad) != 1 || !strings.Contains(bad[0], "2 of 4 times counted failed") {
		t.Errorf("Judge = %q", bad)
	}
}

// Faults on connections of a process that was killed are excused, those on others not; refusals of a
// server that was stopped are none, and end the load.
func TestKilledAndStopped(t *testing.T) {
	ln := listen(t)
	var mu sync.Mutex
	held := map[string]bool{} // clients of every other connection
	killed, n := false, 0
	s := &crook{wrong: func(d *deed) bool { d.answer("", d.body); return true }}
	s.greet = func(c *net.TCPConn) bool {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%2 == 0 {
			held[c.RemoteAddr().String()] = true
		}
		return false
	}
	s.serve(t, ln)
	stop := make(chan struct{})
	r := run(t, prove.Load{
		Target: "http://" + ln.Addr().String() + "/", Want: []byte("hello, world\n"), Clients: 8, Shapes: []prove.Shape{prove.Get},
		Disturb: []prove.Disturbance{
			{Name: "kill", Every: 30 * time.Millisecond, Times: 1, Settle: 10 * time.Millisecond, Do: func(_ context.Context, scene *prove.Scene) error {
				mu.Lock()
				frozen := maps.Clone(held)
				mu.Unlock()
				scene.Killed(func(local net.Addr, _ time.Time) bool { return frozen[local.String()] })
				s.mu.Lock()
				defer s.mu.Unlock()
				for c := range s.conns { // all of them: half is not excused
					c.SetLinger(0)
					c.Close()
				}
				killed = true
				return nil
			}},
			{Name: "stop", Every: 200 * time.Millisecond, Times: 1, Do: func(_ context.Context, scene *prove.Scene) error {
				scene.Stopping()
				ln.Close()
				s.mu.Lock()
				defer s.mu.Unlock()
				for c := range s.conns {
					c.SetLinger(0)
					c.Close()
				}
				close(stop)
				return nil
			}},
		},
	})
	<-stop
	var excused, blamed uint64
	for _, f := range r.Faults {
		if f.Cause != prove.Reset {
			t.Errorf("fault %v", f)
		}
		switch {
		case f.Excused:
			excused += f.Count
		case !strings.Contains(f.During, "stop"):
			blamed += f.Count
		}
	}
	if !killed || excused+blamed > 8 || excused > 4 || blamed > 4 {
		t.Errorf("%d excused and %d blamed of 8 that were cut: %v", excused, blamed, r.Faults)
	}
	if r.Excused() != excused || r.Refused == 0 || r.Refused > 8 {
		t.Errorf("%d excused, want %d; %d refused, want 1 to 8", r.Excused(), excused, r.Refused)
	}
}

// A request that is late because the one before it was slow counts from when it was due.
func TestRateCountsWaiting(t *testing.T) {
	ln := listen(t)
	var mu sync.Mutex
	n := 0
	s := &crook{wrong: func(d *deed) bool {
		mu.Lock()
		n++
		slow := n == 1
		mu.Unlock()
		if slow {
			time.Sleep(200 * time.Millisecond)
		}
		d.answer("", d.body)
		return true
	}}
	s.serve(t, ln)
	r := run(t, prove.Load{
		Target: "http://" + ln.Addr().String() + "/", Want: []byte("hello, world\n"), Clients: 1, Rate: 200, Requests: 60, Shapes: []prove.Shape{prove.Get},
	})
	// About 40 requests came due in the 200 ms; half of them waited at least half of it.
	if r.Latency.P90 < 50*time.Millisecond {
		t.Errorf("latency %v, want the requests that waited behind the slow one in it", r.Latency)
	}
	if r.Elapsed < 200*time.Millisecond {
		t.Errorf("60 requests at 200/s took %v", r.Elapsed)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	do := func(context.Context, *prove.Scene) error { return nil }
	for name, c := range map[string]struct {
		load prove.Load
		want string
	}{
		"no target":            {prove.Load{}, `""`},
		"another scheme":       {prove.Load{Target: "ftp://x/"}, `"ftp://x/"`},
		"no path":              {prove.Load{Target: "unix:"}, "unix:/PATH"},
		"a shape":              {prove.Load{Target: "http://x/", Shapes: []prove.Shape{"odd"}}, `"odd"`},
		"a shape without echo": {prove.Load{Target: "http://x/", Shapes: []prove.Shape{prove.Post}}, `"post": needs a path that echoes`},
		"a shape of HTTP/1.1":  {prove.Load{Target: "http://x/", HTTP2: true, Shapes: []prove.Shape{prove.HTTP10}}, `"http10": is not for HTTP/2`},
		"clients":              {prove.Load{Target: "http://x/", Clients: -1}, "-1"},
		"fresh ones":           {prove.Load{Target: "http://x/", Clients: 2, Fresh: 3}, "3 fresh"},
		"a body":               {prove.Load{Target: "http://x/", MaxBody: -1}, "-1"},
		"rate and think":       {prove.Load{Target: "http://x/", Rate: 1, Think: 1}, "one of them"},
		"a disturbance":        {prove.Load{Target: "http://x/", Disturb: []prove.Disturbance{{Name: "odd", Do: do}}}, `"odd"`},
		"nobody who listens":   {prove.Load{Target: "unix:/no/such"}, "before the load: dial unix /no/such"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.load.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Run = %v, want one line with %s", err, c.want)
			}
		})
	}
}
