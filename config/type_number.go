// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// Int takes a decimal integer. The value is an int64, or unset for empty text, not the default: so
// oslo.config has it. As Python's int, it takes a sign and single underscores between digits; other
// than that, it refuses what does not fit 64 bits.
type Int struct {
	Min, Max *int64 // nil is no bound
	Choices  []int64
}

// Parse implements [Type].
func (t Int) Parse(text string) (any, error) {
	text = strings.TrimFunc(text, ini.IsSpace)
	if text == "" {
		return nil, nil
	}
	n, err := parseInt(text)
	if err != nil {
		return nil, err
	}
	if t.Choices != nil { // which then are the only bounds
		if !slices.Contains(t.Choices, n) {
			return nil, errValue
		}
		return n, nil
	}
	if t.Min != nil && n < *t.Min || t.Max != nil && n > *t.Max {
		return nil, errValue
	}
	return n, nil
}

var integer = regexp.MustCompile(`^[+-]?[0-9]+(_[0-9]+)*$`)

func parseInt(text string) (int64, error) {
	if !integer.MatchString(text) {
		return 0, errValue
	}
	return strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
}

// Want implements [Type].
func (t Int) Want() string {
	if t.Choices != nil {
		return "one of " + strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Choices), " ", ", "), "[]")
	}
	return "an integer" + bounds(t.Min, t.Max)
}

// bounds completes "a number".
func bounds[T any](low, high *T) string {
	switch {
	case low != nil && high != nil:
		return fmt.Sprintf(" from %v to %v", *low, *high)
	case low != nil:
		return fmt.Sprintf(" of at least %v", *low)
	case high != nil:
		return fmt.Sprintf(" of at most %v", *high)
	}
	return ""
}

// Name implements [Type].
func (Int) Name() string { return "integer value" }

// Format implements [Type].
func (Int) Format(value any) string { return pyString(value) }

// Port is an [Int] from 0 to 65535, or in narrower bounds.
type Port struct {
	Min, Max *int64
	Choices  []int64
}

func (t Port) integer() Int {
	i := Int(t)
	if i.Min == nil {
		i.Min = new(int64(0))
	}
	if i.Max == nil {
		i.Max = new(int64(math.MaxUint16))
	}
	return i
}

// Parse implements [Type].
func (t Port) Parse(text string) (any, error) { return t.integer().Parse(text) }

// Want implements [Type].
func (t Port) Want() string { return strings.Replace(t.integer().Want(), "an integer", "a port", 1) }

// Name implements [Type].
func (Port) Name() string { return "port" }

// Format implements [Type].
func (Port) Format(value any) string { return pyString(value) }

// Float takes a number as Python's float does: inf and nan too, no hexadecimal. The value is a
// float64, or unset for empty text.
type Float struct {
	Min, Max *float64 // nil is no bound
}

var float = regexp.MustCompile(`^(?i)[+-]?((\d+(_\d+)*(\.(\d+(_\d+)*)?)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?|inf|infinity|nan)$`)

// Parse implements [Type].
func (t Float) Parse(text string) (any, error) {
	text = strings.TrimFunc(text, ini.IsSpace)
	if text == "" {
		return nil, nil
	}
	f, err := parseFloat(text)
	if err != nil {
		return nil, err
	}
	if t.Min != nil && f < *t.Min || t.Max != nil && f > *t.Max {
		return nil, errValue
	}
	return f, nil
}

func parseFloat(text string) (float64, error) {
	if !float.MatchString(text) {
		return 0, errValue
	}
	// A number out of range is infinite, as in Python; there is no other error left.
	text = strings.ReplaceAll(text, "_", "")
	if strings.HasSuffix(strings.ToLower(text), "nan") {
		return math.NaN(), nil // strconv refuses it with a sign
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f, nil
}

// Want implements [Type].
func (t Float) Want() string { return "a number" + bounds(t.Min, t.Max) }

// Name implements [Type].
func (Float) Name() string { return "floating point value" }

// Format implements [Type].
func (Float) Format(value any) string { return pyString(value) }

// Duration takes a plain number, in Unit, or a number with units as [time.ParseDuration] has it: 90,
// 1.5, 2m, 1m30s. The value is a [time.Duration], or unset for empty text. oslo.config has no such
// type; its options of that kind are numbers, whose texts this one takes with the same meaning.
type Duration struct {
	Min, Max *time.Duration // nil is no bound
	Unit     time.Duration  // of a plain number; 0 is a second
}

// Parse implements [Type].
func (t Duration) Parse(text string) (any, error) {
	text = strings.TrimFunc(text, ini.IsSpace)
	if text == "" {
		return nil, nil
	}
	d, err := t.parse(text)
	if err != nil || t.Min != nil && d < *t.Min || t.Max != nil && d > *t.Max {
		return nil, errValue
	}
	return d, nil
}

func (t Duration) parse(text string) (time.Duration, error) {
	unit := t.unit()
	if n, err := parseInt(text); err == nil {
		if d := time.Duration(n) * unit; d/unit == time.Duration(n) {
			return d, nil
		}
		return 0, errValue
	}
	if f, err := parseFloat(text); err == nil {
		if f = math.Round(f * float64(unit)); math.Abs(f) < math.MaxInt64 {
			return time.Duration(f), nil
		}
		return 0, errValue // infinity and NaN come here too
	}
	return time.ParseDuration(text)
}

func (t Duration) unit() time.Duration {
	if t.Unit <= 0 {
		return time.Second
	}
	return t.Unit
}

// Want implements [Type].
func (t Duration) Want() string {
	plain := "seconds"
	if t.unit() != time.Second {
		plain = "units of " + t.unit().String()
	}
	return "a duration" + bounds(t.Min, t.Max) + ", as 30s, 2m or in plain " + plain
}

// Name implements [Type].
func (Duration) Name() string { return "duration value" }

// Format implements [Type]. What is a whole number of units is written plainly, so that other readers
// of the file understand it too.
func (t Duration) Format(value any) string {
	if d, ok := value.(time.Duration); ok && d%t.unit() == 0 {
		return strconv.FormatInt(int64(d/t.unit()), 10)
	}
	return fmt.Sprint(value)
}
