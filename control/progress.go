// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"strings"
)

// Progress is how far an action has come. Its JSON is a line of the answer to an action with ?progress=1.
type Progress struct {
	Action     string        `json:"action"`
	Step       string        `json:"step"`       // waiting, preparing, rolling, returning, draining, stopping
	Generation int           `json:"generation"` // that it leads to
	Sets       []SetProgress `json:"sets,omitempty"`
}

// SetProgress is how far an action has come with one set.
type SetProgress struct {
	Set     string `json:"set"`
	Ready   int    `json:"ready"`   // workers that serve as they are to
	Workers int    `json:"workers"` // wanted
	Leaving int    `json:"leaving"` // replaced or too many, and not gone yet
}

// String returns the progress as one line for people.
func (p Progress) String() string {
	if len(p.Sets) == 0 {
		return p.Action + " " + p.Step
	}
	parts := make([]string, len(p.Sets))
	for i, s := range p.Sets {
		parts[i] = s.String()
	}
	return fmt.Sprintf("%s %s: %s", p.Action, p.Step, strings.Join(parts, "; "))
}

// String returns the progress of a set for people, as api 1/4 ready, 1 leaving.
func (p SetProgress) String() string {
	switch {
	case p.Workers == 0 && p.Ready == 0:
		return fmt.Sprintf("%s %d leaving", p.Set, p.Leaving)
	case p.Leaving > 0:
		return fmt.Sprintf("%s %d/%d ready, %d leaving", p.Set, p.Ready, p.Workers, p.Leaving)
	}
	return fmt.Sprintf("%s %d/%d ready", p.Set, p.Ready, p.Workers)
}

// A Caller is who asks a [Target] for something, as the kernel says; both are 0 where it does not.
type Caller struct {
	UID, PID int
}

type (
	progressKey struct{}
	callerKey   struct{}
)

// CallerOf returns who made the request that ctx belongs to, false for a call from within the program.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// ProgressOf returns the function that a [Target] tells the progress of the action that ctx belongs to,
// one call at a time and none after it has returned; nil if nobody wants to know.
func ProgressOf(ctx context.Context) func(Progress) {
	f, _ := ctx.Value(progressKey{}).(func(Progress))
	return f
}

// WithProgress returns a context that has f told of the progress of an action.
func WithProgress(ctx context.Context, f func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}
