// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"errors"
	"fmt"
	"strings"
)

// The errors that the loaders of nova and oslo.service tell apart. Match them with [errors.Is].
var (
	// ErrConfigNotFound is a paste file that is not there: upstream's ConfigNotFound.
	ErrConfigNotFound = errors.New("could not find config")

	// ErrAppNotFound is an application, filter or server that cannot be found or composed: a section or
	// a factory is missing, or there are two, or a setting does not fit. Upstream's PasteAppNotFound.
	ErrAppNotFound = errors.New("could not load paste app")
)

// A NotFoundError is a file that is not there. It is an [ErrConfigNotFound].
type NotFoundError struct {
	Path string // as asked for
	Err  error  // of reading it, or nil if it was searched for
}

func (e *NotFoundError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%v at %s", ErrConfigNotFound, e.Path)
	}
	return fmt.Sprintf("%v at %s: %v", ErrConfigNotFound, e.Path, e.Err)
}

// Unwrap returns [ErrConfigNotFound] and the cause.
func (e *NotFoundError) Unwrap() []error { return []error{ErrConfigNotFound, e.Err} }

// A LoadError is why something of a file could not be loaded. With a lookup as cause it is an
// [ErrAppNotFound].
type LoadError struct {
	Name string // what was asked for
	Path string
	Err  error // an [Error], an [Errors], an [UnknownError] or what a factory returned
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("%v %q from %s: %v", ErrAppNotFound, e.Name, e.Path, e.Err)
}

// Unwrap returns the cause, and [ErrAppNotFound] if that is a lookup.
func (e *LoadError) Unwrap() []error {
	var at *Error
	var unknown *UnknownError
	if errors.As(e.Err, &at) && at.lookup || errors.As(e.Err, &unknown) {
		return []error{ErrAppNotFound, e.Err}
	}
	return []error{e.Err}
}

// An Error is what is wrong at one place of a file. Text never has the value of a setting, which may be
// secret, but names of sections and factories. It begins as upstream's error does.
type Error struct {
	File    string
	Line    int    // from 1; 0 for the file as a whole
	Section string // as written, "" outside of all
	Text    string
	Err     error // the cause, for example what a factory returned; may be nil

	lookup bool // upstream has a LookupError
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Section != "" {
		fmt.Fprintf(&b, "[%s]: ", e.Section)
	}
	b.WriteString(e.Text)
	if e.Err != nil {
		if e.Text != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors are several faults, in the order of the file; never empty.
type Errors []error

// Error writes a line for each.
func (es Errors) Error() string {
	var lines []string
	for _, e := range es {
		lines = append(lines, e.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes [errors.As] and [errors.Is] find each of them.
func (es Errors) Unwrap() []error { return es }

// joinErrors returns nil, the only one, or all.
func joinErrors(es []error) error {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return Errors(es)
}

// An UnknownError is a factory that the [Registry] does not have.
type UnknownError struct {
	File     string
	Line     int
	Section  string   // as written
	Name     string   // of the factory, as written
	Protocol string   // "paste.filter_factory"; with "egg:" all that were looked for, with " or " between
	Others   []string // protocols that the name is registered for
	Nearest  []string // at most three names that are registered for the protocol, the nearest first
}

func (e *UnknownError) Error() string {
	at := &Error{File: e.File, Line: e.Line, Section: e.Section}
	at.Text = fmt.Sprintf("no factory %q is registered for %s", e.Name, e.Protocol)
	if len(e.Others) > 0 {
		at.Text += ", only for " + strings.Join(e.Others, " and ")
	}
	if len(e.Nearest) > 0 {
		at.Text += "; nearest is " + strings.Join(e.Nearest, ", ")
	}
	return at.Error()
}

// repr writes a string as Python's repr does, for what errors quote.
func repr(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case string(r) == quote || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(quote)
	return b.String()
}

// reprs quotes several, with a word between.
func reprs(list []string, between string) string {
	var out []string
	for _, s := range list {
		out = append(out, repr(s))
	}
	return strings.Join(out, between)
}
