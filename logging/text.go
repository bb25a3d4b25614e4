// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"encoding"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// A lineFormat is the format of a line, and what is in it.
type lineFormat struct {
	format
	name, program, worker, colour bool
}

func newLineFormat(f format) lineFormat {
	named := f.has(keyProcessName)
	return lineFormat{f, f.has(keyName), named || f.has(keyProgram), named || f.has(keyWorker), f.has(keyColor)}
}

// maxLines is how many lines a message or a stack has in text. What comes behind them is in one more,
// escaped: each line is written with its head, and that must not fill a disk.
const maxLines = 1000

// appendText writes the entry as text.
func (e *entry) appendText(b []byte) []byte {
	e.form = &e.log.lines
	if e.hasRequest() {
		e.form = &e.log.requestLines
	}
	e.first = true
	for line := range lines(e.r.Message) {
		e.line = line
		b = e.form.append(b, e)
		if e.first && levelNumber(e.r.Level) == 10 && len(e.log.suffix) > 0 {
			b = append(b, ' ')
			b = e.log.suffix.append(b, e)
		}
		b = append(b, e.colourOff()...)
		b = append(b, '\n')
		e.first = false
	}
	for _, stack := range e.stacks {
		for line := range lines(stack) {
			b = e.log.exception.append(b, e)
			b = appendClean(b, line)
			b = append(b, '\n')
		}
	}
	return b
}

// lines yields the lines of a text, at least one, without what ends them.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		rest := strings.TrimRight(text, "\r\n")
		for n := 1; ; n++ {
			line, after, more := strings.Cut(rest, "\n")
			if n > maxLines {
				line, more = rest, false
			}
			if !yield(strings.TrimSuffix(line, "\r")) || !more {
				return
			}
			rest = after
		}
	}
}

// appendMessage writes a line of the message and, behind the first, the attributes.
func (e *entry) appendMessage(b []byte) []byte {
	b = appendClean(b, e.line)
	if !e.first {
		return b
	}
	b = append(b, e.h.text...)
	top := len(e.h.groups) == 0
	e.r.Attrs(func(a slog.Attr) bool {
		if !top || !e.elsewhere(a) {
			b = appendTextAttr(b, e.h.prefix, a)
		}
		return true
	})
	if !e.form.program && !(e.form.name && ownName(e.h.name, e.log.program)) {
		b = append(b, " program="...)
		b = appendValue(b, e.log.program)
	}
	if !e.form.worker && e.worker != "" {
		b = append(b, " worker="...)
		b = appendValue(b, e.worker)
	}
	return b
}

// ownName reports whether a logger's name says the program.
func ownName(name, program string) bool {
	rest, ok := strings.CutPrefix(name, program)
	return ok && (rest == "" || rest[0] == '.')
}

// appendTextAttr writes " key=value", or those of a group.
func appendTextAttr(b []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, m := range v.Group() {
			b = appendTextAttr(b, prefix, m)
		}
		return b
	}
	if a.Key == "" && v.Equal(slog.Value{}) {
		return b
	}
	b = append(b, ' ')
	if prefix == "" {
		b = appendValue(b, a.Key)
	} else {
		b = appendValue(b, prefix+a.Key)
	}
	b = append(b, '=')
	return appendTextValue(b, v)
}

func appendTextValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendValue(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindFloat64:
		return strconv.AppendFloat(b, v.Float64(), 'g', -1, 64)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindDuration:
		return append(b, v.Duration().String()...)
	case slog.KindTime:
		return v.Time().AppendFormat(b, time.RFC3339Nano)
	}
	return appendValue(b, anyText(v.Any()))
}

// anyText writes a value of any type for people. A value that panics is no reason to die.
func anyText(v any) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("!PANIC: %v", p)
		}
	}()
	switch v := v.(type) {
	case error:
		return v.Error()
	case encoding.TextMarshaler:
		data, err := v.MarshalText()
		if err != nil {
			return "!ERROR: " + err.Error()
		}
		return string(data)
	case []byte:
		return string(v)
	}
	return fmt.Sprintf("%+v", v)
}

func errorText(err error) string { return anyText(err) }

// appendInstance writes the instance that the line is about, as the options want it.
func (e *entry) appendInstance(b []byte) []byte {
	f, uuid := e.log.instance, ""
	group := e.instance.Kind() == slog.KindGroup
	switch {
	case group:
	case !e.instance.Equal(slog.Value{}):
		uuid = anyText(e.instance.Any())
	case e.uuid != "":
		f, uuid = e.log.uuid, e.uuid
	case e.req != nil && e.req.ResourceUUID != "":
		f, uuid = e.log.uuid, e.req.ResourceUUID
	default:
		return b
	}
	for i := range f {
		s := &f[i]
		if s.verb == 0 {
			b = append(b, s.literal...)
			continue
		}
		text := uuid
		if group {
			text = member(e.instance, s.name)
		} else if s.name != "uuid" {
			text = "-"
		}
		from := len(b)
		b = appendClean(b, cut(text, s.cutAt()))
		b = s.pad(b, from, from)
	}
	return b
}

// member returns the text of an attribute of a group.
func member(group slog.Value, name string) string {
	for _, a := range group.Group() {
		if a.Key == name {
			return a.Value.Resolve().String()
		}
	}
	return "-"
}

// Colours of levels, as oslo.log has them.
func (e *entry) colourOn() string {
	if !e.colour {
		return ""
	}
	switch levelNumber(e.r.Level) {
	case 50, 40:
		return "\x1b[01;31m"
	case 30:
		return "\x1b[01;33m"
	case 20:
		return "\x1b[00;36m"
	case 10:
		return "\x1b[00;32m"
	}
	return "\x1b[00;35m"
}

func (e *entry) colourOff() string {
	if !e.colour {
		return ""
	}
	return "\x1b[00m"
}

// appendLevel colours the level, unless the format says itself what is coloured.
func (e *entry) appendLevel(b []byte) []byte {
	name := levelName(e.r.Level)
	if !e.colour || e.form.colour {
		return append(b, name...)
	}
	b = append(b, e.colourOn()...)
	b = append(b, name...)
	return append(b, e.colourOff()...)
}
