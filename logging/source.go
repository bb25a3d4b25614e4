// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
)

// A source is the place in the program that a line comes from.
type source struct {
	pc       uintptr
	pathname string
	filename string
	function string // without the folder of its package
	line     int
}

// sources keeps the places that log: they are few, and to find one takes longer than to write a line.
// Two places that share a slot take turns.
var sources [1 << 10]atomic.Pointer[source]

var nowhere = &source{pathname: "-", filename: "-", function: "-"}

func sourceOf(pc uintptr) *source {
	if pc == 0 {
		return nowhere
	}
	slot := &sources[(pc^pc>>10)%uintptr(len(sources))]
	if s := slot.Load(); s != nil && s.pc == pc {
		return s
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	s := &source{pc: pc, pathname: clean(frame.File), filename: clean(filepath.Base(frame.File)), line: frame.Line}
	s.function = clean(frame.Function[strings.LastIndexByte(frame.Function, '/')+1:])
	slot.Store(s)
	return s
}

func (s *source) text(k key) string {
	switch k {
	case keyPathname:
		return s.pathname
	case keyFilename:
		return s.filename
	case keyModule:
		return strings.TrimSuffix(s.filename, ".go")
	}
	return s.function
}
