// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// A Type says what values an option takes. The types of this package read text as those of
// oslo_config/types.py do. A program may bring its own; they must be comparable with
// [reflect.DeepEqual], by which a declaration that is made twice is recognised.
type Type interface {
	// Parse turns the text of a file, a variable or an argument into a value, nil for unset. Its error
	// is not shown, as it might quote a secret: Want is.
	Parse(text string) (any, error)

	// Want completes the sentence "want ...".
	Want() string

	// Name is how a sample file calls it: "integer value".
	Name() string

	// Format is the inverse of Parse, for sample files. It is not called with nil.
	Format(value any) string
}

var errValue = errors.New("not a value of this type")

// A Choice is one of the values that an option takes.
type Choice struct {
	Value string
	Help  string // may be empty
}

// Choices returns choices without help.
func Choices(values ...string) []Choice {
	var cs []Choice
	for _, v := range values {
		cs = append(cs, Choice{Value: v})
	}
	return cs
}

// String takes any text; with Choices or Regex, only some. The value is a string.
type String struct {
	Choices    []Choice
	Regex      *regexp.Regexp // may match anywhere in the text: anchor it
	IgnoreCase bool           // for Choices; the value keeps its case
	Quotes     bool           // one pair of quotes is removed, and one without the other refused: for items of lists
	MaxLength  int            // in characters; 0 is no limit
}

// Parse implements [Type].
func (t String) Parse(text string) (any, error) {
	if t.Quotes && text != "" && (text[0] == '"' || text[0] == '\'') {
		if len(text) == 1 || text[len(text)-1] != text[0] {
			return nil, errValue
		}
		text = text[1 : len(text)-1]
	}
	if t.MaxLength > 0 && utf8.RuneCountInString(text) > t.MaxLength {
		return nil, errValue
	}
	if t.Regex != nil && !t.Regex.MatchString(text) {
		return nil, errValue
	}
	if t.Choices != nil && !slices.ContainsFunc(t.Choices, func(c Choice) bool {
		return c.Value == text || t.IgnoreCase && strings.EqualFold(c.Value, text)
	}) {
		return nil, errValue
	}
	return text, nil
}

// Want implements [Type].
func (t String) Want() string {
	var parts []string
	if t.Choices != nil {
		parts = append(parts, "one of "+choiceList(t.Choices))
	} else {
		parts = append(parts, "a string")
	}
	if t.Regex != nil {
		parts = append(parts, "that matches "+t.Regex.String())
	}
	if t.MaxLength > 0 {
		parts = append(parts, fmt.Sprintf("of at most %d characters", t.MaxLength))
	}
	if t.Quotes {
		parts = append(parts, "with both quotes or none")
	}
	return strings.Join(parts, " ")
}

func choiceList(cs []Choice) string {
	var values []string
	for _, c := range cs {
		values = append(values, choiceText(c.Value))
	}
	return strings.Join(values, ", ")
}

func choiceText(value string) string {
	if value == "" {
		return "''"
	}
	return value
}

// Name implements [Type].
func (String) Name() string { return "string value" }

// Format implements [Type].
func (String) Format(value any) string { return quoteBlanks(pyString(value)) }

// quoteBlanks keeps blanks at the ends of a value from being stripped.
func quoteBlanks(text string) string {
	if strings.TrimFunc(text, ini.IsSpace) != text {
		return `"` + text + `"`
	}
	return text
}

// Bool takes true, 1, on, yes and false, 0, off, no in any case. The value is a bool. Empty text is
// an error, as in oslo.config.
type Bool struct{}

// Parse implements [Type].
func (Bool) Parse(text string) (any, error) {
	switch strings.ToLower(text) {
	case "true", "1", "on", "yes":
		return true, nil
	case "false", "0", "off", "no":
		return false, nil
	}
	return nil, errValue
}

// Want implements [Type].
func (Bool) Want() string { return "true, 1, on, yes or false, 0, off, no" }

// Name implements [Type].
func (Bool) Name() string { return "boolean value" }

// Format implements [Type].
func (Bool) Format(value any) string { return strings.ToLower(pyString(value)) }
