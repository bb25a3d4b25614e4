// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const levelAlarm = slog.LevelError

const (
	rotatePatience = time.Second      // what a line waits for another process that rotates the file
	rotateAgain    = 10 * time.Second // when it is tried again after it failed
)

// A rotation says when a log file is renamed, and what becomes of it. The names are those of Python's
// handlers: log.1 is the youngest by size, log.2026-11-22 the file of that day by time.
type rotation struct {
	kind   string // none, size or interval
	size   int64  // at most
	unit   string
	every  int // units, or the weekday
	keep   int // rotated files; 0 is all
	suffix string

	start time.Time // of the period of the file, by interval
	next  time.Time // its end
}

// rotationNames are the names of files rotated by time, by unit.
var rotationNames = map[string]string{
	"seconds": "2006-01-02_15-04-05", "minutes": "2006-01-02_15-04", "hours": "2006-01-02_15",
	"days": "2006-01-02", "weekday": "2006-01-02", "midnight": "2006-01-02",
}

// due reports whether a file of that size is rotated before so many bytes more are written.
func (r *rotation) due(size, more int64, now time.Time) bool {
	switch r.kind {
	case "size":
		return size > 0 && size+more > r.size
	case "interval":
		return !now.Before(r.next)
	}
	return false
}

// begin sets the period that begins at t.
func (r *rotation) begin(t time.Time) {
	r.start, r.next = t, r.end(t)
}

// end returns when the period that begins at t ends.
func (r *rotation) end(t time.Time) time.Time {
	t = t.Local()
	midnight := func(days int) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, time.Local)
	}
	switch r.unit {
	case "seconds":
		return t.Add(time.Duration(r.every) * time.Second)
	case "minutes":
		return t.Add(time.Duration(r.every) * time.Minute)
	case "hours":
		return t.Add(time.Duration(r.every) * time.Hour)
	case "days":
		return t.Add(time.Duration(r.every) * 24 * time.Hour)
	case "weekday":
		today := (int(t.Weekday()) + 6) % 7 // from Monday, as in Python
		return midnight((r.every-today+7)%7 + 1)
	}
	return midnight(1)
}

// stamp returns the time that the name of a file has whose period ended.
func (r *rotation) stamp() string {
	switch r.unit {
	case "midnight":
		return r.next.AddDate(0, 0, -1).Format(r.suffix)
	case "weekday":
		return r.next.AddDate(0, 0, -7).Format(r.suffix)
	}
	return r.start.Local().Format(r.suffix)
}

// lockPath is the file beside the log file that processes lock while they rotate it. For rotation by
// time it has the beginning of the period, which so outlives restarts and is the same for all.
func (s *file) lockPath() string {
	return filepath.Join(filepath.Dir(s.path), "."+filepath.Base(s.path)+".lock")
}

// lock opens and locks that file; nil is that another process has it. Closing it is the end of the lock.
func (s *file) lock() (*os.File, error) {
	f, err := os.OpenFile(s.lockPath(), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	ok, err := tryLock(f)
	if ok {
		return f, nil
	}
	f.Close()
	return nil, err
}

// awaitLock is lock that waits, for a limited time: whoever has the lock has it for a few renames.
func (s *file) awaitLock(limit time.Duration) (*os.File, error) {
	const step = 200 * time.Microsecond
	for begin := time.Now(); ; time.Sleep(step) {
		lock, err := s.lock()
		if lock != nil || err != nil {
			return lock, err
		}
		if time.Since(begin) >= limit {
			return nil, fmt.Errorf("%s: locked by another process for %v", s.lockPath(), limit)
		}
	}
}

// startPeriod takes over the period of the file, or begins one: with its last change if it is not new.
func (s *file) startPeriod() error {
	lock, err := s.awaitLock(time.Second)
	if err != nil {
		return err
	}
	defer lock.Close()
	now := time.Now()
	if t := readPeriod(lock, now); !t.IsZero() {
		s.rotate.begin(t)
		return nil
	}
	t := now
	if info, err := s.f.Stat(); err == nil && info.Size() > 0 && info.ModTime().Before(now) {
		t = info.ModTime()
	}
	s.rotate.begin(t)
	return writePeriod(lock, t)
}

// readPeriod returns the beginning of the period, or zero if the file does not have one. A time to come
// is that of a clock that was wrong.
func readPeriod(lock *os.File, now time.Time) time.Time {
	buf := make([]byte, 64)
	n, _ := lock.ReadAt(buf, 0)
	t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(buf[:n])))
	if err != nil || t.After(now) {
		return time.Time{}
	}
	return t
}

func writePeriod(lock *os.File, t time.Time) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt([]byte(t.Format(time.RFC3339Nano)+"\n"), 0)
	return err
}

// rotateLocked renames the file and opens another under its name. Of several processes one does; the
// others find another file under the name, before their next line or, here, behind the lock.
func (s *file) rotateLocked(now time.Time, more int64) error {
	lock, err := s.awaitLock(rotatePatience)
	if err != nil {
		return err // this line may go into the old file
	}
	defer lock.Close()
	if s.rotate.kind == "interval" {
		if t := readPeriod(lock, now); !t.IsZero() {
			s.rotate.begin(t)
		}
	}
	if err := s.st.ofPath(s.path); err != nil || s.st.identity() != s.id {
		if err := s.openLocked(); err != nil {
			return err
		}
	}
	if !s.rotate.due(s.st.size(), more, now) {
		return nil
	}
	if s.rotate.kind == "size" {
		if err := s.shift(); err != nil {
			return err
		}
		return s.openLocked()
	}
	if s.st.size() > 0 {
		if err := s.archive(); err != nil {
			return err
		}
	}
	s.rotate.begin(now)
	return errors.Join(writePeriod(lock, now), s.openLocked(), s.prune())
}

// shift renames log to log.1, log.1 to log.2 and so on; the last one falls out.
func (s *file) shift() error {
	name := func(n int) string { return s.path + "." + strconv.Itoa(n) }
	last := 1
	for last < s.rotate.keep {
		if _, err := os.Lstat(name(last)); err != nil {
			break
		}
		last++
	}
	for n := last; n > 1; n-- {
		if err := os.Rename(name(n-1), name(n)); err != nil {
			return err
		}
	}
	return os.Rename(s.path, name(1))
}

// archive renames log to log.<time>. A file that has that name already, as after two rotations in one of
// its units, is not written over: Python's handler would.
func (s *file) archive() error {
	name := s.path + "." + s.rotate.stamp()
	for n := 0; ; n++ {
		to := name
		if n > 0 {
			to += "." + strconv.Itoa(n)
		}
		switch _, err := os.Lstat(to); {
		case errors.Is(err, fs.ErrNotExist):
			return os.Rename(s.path, to)
		case err != nil:
			return err
		}
	}
}

// prune removes the oldest of the rotated files that are too many.
func (s *file) prune() error {
	if s.rotate.keep == 0 {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	type rotated struct {
		name, stamp string
		n           int
	}
	var old []rotated
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), filepath.Base(s.path)+".")
		if !ok {
			continue
		}
		stamp, number, _ := strings.Cut(stamp, ".")
		n, err := strconv.Atoi(or(number, "0"))
		if _, parseErr := time.Parse(s.rotate.suffix, stamp); err == nil && parseErr == nil {
			old = append(old, rotated{e.Name(), stamp, n})
		}
	}
	slices.SortFunc(old, func(a, b rotated) int {
		if c := strings.Compare(a.stamp, b.stamp); c != 0 {
			return c
		}
		return a.n - b.n
	})
	var errs []error
	for _, r := range old[:max(len(old)-s.rotate.keep, 0)] {
		errs = append(errs, os.Remove(filepath.Join(filepath.Dir(s.path), r.name)))
	}
	return errors.Join(errs...)
}
