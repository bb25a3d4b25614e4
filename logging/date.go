// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A dateFormat is a format of strftime(3), taken apart. It may be used by many goroutines.
type dateFormat struct {
	parts []datePart
	last  atomic.Pointer[dateStamp] // most lines have the second of the line before
}

type datePart struct {
	literal string
	layout  string                             // of package time
	write   func(b []byte, t time.Time) []byte // what no layout can say
}

type dateStamp struct {
	second int64
	text   string
}

// dateLayouts are the directives that package time can write, in the locale C.
var dateLayouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'b': "Jan", 'h': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'j': "002", 'e': "_2",
	'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06",
	'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
}

var dateWriters = map[byte]func(b []byte, t time.Time) []byte{
	'P': func(b []byte, t time.Time) []byte { return append(b, strings.ToLower(t.Format("PM"))...) },
	's': func(b []byte, t time.Time) []byte { return strconv.AppendInt(b, t.Unix(), 10) },
	'w': func(b []byte, t time.Time) []byte { return strconv.AppendInt(b, int64(t.Weekday()), 10) },
	'u': func(b []byte, t time.Time) []byte { return strconv.AppendInt(b, int64((t.Weekday()+6)%7+1), 10) },
	'C': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", t.Year()/100) },
	'k': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%2d", t.Hour()) },
	'l': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%2d", (t.Hour()+11)%12+1) },
	'G': func(b []byte, t time.Time) []byte { y, _ := t.ISOWeek(); return fmt.Appendf(b, "%04d", y) },
	'g': func(b []byte, t time.Time) []byte { y, _ := t.ISOWeek(); return fmt.Appendf(b, "%02d", y%100) },
	'V': func(b []byte, t time.Time) []byte { _, w := t.ISOWeek(); return fmt.Appendf(b, "%02d", w) },
	'U': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", (t.YearDay()+6-int(t.Weekday()))/7) },
	'W': func(b []byte, t time.Time) []byte {
		return fmt.Appendf(b, "%02d", (t.YearDay()+6-int(t.Weekday()+6)%7)/7)
	},
}

// parseDate reads a format of strftime(3).
func parseDate(text string) (*dateFormat, error) {
	d := &dateFormat{}
	literal := func(s string) { d.parts = append(d.parts, datePart{literal: s}) }
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "%")
		if before != "" {
			literal(clean(before))
		}
		if !found {
			break
		}
		if after == "" {
			return nil, fmt.Errorf("%q: ends in a single %%, want %%%%", text)
		}
		c := after[0]
		rest = after[1:]
		switch {
		case c == '%':
			literal("%")
		case dateLayouts[c] != "":
			d.parts = append(d.parts, datePart{layout: dateLayouts[c]})
		case dateWriters[c] != nil:
			d.parts = append(d.parts, datePart{write: dateWriters[c]})
		default:
			return nil, fmt.Errorf("%q: unknown directive %q, want one of strftime(3)", text, "%"+string(rune(c)))
		}
	}
	return d, nil
}

// append writes t, which counts to the second.
func (d *dateFormat) append(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, '-')
	}
	second := t.Unix()
	last := d.last.Load()
	if last == nil || last.second != second {
		last = &dateStamp{second, string(d.write(nil, t.Local()))}
		d.last.Store(last)
	}
	return append(b, last.text...)
}

func (d *dateFormat) write(b []byte, t time.Time) []byte {
	for _, p := range d.parts {
		switch {
		case p.layout != "":
			b = t.AppendFormat(b, p.layout)
		case p.write != nil:
			b = p.write(b, t)
		default:
			b = append(b, p.literal...)
		}
	}
	return b
}
