// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"fmt"
	"log/slog"
)

// A loss counts the lines that an output loses, until it can say so. The lock of its sink guards it.
type loss struct {
	log    *Log
	option string // that asks for the output
	lines  int
	why    error
}

// deliver puts an entry out, and behind it the line that says what was lost before.
func (x *loss) deliver(e *entry, put func(*entry) error) {
	if err := put(e); err != nil {
		x.lose(1, err)
		return
	}
	report := x.regain()
	if report == nil {
		return
	}
	if err := put(report); err != nil {
		x.log.alarm(slog.LevelError, "log output fails again", "option", x.option, "error", err)
	}
	report.release()
}

// lose counts lines and, at the first of a row, says so on standard error.
func (x *loss) lose(lines int, why error) {
	x.log.lost.Add(int64(lines))
	first := x.lines == 0
	x.lines += lines
	x.why = why
	if first && x.option != "use_stderr" {
		x.log.alarm(slog.LevelError, "log output fails, lines are lost", "option", x.option, "error", why)
	}
}

// regain returns, once after lines were lost, the line that says so.
func (x *loss) regain() *entry {
	if x.lines == 0 {
		return nil
	}
	e := x.log.notice(slog.LevelError, "log lines were lost", "count", x.lines, "option", x.option, "reason", fmt.Sprint(x.why))
	x.lines = 0
	return e
}

// alarm writes a line of the log's own to standard error, and waits for nobody.
func (l *Log) alarm(level slog.Level, text string, attrs ...any) {
	e := l.notice(level, text, attrs...)
	l.alarms.enqueue(e)
	e.release()
}
