// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A Process says who writes.
type Process struct {
	Program string        // empty is the name of the executable
	Worker  func() string // "api 0" in a worker, "" elsewhere; called for each line by any goroutine, and must not log. May be nil
	Stderr  io.Writer     // in place of os.Stderr; must not block for ever unless it is an *os.File
}

// A Log writes records to the outputs that its Options name. All methods may be called by any goroutine.
type Log struct {
	*plan
	program      string
	workerOf     func() string
	hostname     string
	jsonProcess  []byte
	lines        lineFormat // of no request
	requestLines lineFormat

	levels *levels
	limit  *limiter
	sinks  []sink
	alarms *relay // says on standard error that another output fails
	root   *handler
	lost   atomic.Int64

	mu     sync.Mutex // of Deprecated
	warned map[string]bool
}

// A sink is an output. It never fails: it counts what it loses.
type sink interface {
	write(e *entry)
	reopen() error
	close() error
}

// places are where the outputs of the machine are.
type places struct {
	journal string
	syslog  []string // the first that is there
}

// New opens the outputs. Its errors begin with the name of the option that asks for what cannot be; of
// wrong values all are reported. Close the Log in the end.
func New(o Options, p Process) (*Log, error) { return newLog(o, p, standardPlaces) }

func newLog(o Options, p Process, at places) (*Log, error) {
	pl, err := compile(o)
	if err != nil {
		return nil, err
	}
	if p.Program == "" {
		p.Program = filepath.Base(os.Args[0])
	}
	if p.Stderr == nil {
		p.Stderr = os.Stderr
	}
	l := &Log{plan: pl, program: clean(p.Program), workerOf: p.Worker, warned: map[string]bool{}}
	l.hostname, _ = os.Hostname()
	l.hostname = clean(l.hostname)
	l.lines, l.requestLines = newLineFormat(pl.plain), newLineFormat(pl.context)
	l.levels = newLevels(pl.levels, o.Debug)
	l.limit = newLimiter(pl)
	name, level := l.logger("")
	l.root = &handler{log: l, name: name, level: level}
	l.setJSONProcess()
	if err := l.open(p.Stderr, at); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Log) setJSONProcess() {
	b := fmt.Appendf(nil, `,"process":%d,"process_name":`, pid)
	b = append(appendJSONString(b, l.program), `,"program":`...)
	b = append(appendJSONString(b, l.program), `,"hostname":`...)
	l.jsonProcess = appendJSONString(b, l.hostname)
}

// open opens the outputs; after an error those that are open are in l.
func (l *Log) open(stderr io.Writer, at places) error {
	path := l.path(l.program)
	l.alarms = newRelay(l, "use_stderr", stderr, false)
	if l.UseStderr || path == "" && !l.UseJournal && !l.UseSyslog {
		l.alarms.colours = l.LogColor && isTerminal(stderr)
		l.sinks = append(l.sinks, l.alarms)
	}
	if path != "" {
		f, err := openFile(l, path)
		if err != nil {
			return err
		}
		l.sinks = append(l.sinks, f)
	}
	if l.UseJournal {
		j, err := openJournal(l, at.journal)
		if err != nil {
			return err
		}
		l.sinks = append(l.sinks, j)
	}
	if l.UseSyslog {
		s, err := openSyslog(l, at.syslog)
		if err != nil {
			return err
		}
		l.sinks = append(l.sinks, s)
	}
	return nil
}

// Handler returns the handler of the program's own logger.
func (l *Log) Handler() slog.Handler { return l.root }

// Logger returns the program's own logger. For others see [Named].
func (l *Log) Logger() *slog.Logger { return slog.New(l.root) }

// write gives an entry to all outputs and takes it back.
func (l *Log) write(e *entry) {
	for _, s := range l.sinks {
		s.write(e)
	}
	e.release()
}

// Reopen opens files and sockets anew, for USR1: after log files were renamed. No line is lost: the new
// file is open before the old one is closed, and once Reopen has returned nothing is written to the old
// one any more. If a file cannot be opened the old one stays in use and the error says so. ctx is not
// waited for: nothing here takes time.
func (l *Log) Reopen(context.Context) error {
	var errs []error
	for _, s := range l.sinks {
		errs = append(errs, s.reopen())
	}
	return errors.Join(errs...)
}

// Apply puts mutable options in force, after a mutation of the configuration: debug. What else changed
// waits for another New. Options that New would refuse change nothing and are an error.
func (l *Log) Apply(o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	l.levels.setDebug(o.Debug)
	return nil
}

// Lost returns how many lines outputs have lost so far: because a disk was full, or nobody read. Lines
// that the rate limit left out do not count.
func (l *Log) Lost() int64 { return l.lost.Load() }

// Close writes what waits, for at most a second, and closes the outputs; the error says what could
// not be written. Lines that come later are lost. It may be called again.
func (l *Log) Close() error {
	var errs []error
	for _, s := range l.sinks {
		if s != sink(l.alarms) {
			errs = append(errs, s.close())
		}
	}
	if l.alarms != nil {
		errs = append(errs, l.alarms.close())
	}
	return errors.Join(errs...)
}

// notice makes an entry of the log's own.
func (l *Log) notice(level slog.Level, text string, attrs ...any) *entry {
	r := slog.NewRecord(time.Now(), level, text, 0)
	r.Add(attrs...)
	return newEntry(context.Background(), l.root, r)
}

// A DeprecatedError is the use of something deprecated where fatal_deprecations forbids it.
type DeprecatedError struct{ What string }

func (e *DeprecatedError) Error() string {
	return "deprecated, and fatal_deprecations is set: " + e.What
}

// Deprecated reports the use of something deprecated: what says what, since when, and what to use in its
// place. It logs a warning, the first time; with fatal_deprecations it logs at level CRITICAL and returns a
// *DeprecatedError, for the caller to give up with.
func (l *Log) Deprecated(ctx context.Context, what string) error {
	if l.FatalDeprecations {
		l.Logger().Log(ctx, LevelCritical, "Deprecated: "+what)
		return &DeprecatedError{what}
	}
	l.mu.Lock()
	known := l.warned[what]
	l.warned[what] = true
	l.mu.Unlock()
	if !known {
		l.Logger().WarnContext(ctx, "Deprecated: "+what)
	}
	return nil
}
