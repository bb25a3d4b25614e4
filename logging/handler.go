// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"context"
	"log/slog"
	"slices"
	"strings"
)

// A handler is one logger with its attributes. It never changes.
type handler struct {
	log    *Log
	name   string
	level  *slog.LevelVar
	groups []string // open
	prefix string   // the groups, for text: "a.b."

	// Attributes, written already.
	text   []byte
	json   []byte
	opened int // groups that are open in json
	noted  noted
}

// Enabled reports whether the logger's level lets a record through. It takes no lock.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle writes a record to all outputs. Its error is always nil: what an output loses it counts, and says
// so itself.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if limit := h.log.limit; limit != nil && !limit.allow(h.log, r.Level) {
		return nil
	}
	h.log.write(newEntry(ctx, h, r))
	return nil
}

// WithAttrs returns a handler whose lines have attrs too.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	c := *h
	c.text, c.json = slices.Clip(h.text), slices.Clip(h.json)
	c.noted.stacks = slices.Clip(h.noted.stacks)
	top := len(h.groups) == 0
	if top {
		for _, a := range attrs {
			c.noted.note(a)
		}
	}
	for _, a := range attrs {
		if !top || !c.noted.elsewhere(a) {
			c.text = appendTextAttr(c.text, h.prefix, a)
		}
	}
	c.addJSON(attrs, top)
	return &c
}

// addJSON writes attributes as members of the innermost group.
func (h *handler) addJSON(attrs []slog.Attr, top bool) {
	// What separates members looks at the byte before: here it stands for the object around them.
	b := append([]byte{'{'}, h.json...)
	before := len(b)
	for _, g := range h.groups[h.opened:] {
		b = append(appendMember(b, g), '{')
	}
	inside := len(b)
	for _, a := range attrs {
		if !top || !isStack(a) {
			b = appendJSONAttr(b, a)
		}
	}
	if len(b) == inside {
		b = b[:before]
	} else {
		h.opened = len(h.groups)
	}
	h.json = b[1:]
}

// WithGroup returns a handler that puts the attributes to come into a group.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.groups = append(slices.Clip(h.groups), name)
	c.prefix = h.prefix + name + "."
	return &c
}

// WithName returns a handler for a logger of that name: see [Named].
func (h *handler) WithName(name string) slog.Handler {
	c := *h
	c.name, c.level = h.log.logger(name)
	return &c
}

// Named returns a logger of that name with the attributes of l: default_log_levels sets its level, and
// its lines carry it. Names are absolute, whatever l is named, and have levels separated by dots, as in
// Python; "" and "root" are the logger of the program. With a handler that has no names, of another
// package, the name becomes an attribute logger. nil is slog.Default(). Every name that was asked for is
// kept: they are those of packages, not of requests.
func Named(l *slog.Logger, name string) *slog.Logger {
	if l == nil {
		l = slog.Default()
	}
	if h, ok := l.Handler().(interface{ WithName(string) slog.Handler }); ok {
		return slog.New(h.WithName(name))
	}
	return l.With("logger", name)
}

// logger returns what a logger writes as its name, and its level. oslo_ becomes oslo., so that one entry
// in default_log_levels is for all of them.
func (l *Log) logger(name string) (string, *slog.LevelVar) {
	name = rootless(name)
	if rest, ok := strings.CutPrefix(name, "oslo_"); ok {
		name = "oslo." + rest
	}
	if name == "" {
		return l.program, l.levels.of("")
	}
	return clean(name), l.levels.of(name)
}
