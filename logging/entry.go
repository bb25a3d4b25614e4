// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// An entry is a record on its way to the sinks. One goroutine has it.
type entry struct {
	log    *Log
	h      *handler
	r      slog.Record
	req    *Request
	worker string
	src    *source
	noted

	form   *lineFormat
	line   string // of the message, which may have several
	first  bool   // line is the first, which gets the attributes
	colour bool   // being written with colour

	plain    []byte // what files get, once it is asked for
	coloured []byte // what terminals get
	scratch  []byte
}

// noted is what attributes say to the rest of the line.
type noted struct {
	instance slog.Value // text or a group; of an attribute instance
	uuid     string
	resource string
	errText  string // of the first attribute error or err
	errBelow bool   // it has lines of its own, below
	stacks   []string
}

var entries = sync.Pool{New: func() any { return new(entry) }}

// maxKept is the size of the largest buffers that stay in the pool.
const maxKept = 64 << 10

func newEntry(ctx context.Context, h *handler, r slog.Record) *entry {
	e := entries.Get().(*entry)
	e.log, e.h, e.r, e.req = h.log, h, r, requestOf(ctx)
	if h.log.workerOf != nil {
		e.worker = h.log.workerOf()
	}
	stacks := append(e.stacks[:0], h.noted.stacks...)
	e.noted = h.noted
	e.stacks = stacks
	if len(h.groups) == 0 {
		r.Attrs(func(a slog.Attr) bool {
			e.note(a)
			return true
		})
	}
	return e
}

// release gives e back. Nothing of the caller's stays in the pool.
func (e *entry) release() {
	clear(e.stacks)
	e.noted = noted{stacks: e.stacks[:0]}
	e.log, e.h, e.r, e.req, e.src = nil, nil, slog.Record{}, nil, nil
	e.form, e.worker, e.line = nil, "", ""
	e.plain, e.coloured, e.scratch = e.plain[:0], e.coloured[:0], e.scratch[:0]
	if cap(e.plain)+cap(e.coloured)+cap(e.scratch) <= maxKept {
		entries.Put(e)
	}
}

// note takes over what an attribute, in no group, says to the rest of the line.
func (n *noted) note(a slog.Attr) {
	switch a.Key {
	case "stack", "traceback":
		if text, ok := textOf(a.Value.Resolve()); ok {
			n.stacks = append(n.stacks, text)
		}
	case "error", "err":
		if n.errText != "" {
			return
		}
		v := a.Value.Resolve()
		if err, ok := v.Any().(error); ok {
			n.errText = errorText(err)
			if strings.Contains(strings.TrimRight(n.errText, "\n"), "\n") {
				n.errBelow = true
				n.stacks = append(n.stacks, n.errText)
			}
		} else if v.Kind() == slog.KindString {
			n.errText = v.String()
		}
	case "instance":
		n.instance = a.Value.Resolve()
	case "instance_uuid":
		n.uuid = a.Value.Resolve().String()
	case "resource":
		n.resource = a.Value.Resolve().String()
	}
}

// elsewhere reports whether text has an attribute, in no group, in another place than behind the message.
func (n *noted) elsewhere(a slog.Attr) bool {
	switch a.Key {
	case "stack", "traceback":
		_, ok := textOf(a.Value.Resolve())
		return ok
	case "instance", "instance_uuid":
		return true
	case "error", "err":
		err, ok := a.Value.Resolve().Any().(error)
		return ok && n.errBelow && errorText(err) == n.errText
	}
	return false
}

// textOf returns a value that is text.
func textOf(v slog.Value) (string, bool) {
	if v.Kind() == slog.KindString {
		return v.String(), true
	}
	if data, ok := v.Any().([]byte); ok {
		return string(data), true
	}
	return "", false
}

func (e *entry) name() string { return e.h.name }

func (e *entry) source() *source {
	if e.src == nil {
		e.src = sourceOf(e.r.PC)
	}
	return e.src
}

// hasRequest reports whether the line has an id of a request.
func (e *entry) hasRequest() bool { return e.req != nil && e.req.ID != "" }

// bytes returns the line, or the lines, with the line feed at the end.
func (e *entry) bytes(colour bool) []byte {
	if e.log.UseJSON {
		colour = false
	}
	dst := &e.plain
	if colour {
		dst = &e.coloured
	}
	if len(*dst) == 0 {
		e.colour = colour
		if e.log.UseJSON {
			*dst = e.appendJSON((*dst)[:0])
		} else {
			*dst = e.appendText((*dst)[:0])
		}
	}
	return *dst
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
