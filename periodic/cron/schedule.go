// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"time"

	parser "github.com/netresearch/go-cron"
)

// A Schedule is the calendar of an expression. It is a periodic.Schedule, and may be used by many
// goroutines.
type Schedule struct {
	spec      *parser.SpecSchedule // in UTC: what a clock on the wall shows
	loc       *time.Location
	text      string
	everyHour bool // hour or minute begins with a star
}

// String returns the expression and its zone.
func (s *Schedule) String() string { return s.text }

// Next returns the first instant after t that the expression names, in its zone; the zero Time if there
// is none within nine years.
//
// The search is on a clock on the wall, which is a time in UTC here, with the same digits. Between two
// changes of the zone's offset that clock goes side by side with time; at a change the rules of the
// package comment decide.
func (s *Schedule) Next(t time.Time) time.Time {
	t = t.In(s.loc)
	for after := clock(t); ; {
		begin, end := stretch(t)
		if !s.everyHour && !begin.IsZero() {
			// Where clocks went back, what they had shown before was met before.
			if shown := clock(begin.In(s.loc).Add(-1)); shown.After(after) {
				after = shown
			}
		}
		found := s.spec.Next(after)
		if found.IsZero() {
			return time.Time{}
		}
		_, offset := t.Zone()
		if at := found.Add(-time.Duration(offset) * time.Second); end.IsZero() || at.Before(end) {
			return at.In(s.loc)
		}
		t = end.In(s.loc)
		if !s.everyHour && found.Before(clock(t)) { // clocks go forward over it
			return t
		}
		after = clock(t).Add(-1)
	}
}

// stretch returns a time around t in which the offset of its zone does not change; it need not be the
// longest. A zero time is no bound.
func stretch(t time.Time) (begin, end time.Time) {
	begin, end = t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// Go 1.26 ends years to come after 365 days, leap years too: on their last day it is wrong.
		end = t.Add(24 * time.Hour)
	}
	return begin, end
}

// clock returns what a clock on the wall shows at t.
func clock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
