// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package drain carries the reason of a shutdown from the launcher to whatever drains: package
// service shows it to services, package socket decides by it who owns the accept queue.
package drain

import "context"

// Reason says why a drain was asked for, and so who serves afterwards.
type Reason int

const (
	None    Reason = iota // no drain, or nobody said why
	Replace               // a successor serves on the same listeners
	Shrink                // siblings serve on the same listeners
	Stop                  // nobody serves afterwards
)

// String returns the word used in messages and logs.
func (r Reason) String() string {
	switch r {
	case Replace:
		return "replace"
	case Shrink:
		return "shrink"
	case Stop:
		return "stop"
	}
	return "none"
}

type key struct{}

// With returns a context that carries r.
func With(ctx context.Context, r Reason) context.Context { return context.WithValue(ctx, key{}, r) }

// From returns the reason that ctx carries, None without one.
func From(ctx context.Context) Reason {
	r, _ := ctx.Value(key{}).(Reason)
	return r
}
