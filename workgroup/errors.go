// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package workgroup

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Errors that those of this package wrap.
var (
	ErrFull     = errors.New("work group is full")
	ErrStopped  = errors.New("work group is stopped")
	ErrCanceled = errors.New("canceled before it began")
)

// An OptionError is a value that a group does not take.
type OptionError struct {
	Group string // name of the group
	Work  string // name of what was to be added, if it was that
	Name  string // what has the value
	Value any
	Want  string // what was expected
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("%s: %s: %v: want %s", label(e.Group, e.Work), e.Name, e.Value, e.Want)
}

// A WorkError is what a member ended with, or why it was not added, with its name.
type WorkError struct {
	Group string
	Work  string
	Err   error
}

func (e *WorkError) Error() string { return fmt.Sprintf("%s: %v", label(e.Group, e.Work), e.Err) }

// Unwrap returns the cause.
func (e *WorkError) Unwrap() error { return e.Err }

// A RunningError says what a wait for a group was given up on.
type RunningError struct {
	Group string
	Names []string // of the members that run or are queued, sorted
	Err   error    // of the context that ended the wait
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("%s: still running %s: %v", label(e.Group, ""), strings.Join(shorten(e.Names), ", "), e.Err)
}

// Unwrap returns the cause.
func (e *RunningError) Unwrap() error { return e.Err }

// shorten bounds a list for one line.
func shorten(names []string) []string {
	const most = 10
	if len(names) <= most {
		return names
	}
	return append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
}

func label(group, work string) string {
	text := "work group " + group
	if work != "" {
		text += ": " + work
	}
	return text
}

// errGoexit is the error of a function that ended its goroutine.
var errGoexit = errors.New("runtime.Goexit called")

// errQuit is why the loop of a timer ends while its call may go on.
var errQuit = errors.New("timer stopped")

// An errorList is several errors in one line.
type errorList []error

func (l errorList) Error() string {
	texts := make([]string, len(l))
	for i, err := range l {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (l errorList) Unwrap() []error { return l }

type memberKey struct{}

// memberOf returns the member of g whose function ctx was given to, nil if it is not that of one.
func (g *Group) memberOf(ctx context.Context) *Handle {
	h, _ := ctx.Value(memberKey{}).(*Handle)
	for h != nil && h.group != g {
		h, _ = h.values.Value(memberKey{}).(*Handle)
	}
	return h
}
