// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is what clients saw. Requests is always the sum of Answered, Failed and Refused.
type Report struct {
	Seed     uint64        `json:"seed"`
	Elapsed  time.Duration `json:"elapsed_ns"`
	Clients  int           `json:"clients"`
	Requests uint64        `json:"requests"` // begun
	Answered uint64        `json:"answered"` // rightly
	Failed   uint64        `json:"failed"`   // ended by a fault
	Refused  uint64        `json:"refused"`  // of a server that a disturbance has stopped: no fault
	// Again is how often a request that was sent was sent again, on another connection, because the
	// server said that it would not serve it: behind an answer with Connection: close.
	Again  uint64  `json:"again"`
	Faults []Fault `json:"faults"`

	Dials      uint64 `json:"dials"`
	Reconnects uint64 `json:"reconnects"` // of clients that keep their connections
	Closes     Closes `json:"closes"`

	Latency  Latency       `json:"latency"` // of right answers, with the dial where there was one, without our own pauses
	WorstGap time.Duration `json:"worst_gap_ns"`

	Disturbed []Disturbed   `json:"disturbed,omitempty"`
	Series    []Second      `json:"series,omitempty"`
	CPU       time.Duration `json:"cpu_ns"` // of this process, whatever else it did; 0 if not known
}

// Closes are closes by the server of kept connections, which it was not asked for.
type Closes struct {
	Idle      uint64 `json:"idle"`      // while no request was under way, without a word
	Reset     uint64 `json:"reset"`     // the same, by a reset
	Announced uint64 `json:"announced"` // by Connection: close, or GOAWAY, when nothing more was sent
	Busy      uint64 `json:"busy"`      // announced when bytes of a next request were sent
}

func (r *run) report(clients []*client, all []*disturbed, series []Second, elapsed, cpu time.Duration) Report {
	var took histogram
	for _, c := range clients {
		took.merge(&c.took)
	}
	rep := Report{
		Seed: r.load.Seed, Elapsed: elapsed, Clients: len(clients),
		Requests: r.requests.Load(), Answered: r.answered.Load(), Failed: r.failed.Load(), Refused: r.refused.Load(),
		Again: r.again.Load(), Faults: r.faults.faults(), Dials: r.dials.Load(), Reconnects: r.redials.Load(),
		Closes:  Closes{r.idleEOF.Load(), r.idleReset.Load(), r.announcedIdle.Load(), r.busy.Load()},
		Latency: took.latency(), WorstGap: time.Duration(r.gap.Load()), Series: series, CPU: cpu,
	}
	if rep.Answered == 0 {
		rep.WorstGap = elapsed
	}
	for _, d := range all {
		rep.Disturbed = append(rep.Disturbed, d.result())
	}
	return rep
}

// Count returns the number of faults of some classes, or of all, without those that are excused.
func (r Report) Count(classes ...Class) uint64 {
	var n uint64
	for _, f := range r.Faults {
		if f.Excused {
			continue
		}
		for _, c := range classes {
			if f.Class == c {
				n += f.Count
			}
		}
		if len(classes) == 0 {
			n += f.Count
		}
	}
	return n
}

// Excused returns the number of faults that a killed worker took with it.
func (r Report) Excused() uint64 {
	var n uint64
	for _, f := range r.Faults {
		if f.Excused {
			n += f.Count
		}
	}
	return n
}

// Limits is what a [Report] may show without being bad. The zero value allows no fault, and asks for
// one answer at least.
type Limits struct {
	Faults map[Class]uint64 // by class, as many; none without an entry
	// Closes is how many kept connections the server may close while no request is under way, with or
	// without a word; negative is any number.
	Closes   int64
	Excused  int64         // faults a killed worker may take with it; negative is any number
	Worst    time.Duration // latency; 0 is any
	WorstGap time.Duration // without any right answer; 0 is any
	Failed   int           // disturbances that may fail
	Answers  uint64        // at least; 0 is 1
}

// AnyCloses is [Limits] that do not look at closes, and allow what a killed worker takes with it.
var AnyCloses = Limits{Closes: -1, Excused: -1}

// Judge returns what is beyond the limits, a line each, and nothing if all is well.
func (r Report) Judge(l Limits) []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	for _, c := range []Class{Lost, Truncated, Wrong, Doubled} {
		if n := r.Count(c); n > l.Faults[c] {
			for _, f := range r.Faults {
				if f.Class == c && !f.Excused {
					say("%d %v: %s", f.Count, f, f.First)
				}
			}
		}
	}
	if n := r.Excused(); l.Excused >= 0 && n > uint64(l.Excused) {
		say("%d lost in the hands of killed workers, at most %d allowed", n, l.Excused)
	}
	if n := r.Closes.Idle + r.Closes.Reset + r.Closes.Announced; l.Closes >= 0 && n > uint64(l.Closes) {
		say("%d kept connections closed by the server (%d announced, %d without a word, %d reset), at most %d allowed",
			n, r.Closes.Announced, r.Closes.Idle, r.Closes.Reset, l.Closes)
	}
	if l.Worst > 0 && r.Latency.Worst > l.Worst {
		say("worst answer took %v, at most %v allowed", r.Latency.Worst, l.Worst)
	}
	if l.WorstGap > 0 && r.WorstGap > l.WorstGap {
		say("no answer for %v, at most %v allowed", r.WorstGap, l.WorstGap)
	}
	for _, d := range r.Disturbed {
		if d.Failed > l.Failed {
			say("%d of %d times %s failed, %s", d.Failed, d.Times, d.Name, d.First)
		}
	}
	if want := max(l.Answers, 1); r.Answered < want {
		say("%d right answers, want at least %d", r.Answered, want)
	}
	return bad
}

// Write prints the report for people.
func (r Report) Write(w io.Writer) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("requests", "%d in %v, %.0f/s, %d clients, seed %d", r.Requests, round(r.Elapsed), float64(r.Requests)/r.Elapsed.Seconds(), r.Clients, r.Seed)
	row("answered", "%d", r.Answered)
	for _, c := range []Class{Lost, Truncated, Wrong, Doubled} {
		row(string(c), "%d", r.Count(c))
	}
	if n := r.Excused(); n > 0 {
		row("excused", "%d, in the hands of killed workers", n)
	}
	if r.Refused > 0 {
		row("refused", "%d, after the stop", r.Refused)
	}
	row("sent again", "%d, given back by the server", r.Again)
	row("closes", "%d announced, %d without a word, %d reset; %d announced with a next request half sent",
		r.Closes.Announced, r.Closes.Idle, r.Closes.Reset, r.Closes.Busy)
	row("connections", "%d dialed, %d of them reconnects", r.Dials, r.Reconnects)
	row("latency", "%v", r.Latency)
	row("worst gap", "%v", round(r.WorstGap))
	for _, d := range r.Disturbed {
		row(d.Name, "%d times, %d failed, took %v to %v; answers meanwhile: %v, worst gap %v, %d faults", d.Times, d.Failed,
			round(d.Took.P50), round(d.Took.Worst), d.Answers, round(d.WorstGap), d.Faults)
	}
	if r.CPU > 0 {
		row("CPU", "%v of this process, %.1f µs per request", round(r.CPU), r.CPU.Seconds()*1e6/float64(max(r.Requests, 1)))
	}
	tw.Flush()
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "%d %v: %s\n", f.Count, f, f.First)
	}
	for _, s := range r.Series {
		fmt.Fprintf(&b, "%v\t%d answered, %d failed, worst %v\n", round(s.At), s.Answered, s.Failed, round(s.Worst))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String says the percentiles.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, p99.9 %v, worst %v", round(l.P50), round(l.P99), round(l.P999), round(l.Worst))
}

// round leaves about three digits.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Microsecond; unit /= 10 {
		if d >= unit*10 {
			return d.Round(unit / 10)
		}
	}
	return d.Round(100 * time.Nanosecond)
}
