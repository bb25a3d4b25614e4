// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package cron_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/periodic/cron"
)

var _ periodic.Schedule = (*cron.Schedule)(nil)

// dates returns the n instants after start that an expression names, as RFC 3339 without the year.
func dates(t *testing.T, expression, zone, start string, n int) []string {
	t.Helper()
	s, err := cron.Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range n {
		at = s.Next(at)
		got = append(got, at.Format("01-02T15:04-07"))
	}
	return got
}

func TestDates(t *testing.T) {
	for name, c := range map[string]struct {
		expression, zone, start string
		want                    []string
	}{
		"every minute":      {"* * * * *", "UTC", "2026-02-28T23:58:30Z", []string{"02-28T23:59+00", "03-01T00:00+00"}},
		"steps":             {"5-25/10 8 * * *", "UTC", "2026-02-28T00:00:00Z", []string{"02-28T08:05+00", "02-28T08:15+00", "02-28T08:25+00", "03-01T08:05+00"}},
		"names":             {"0 0 * feb SUN", "UTC", "2026-02-01T00:00:00Z", []string{"02-08T00:00+00", "02-15T00:00+00"}},
		"Sunday is 7 too":   {"0 0 * * 7", "UTC", "2026-02-01T00:00:00Z", []string{"02-08T00:00+00"}},
		"either day":        {"0 0 13 * 5", "UTC", "2026-04-01T00:00:00Z", []string{"04-03T00:00+00", "04-10T00:00+00", "04-13T00:00+00", "04-17T00:00+00"}},
		"starred days":      {"0 0 */10 * 1", "UTC", "2026-01-01T00:00:00Z", []string{"05-11T00:00+00", "06-01T00:00+00", "08-31T00:00+00"}},
		"leap day":          {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", []string{"02-29T00:00+00"}},
		"with seconds":      {"30 0 12 * * *", "UTC", "2026-01-01T00:00:00Z", []string{"01-01T12:00+00"}},
		"in a zone":         {"0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", []string{"01-01T09:00+05", "01-02T09:00+05"}},
		"the zone in front": {"CRON_TZ=Asia/Tokyo 0 9 * * *", "UTC", "2026-01-01T03:00:00Z", []string{"01-02T09:00+09"}},
		"TZ, too":           {"TZ=Asia/Tokyo  0 9 * * *", "", "2026-01-01T03:00:00Z", []string{"01-02T09:00+09"}},
		"@daily":            {"@daily", "UTC", "2026-01-01T03:00:00Z", []string{"01-02T00:00+00"}},

		// Europe/Berlin goes from 02:00 to 03:00 on 2026-03-29, from 03:00 to 02:00 on 2026-10-25.
		"forward, fixed":                {"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"03-28T02:30+01", "03-29T03:00+02", "03-30T02:30+02"}},
		"forward, the hour itself":      {"0 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29T03:00+02", "03-30T02:00+02"}},
		"forward, twice in the gap":     {"0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29T03:00+02", "03-30T02:00+02"}},
		"forward, the gap and behind":   {"30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29T03:00+02", "03-29T03:30+02"}},
		"forward, the gap and its end":  {"0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-29T03:00+02", "03-30T02:00+02"}},
		"forward, hourly":               {"15 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"03-29T01:15+01", "03-29T03:15+02", "03-29T04:15+02"}},
		"forward, stars in one hour":    {"*/20 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"03-30T02:00+02", "03-30T02:20+02"}},
		"forward, asked in the moment":  {"30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", []string{"03-30T02:30+02"}},
		"back, fixed":                   {"30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", []string{"10-24T02:30+02", "10-25T02:30+02", "10-26T02:30+01"}},
		"back, asked between the two":   {"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", []string{"10-26T02:30+01"}},
		"back, the hour itself":         {"0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"10-25T03:00+01", "10-26T03:00+01"}},
		"back, begin of the hour":       {"0 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"10-25T02:00+02", "10-26T02:00+01"}},
		"back, hourly":                  {"@hourly", "Europe/Berlin", "2026-10-24T23:30:00Z", []string{"10-25T02:00+02", "10-25T02:00+01", "10-25T03:00+01"}},
		"back, quarters":                {"*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", []string{"10-25T02:30+02", "10-25T02:00+01", "10-25T02:30+01", "10-25T03:00+01"}},
		"midnight that is not there":    {"@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", []string{"11-04T01:00-02", "11-05T00:00-02"}},
		"midnight that comes twice":     {"@daily", "America/Havana", "2026-10-31T12:00:00Z", []string{"11-01T00:00-04", "11-02T00:00-05"}},
		"a change of half an hour":      {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", []string{"10-04T02:30+11", "10-05T02:15+11"}},
		"back by half an hour":          {"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", []string{"04-05T01:45+11", "04-06T01:45+10"}},
		"the last day of a leap year":   {"0 12 * * *", "Europe/Berlin", "2048-12-30T20:00:00Z", []string{"12-31T12:00+01", "01-01T12:00+01"}},
		"a day that was left out":       {"0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", []string{"12-31T00:00+14", "12-30T12:00+14"}},
		"weekly, the change far behind": {"0 0 * * 1", "America/New_York", "2026-03-05T00:00:00Z", []string{"03-09T00:00-04", "03-16T00:00-04"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := dates(t, c.expression, c.zone, c.start, len(c.want)); !slices.Equal(got, c.want) {
				t.Errorf("%s in %s from %s: %q, want %q", c.expression, c.zone, c.start, got, c.want)
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	for expression, want := range map[string]error{
		"":                                       nil,
		"   ":                                    nil,
		"* * * *":                                nil,
		"* * * * * * *":                          nil,
		"60 * * * *":                             nil,
		"* 24 * * *":                             nil,
		"* * 0 * *":                              nil,
		"* * * 13 *":                             nil,
		"* * * * 8":                              nil,
		"*/0 * * * *":                            nil,
		"-1 * * * *":                             nil,
		"1-x * * * *":                            nil,
		"H * * * *":                              nil,
		"0 0 L * *":                              nil,
		"@reboot":                                nil,
		"@nightly":                               nil,
		"@every 1m":                              cron.ErrEvery,
		"0 0 30 2 *":                             cron.ErrNever,
		"0 0 31 4,6,9,11 *":                      cron.ErrNever,
		"TZ=":                                    cron.ErrZone,
		"TZ= 0 0 * * *":                          cron.ErrZone,
		"TZ=Mars/Phobos 0 0 * * *":               cron.ErrZone,
		"CRON_TZ=../../etc/passwd 0 0 * * *":     cron.ErrZone,
		"TZ=UTC TZ=UTC 0 0 * * *":                nil,
		"TZ=UTC":                                 nil,
		strings.Repeat("1,", 1000) + "1 * * * *": nil,
	} {
		_, err := cron.Parse(expression, "UTC")
		var e *cron.Error
		if !errors.As(err, &e) || e.Expression != expression || strings.Contains(err.Error(), "\n") {
			t.Errorf("Parse(%q) = %v, want an Error of one line", expression, err)
		}
		if want != nil && !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %v, want %v", expression, err, want)
		}
	}
	_, err := cron.Parse("0 0 * * *", "Europe/Atlantis")
	if want := `cron expression "0 0 * * *": unknown time zone "Europe/Atlantis"`; err == nil || err.Error() != want {
		t.Errorf("Parse = %v, want %s", err, want)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("MustParse does not panic")
			}
		}()
		cron.MustParse("soon", "UTC")
	}()
}

// A field is one field of a random expression and the values it allows.
type field struct {
	text    string
	allowed func(int) bool
}

// random returns a field of values from low to high.
func random(r *rand.Rand, low, high int) field {
	a := low + r.IntN(high-low+1)
	b := a + r.IntN(high-a+1)
	step := 1 + r.IntN(7)
	switch r.IntN(5) {
	case 0:
		return field{"*", func(int) bool { return true }}
	case 1:
		return field{fmt.Sprintf("*/%d", step), func(v int) bool { return (v-low)%step == 0 }}
	case 2:
		step = 1 + r.IntN(b-a+1)/2 // the parser wants it to be below the range
		return field{fmt.Sprintf("%d-%d/%d", a, b, step), func(v int) bool { return v >= a && v <= b && (v-a)%step == 0 }}
	case 3:
		return field{fmt.Sprintf("%d,%d", a, b), func(v int) bool { return v == a || v == b }}
	}
	return field{fmt.Sprint(a), func(v int) bool { return v == a }}
}

// A model of an expression: it looks at every minute.
type model struct {
	fields [5]field
	loc    *time.Location
}

func (m *model) starred(i int) bool { return m.fields[i].text[0] == '*' }

// names reports whether the expression names what a clock shows.
func (m *model) names(wall time.Time) bool {
	dom, dow := m.fields[2].allowed(wall.Day()), m.fields[4].allowed(int(wall.Weekday()))
	day := dom && dow
	if !m.starred(2) && !m.starred(4) {
		day = dom || dow
	}
	return m.fields[0].allowed(wall.Minute()) && m.fields[1].allowed(wall.Hour()) && m.fields[3].allowed(int(wall.Month())) && day
}

func (m *model) wall(t time.Time) time.Time {
	t = t.In(m.loc)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
}

// meets reports whether the expression is met at t, a full minute.
func (m *model) meets(t time.Time) bool {
	now, before := m.wall(t), m.wall(t.Add(-time.Minute))
	if m.starred(0) || m.starred(1) {
		return m.names(now)
	}
	if !m.names(now) && now.Sub(before) == time.Minute {
		return false
	}
	for back := time.Minute; back <= 3*time.Hour; back += time.Minute { // shown before?
		if !m.wall(t.Add(-back)).Before(now) {
			return false
		}
	}
	for skipped := before.Add(time.Minute); skipped.Before(now); skipped = skipped.Add(time.Minute) {
		if m.names(skipped) {
			return true
		}
	}
	return m.names(now)
}

// TestAgainstAModel compares dates around changes of clocks with a model that looks at every minute.
func TestAgainstAModel(t *testing.T) {
	zones := map[string][]string{
		"Europe/Berlin":       {"2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"},
		"America/New_York":    {"2026-03-08T00:00:00Z", "2026-11-01T00:00:00Z"},
		"Australia/Lord_Howe": {"2026-10-03T06:00:00Z", "2026-04-04T06:00:00Z"},
		"America/Havana":      {"2026-03-07T22:00:00Z", "2026-10-31T22:00:00Z"},
		"America/Sao_Paulo":   {"2018-11-03T20:00:00Z", "2019-02-16T20:00:00Z"},
		"Asia/Kathmandu":      {"2026-01-01T00:00:00Z"},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for zone, starts := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range starts {
			start, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			for range 150 {
				m := &model{loc: loc, fields: [5]field{random(r, 0, 59), random(r, 0, 4), random(r, 1, 31), random(r, 1, 12), random(r, 0, 6)}}
				compare(t, m, zone, start, start.Add(14*time.Hour))
			}
		}
	}
}

func compare(t *testing.T, m *model, zone string, start, end time.Time) {
	t.Helper()
	var words []string
	for _, f := range m.fields {
		words = append(words, f.text)
	}
	expression := strings.Join(words, " ")
	s, err := cron.Parse(expression, zone)
	if errors.Is(err, cron.ErrNever) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for at := start.Add(time.Minute); !at.After(end); at = at.Add(time.Minute) {
		if m.meets(at) {
			want = append(want, at.In(m.loc).Format(time.RFC3339))
		}
	}
	for at := s.Next(start); !at.IsZero() && !at.After(end); at = s.Next(at) {
		got = append(got, at.Format(time.RFC3339))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q in %s: %q, want %q", expression, zone, got, want)
	}
}

// FuzzParse holds that what is accepted has dates, each after the one before.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"* * * * *", "30 2 * * *", "0 0 13 * 5", "CRON_TZ=Europe/Berlin */15 1-3 * * mon-fri", "@daily", "TZ=", "TZ=UTC",
		"0 0 29 2 *", "0 0 31 2 *", "@every 1s", "1-59/7 */2 1,15 jan ?", "* * * * * *", "22-2 23-1 * * fri-mon",
	} {
		f.Add(seed)
	}
	start := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expression string) {
		s, err := cron.Parse(expression, "Europe/Berlin")
		if err != nil {
			return
		}
		at := start
		for range 5 {
			next := s.Next(at)
			if !next.After(at) {
				t.Fatalf("%q: %v after %v", expression, next, at)
			}
			at = next
		}
	})
}
