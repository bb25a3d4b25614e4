// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"bytes"
	"slices"
)

// What a [Tail] keeps of the end of a process's standard error.
const (
	tailLines = 20
	tailBytes = 8 << 10
)

// longestLine is passed on in pieces if it is longer, in bytes.
const longestLine = 64 << 10

// lines cuts a stream into lines: it passes them on as they come and keeps the last.
type lines struct {
	pass func(p []byte) // gets whole lines; p is only lent
	part []byte         // of a line that has not ended
	kept []string       // the last lines, without line ends
	cry  string         // the line with which the Go runtime last announced a crash
}

// add takes the next bytes of the stream.
func (l *lines) add(p []byte) {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end > 0 {
		whole := p[:end]
		if len(l.part) > 0 {
			whole = append(l.part, whole...)
			l.part = nil
		}
		l.pass(whole)
		l.keep(whole)
	}
	l.part = append(l.part, p[end:]...)
	if len(l.part) >= longestLine {
		l.flush()
	}
}

// flush ends the line that has not ended.
func (l *lines) flush() {
	if len(l.part) > 0 {
		p := append(l.part, '\n')
		l.part = nil
		l.pass(p)
		l.keep(p)
	}
}

// keep remembers the last lines of p, which is whole lines.
func (l *lines) keep(p []byte) {
	for line := range bytes.Lines(p) {
		line = bytes.TrimRight(line, "\r\n")
		l.kept = append(l.kept, string(line[max(0, len(line)-tailBytes):]))
		if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) {
			l.cry = string(line[:min(len(line), tailBytes)])
		}
	}
	l.kept = cutToTail(l.kept)
}

// last returns what is kept, the line that has not ended included.
func (l *lines) last() []string {
	list := slices.Clone(l.kept)
	if len(l.part) > 0 {
		list = append(list, string(l.part[max(0, len(l.part)-tailBytes):]))
	}
	return cutToTail(list)
}

// cutToTail returns as many of the last lines as a Tail keeps.
func cutToTail(list []string) []string {
	size := 0
	for i, line := range slices.Backward(list) {
		size += len(line)
		if len(list)-i > tailLines || size > tailBytes {
			return list[i+1:]
		}
	}
	return list
}
