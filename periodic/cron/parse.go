// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"

	parser "github.com/netresearch/go-cron"
)

// What an [Error] may wrap, besides what the parser says.
var (
	ErrEvery = errors.New("@every is no date: use Task.Every")
	ErrZone  = errors.New("unknown time zone")
	ErrNever = errors.New("there is no such date")
)

// An Error refuses an expression.
type Error struct {
	Expression string
	Zone       string
	Err        error
}

func (e *Error) Error() string {
	if errors.Is(e.Err, ErrZone) {
		return fmt.Sprintf("cron expression %q: %v %q", e.Expression, e.Err, e.Zone)
	}
	return fmt.Sprintf("cron expression %q: %v", e.Expression, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Limits of an expression: longer ones, and dates farther away, are mistakes. The longest wait of a
// sensible expression is that for the 29th of February over the turn of a century.
const (
	maxLength = 500
	maxYears  = 9
)

// options are those of Debian's crontab, with optional seconds.
const options = parser.SecondOptional | parser.Minute | parser.Hour | parser.Dom | parser.Month | parser.Dow |
	parser.Descriptor | parser.DowOrDom

var fields = parser.MustNewParser(options).WithMaxSearchYears(maxYears)

// Parse returns the calendar of an expression in a time zone; an empty zone means Local. The error is an
// [*Error].
func Parse(expression, zone string) (*Schedule, error) {
	rest := strings.TrimSpace(expression)
	if first, after, _ := strings.Cut(rest, " "); strings.HasPrefix(first, "CRON_TZ=") || strings.HasPrefix(first, "TZ=") {
		_, zone, _ = strings.Cut(first, "=")
		if zone == "" { // LoadLocation takes that for UTC; whoever writes it means something else
			return nil, &Error{expression, zone, ErrZone}
		}
		rest = strings.TrimSpace(after)
	}
	if zone == "" {
		zone = "Local"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, &Error{expression, zone, ErrZone}
	}
	s, err := parse(rest)
	if err != nil {
		return nil, &Error{expression, zone, err}
	}
	s.loc, s.text = loc, rest+" "+zone
	if s.Next(time.Now()).IsZero() {
		return nil, &Error{expression, zone, ErrNever}
	}
	return s, nil
}

// MustParse is Parse for expressions that are part of the program: it panics on an error.
func MustParse(expression, zone string) *Schedule {
	s, err := Parse(expression, zone)
	if err != nil {
		panic(err)
	}
	return s
}

// parse returns the calendar without a zone.
func parse(text string) (*Schedule, error) {
	switch {
	case len(text) > maxLength:
		return nil, fmt.Errorf("longer than %d bytes", maxLength)
	case strings.HasPrefix(text, "@every"):
		return nil, ErrEvery
	case strings.Contains(text, "TZ="):
		return nil, errors.New("a time zone stands once, in front")
	}
	parsed, err := fields.Parse(text)
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*parser.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("it is a %T, not a calendar", parsed)
	}
	spec.Location = time.UTC
	s := &Schedule{spec: spec}
	s.everyHour = text == "@hourly"
	if words := strings.Fields(text); len(words) >= 5 {
		words = words[len(words)-5:]
		s.everyHour = starred(words[0]) || starred(words[1])
		// The parser takes */2 for a restriction; crontabs do not.
		if starred(words[2]) {
			spec.Dom |= star
		}
		if starred(words[4]) {
			spec.Dow |= star
		}
	}
	return s, nil
}

// star marks, in the bits of a day, that it is not restricted.
const star = 1 << 63

func starred(field string) bool {
	return strings.HasPrefix(field, "*") || strings.HasPrefix(field, "?")
}
