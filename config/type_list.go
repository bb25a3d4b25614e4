// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// List takes items with commas between them. The value is a []any of the items' values. Items are
// stripped; commas at the end are dropped, empty items elsewhere stay: "a, b ,,c,," is a, b, "", c.
// An item that its type refuses is tried again together with the next one, so that items may have
// commas in them if their type requires it, for instance by quotes.
type List struct {
	Item   Type // nil is String{}
	Bounds bool // the text must stand between [ and ]
}

func (t List) item() Type {
	if t.Item == nil {
		return String{}
	}
	return t.Item
}

// Parse implements [Type].
func (t List) Parse(text string) (any, error) {
	text = strings.TrimRight(strings.TrimFunc(text, ini.IsSpace), ",")
	text, err := cutBounds(text, t.Bounds, "[", "]")
	if err != nil {
		return nil, err
	}
	items := []any{}
	for parts := splitComma(text); len(parts) > 0; {
		var value any
		value, parts, err = rejoin(parts, func(part string) (any, error) {
			return t.item().Parse(strings.TrimFunc(part, ini.IsSpace))
		})
		if err != nil {
			return nil, err
		}
		items = append(items, value)
	}
	return items, nil
}

// cutBounds removes a pair of brackets that must be there.
func cutBounds(text string, required bool, begin, end string) (string, error) {
	if !required {
		return text, nil
	}
	if !strings.HasPrefix(text, begin) || !strings.HasSuffix(text, end) {
		return "", errValue
	}
	return text[1 : len(text)-1], nil
}

func splitComma(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// maxRejoin bounds the parts that are tried together. It is more than any real item has; without it
// a long list of wrong items would take time squared in its length.
const maxRejoin = 1000

// rejoin tries parse on the first part, then on the first two with their comma, and so on. It returns
// the parts that are left.
func rejoin(parts []string, parse func(string) (any, error)) (value any, rest []string, err error) {
	part := parts[0]
	for n := 1; ; n++ {
		value, err = parse(part)
		if err == nil {
			return value, parts[n:], nil
		}
		if n == len(parts) || n == maxRejoin {
			return nil, nil, err
		}
		part += "," + parts[n]
	}
}

// Want implements [Type].
func (t List) Want() string {
	want := "items with commas between them"
	if t.Bounds {
		want += `, in "[" and "]"`
	}
	if t.item().Want() == (String{}).Want() {
		return want
	}
	return want + ", each " + t.item().Want()
}

// Name implements [Type].
func (List) Name() string { return "list value" }

// Format implements [Type].
func (t List) Format(value any) string {
	items, ok := value.([]any)
	if !ok {
		return pyString(value)
	}
	var texts []string
	for _, v := range items {
		if v == nil {
			texts = append(texts, "")
			continue
		}
		texts = append(texts, t.item().Format(v))
	}
	text := strings.Join(texts, ",")
	if t.Bounds {
		return "[" + text + "]"
	}
	return text
}

// Dict takes key:value pairs with commas between them. The value is a map[string]any. Keys and values
// are stripped; a key must not be empty or come twice. What is not a pair, or has a value that its
// type refuses, is tried again together with what follows the comma.
type Dict struct {
	Value  Type // nil is String{}
	Bounds bool // the text must stand between { and }
}

func (t Dict) value() Type {
	if t.Value == nil {
		return String{}
	}
	return t.Value
}

type pair struct {
	key   string
	value any
}

// Parse implements [Type].
func (t Dict) Parse(text string) (any, error) {
	text, err := cutBounds(strings.TrimFunc(text, ini.IsSpace), t.Bounds, "{", "}")
	if err != nil {
		return nil, err
	}
	dict := map[string]any{}
	for parts := splitComma(text); len(parts) > 0; {
		var v any
		v, parts, err = rejoin(parts, t.parsePair)
		if err != nil {
			return nil, err
		}
		p := v.(pair)
		if _, twice := dict[p.key]; twice || p.key == "" {
			return nil, errValue
		}
		dict[p.key] = p.value
	}
	return dict, nil
}

func (t Dict) parsePair(part string) (any, error) {
	key, text, ok := strings.Cut(part, ":")
	if !ok {
		return nil, errValue
	}
	value, err := t.value().Parse(strings.TrimFunc(text, ini.IsSpace))
	return pair{strings.TrimFunc(key, ini.IsSpace), value}, err
}

// Want implements [Type].
func (t Dict) Want() string {
	want := "key:value pairs with commas between them, no key twice"
	if t.Bounds {
		want += `, in "{" and "}"`
	}
	if t.value().Want() == (String{}).Want() {
		return want
	}
	return want + ", each value " + t.value().Want()
}

// Name implements [Type].
func (Dict) Name() string { return "dict value" }

// Format implements [Type]. Keys are sorted.
func (t Dict) Format(value any) string {
	dict, ok := value.(map[string]any)
	if !ok {
		return pyString(value)
	}
	var texts []string
	for _, k := range sortedKeys(dict) {
		text := ""
		if dict[k] != nil {
			text = t.value().Format(dict[k])
		}
		texts = append(texts, k+":"+text)
	}
	return strings.Join(texts, ",")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Range takes an integer or two with a "-" between them. The value is a [Span].
type Range struct {
	Min, Max  *int64
	Exclusive bool // the second number is not part of it, as with Python's inclusive=False
}

// A Span is a sequence of integers: from Start in steps of Step, 1 or -1, until before Stop.
type Span struct{ Start, Stop, Step int64 }

// All yields the integers.
func (s Span) All() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for n := s.Start; n != s.Stop && yield(n); n += s.Step {
		}
	}
}

var rangeText = regexp.MustCompile(`^(0|-?[1-9][0-9]*)(?:-(0|-?[1-9][0-9]*))?$`)

// Parse implements [Type].
func (t Range) Parse(text string) (any, error) {
	m := rangeText.FindStringSubmatch(text)
	if m == nil {
		return nil, errValue
	}
	if m[2] == "" {
		m[2] = m[1]
	}
	left, err := parseInt(m[1])
	if err != nil {
		return nil, err
	}
	right, err := parseInt(m[2])
	if err != nil {
		return nil, err
	}
	s := Span{left, right, 1}
	if left >= right {
		s.Step = -1
	}
	if t.Min != nil && min(left, right) < *t.Min || t.Max != nil && max(left, right) > *t.Max {
		return nil, errValue
	}
	if !t.Exclusive {
		s.Stop += s.Step
	}
	return s, nil
}

// Want implements [Type].
func (t Range) Want() string {
	return `an integer or two with "-" between them` + bounds(t.Min, t.Max)
}

// Name implements [Type].
func (Range) Name() string { return "range value" }

// Format implements [Type].
func (Range) Format(value any) string { return pyString(value) }
