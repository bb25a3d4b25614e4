// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"log/slog"
	"slices"
)

// A Warning is something in the configuration that works and should change: a deprecated name or an
// option that will go. Parse logs each once.
type Warning struct {
	Group, Option string // as found
	At            Location
	Use           string   // "[group] option", the name to write instead; "" for a Removal
	Removal       *Removal // the option will go
}

// String writes where, what, and what to do.
func (w Warning) String() string {
	what := fmt.Sprintf("%v: [%s] %s is deprecated", w.At, w.Group, w.Option)
	if w.Removal == nil {
		return what + ": use " + w.Use
	}
	what += " for removal"
	if w.Removal.Since != "" {
		what += " since " + w.Removal.Since
	}
	if w.Removal.Reason != "" {
		what += ": " + w.Removal.Reason
	}
	return what
}

func (w Warning) log(l *slog.Logger) {
	attrs := []any{"option", key{w.Group, w.Option}.dotted(), "at", w.At.String()}
	if w.Removal == nil {
		l.Warn("option name is deprecated", append(attrs, "use", w.Use)...)
		return
	}
	l.Warn("option is deprecated for removal", append(attrs, "since", w.Removal.Since, "reason", w.Removal.Reason)...)
}

// Warnings returns what was warned about, in the order of declaration.
func (s *Snapshot) Warnings() []Warning { return slices.Clone(s.warnings) }

// deprecated notes how an option was set. On the command line an old name is not told from the new.
func (r *resolver) deprecated(o *option, f found) {
	if f.name.name != "" && f.name != o.key && (fold(f.name.group) != fold(o.group) || f.name.name != o.name) {
		r.warnings = append(r.warnings, Warning{Group: f.name.group, Option: f.name.name, At: f.at, Use: o.key.String()})
	}
	if o.Removal != nil {
		r.warnings = append(r.warnings, Warning{Group: o.group, Option: o.name, At: f.at, Removal: o.Removal})
	}
}
