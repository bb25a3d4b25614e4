// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// appendJSON writes the entry as one line of JSON, with the keys of oslo.log's formatter.
func (e *entry) appendJSON(b []byte) []byte {
	l, src := e.log, e.source()
	b = append(b, `{"message":`...)
	b = appendJSONString(b, e.r.Message)
	if !e.r.Time.IsZero() {
		b = append(b, `,"asctime":`...)
		e.scratch = l.date.append(e.scratch[:0], e.r.Time)
		b = appendQuoted(b, e.scratch)
		b = append(b, `,"created":`...)
		b = strconv.AppendFloat(b, e.number(keyCreated), 'f', 6, 64)
		b = append(b, `,"msecs":`...)
		b = strconv.AppendInt(b, int64(e.number(keyMsecs)), 10)
	}
	b = append(b, `,"name":`...)
	b = appendJSONString(b, e.name())
	b = append(b, `,"levelname":"`...)
	b = append(b, levelName(e.r.Level)...)
	b = append(b, `","levelno":`...)
	b = strconv.AppendInt(b, int64(levelNumber(e.r.Level)), 10)
	b = append(b, `,"pathname":`...)
	b = appendJSONString(b, src.pathname)
	b = append(b, `,"filename":`...)
	b = appendJSONString(b, src.filename)
	b = append(b, `,"lineno":`...)
	b = strconv.AppendInt(b, int64(src.line), 10)
	b = append(b, `,"funcname":`...)
	b = appendJSONString(b, src.function)
	b = append(b, l.jsonProcess...)
	if e.worker != "" {
		b = append(b, `,"worker":`...)
		b = appendJSONString(b, e.worker)
	}
	b = append(b, `,"traceback":`...)
	b = e.appendTraceback(b)
	b = append(b, `,"error_summary":`...)
	b = appendJSONString(b, firstLine(e.errText))
	b = append(b, `,"context":{`...)
	b = e.appendRequest(b)
	b = append(b, `},"extra":{`...)
	b = e.appendExtra(b)
	return append(b, "}}\n"...)
}

// appendQuoted is appendJSONString for bytes.
func appendQuoted(b, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return appendJSONString(b, string(text))
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// appendTraceback writes the lines of stacks as a list, or null.
func (e *entry) appendTraceback(b []byte) []byte {
	n := 0
	for _, stack := range e.stacks {
		for line := range lines(stack) {
			b = appendComma(b, n, '[')
			b = appendJSONString(b, line)
			n++
		}
	}
	if n == 0 {
		return append(b, "null"...)
	}
	return append(b, ']')
}

func appendComma(b []byte, n int, open byte) []byte {
	if n == 0 {
		return append(b, open)
	}
	return append(b, ',')
}

// requestMembers are the keys of the context, in the order they are written. What is not known is left
// out.
var requestMembers = []struct {
	name string
	key  key
}{
	{"request_id", keyRequestID}, {"global_request_id", keyGlobalID}, {"user", keyUser}, {"project", keyProject},
	{"project_id", keyProject}, {"domain", keyDomain}, {"system_scope", keyScope}, {"user_domain", keyUserDomain},
	{"project_domain", keyProjectDomain}, {"user_name", keyUserName}, {"project_name", keyProjectName},
	{"domain_name", keyDomainName}, {"user_domain_name", keyUserDomainName},
	{"project_domain_name", keyProjectDomainName}, {"resource_uuid", keyResourceUUID},
}

func (e *entry) appendRequest(b []byte) []byte {
	if e.req == nil {
		return b
	}
	for i := range requestMembers {
		m := &requestMembers[i]
		if text := e.req.text(m.key); text != "" {
			b = appendMember(b, m.name)
			b = appendJSONString(b, text)
		}
	}
	return b
}

// appendMember begins a member of an object.
func appendMember(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = appendJSONString(b, name)
	return append(b, ':')
}

// appendExtra writes the attributes. Groups are opened when there is something in them.
func (e *entry) appendExtra(b []byte) []byte {
	h := e.h
	b = append(b, h.json...)
	before := len(b)
	for _, g := range h.groups[h.opened:] {
		b = append(appendMember(b, g), '{')
	}
	inside := len(b)
	top := len(h.groups) == 0
	e.r.Attrs(func(a slog.Attr) bool {
		if !top || !isStack(a) {
			b = appendJSONAttr(b, a)
		}
		return true
	})
	open := len(h.groups)
	if len(b) == inside {
		b, open = b[:before], h.opened
	}
	for range open {
		b = append(b, '}')
	}
	return b
}

// isStack reports whether an attribute, in no group, is in the traceback.
func isStack(a slog.Attr) bool {
	if a.Key != "stack" && a.Key != "traceback" {
		return false
	}
	_, ok := textOf(a.Value.Resolve())
	return ok
}

// appendJSONAttr writes a member of an object, or those of a group without a name; an empty group is
// nothing.
func appendJSONAttr(b []byte, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Key == "" && v.Equal(slog.Value{}) {
			return b
		}
		return appendJSONValue(appendMember(b, a.Key), v)
	}
	before := len(b)
	if a.Key != "" {
		b = append(appendMember(b, a.Key), '{')
	}
	inside := len(b)
	for _, m := range v.Group() {
		b = appendJSONAttr(b, m)
	}
	switch {
	case len(b) == inside:
		return b[:before]
	case a.Key != "":
		return append(b, '}')
	}
	return b
}

func appendJSONValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendJSONString(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindFloat64:
		f := v.Float64()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return appendJSONString(b, strconv.FormatFloat(f, 'g', -1, 64)) // JSON has no such numbers
		}
		return strconv.AppendFloat(b, f, 'g', -1, 64)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindDuration:
		return strconv.AppendInt(b, int64(v.Duration()), 10)
	case slog.KindTime:
		b = append(b, '"')
		b = v.Time().AppendFormat(b, time.RFC3339Nano)
		return append(b, '"')
	}
	return appendJSONAny(b, v.Any())
}

// appendJSONAny writes a value of any type. One that cannot be written is text that says so.
func appendJSONAny(b []byte, v any) (out []byte) {
	before := len(b)
	defer func() {
		if p := recover(); p != nil {
			out = appendJSONString(b[:before], fmt.Sprintf("!PANIC: %v", p))
		}
	}()
	if _, ok := v.(json.Marshaler); !ok {
		if err, ok := v.(error); ok {
			return appendJSONString(b, err.Error())
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return appendJSONString(b, "!ERROR: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}
