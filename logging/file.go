// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// followEvery is how often a file is looked for under its name, without watch_log_file or rotation.
const followEvery = 100 * time.Millisecond

// A file is a log file, which other processes may write too. Each entry is one write with O_APPEND: Linux
// holds the inode's lock during such a write, so that lines of any length are whole and never mixed, on
// local file systems. On NFS, and after a disk was full, this is not so.
//
// Somebody may rename or remove the file at any time, another process of ours among them: then it is
// opened anew. A line that was written when the file was gone already is written again, to the new one.
type file struct {
	loss
	path   string
	always bool // look for the file before each write
	rotate rotation

	mu      sync.Mutex
	f       *os.File
	id      identity // of f
	st      fileStatus
	looked  time.Time
	torn    bool // the last line in f has no end
	closed  bool
	blocked time.Time // no rotation before: the last one failed
}

func openFile(l *Log, path string) (*file, error) {
	option := "log_file"
	if l.LogFile == "" {
		option = "log_dir"
	}
	if dir, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path) // main may go elsewhere
	}
	s := &file{loss: loss{log: l, option: option}, path: path, rotate: l.plan.rotate}
	s.always = l.WatchLogFile || s.rotate.kind != "none"
	if s.always && !canFollow {
		return nil, errors.New("watch_log_file, log_rotation_type: want false and none: this system is not supported")
	}
	if err := s.openLocked(); err != nil {
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	if s.rotate.kind == "interval" {
		if err := s.startPeriod(); err != nil {
			return nil, errors.Join(fmt.Errorf("log_rotation_type: %w", err), s.close())
		}
	}
	return s, nil
}

// openLocked opens the file under its name and then lets go the one before. O_NONBLOCK is for a path
// that is a pipe nobody reads: an error, and no hanging.
func (s *file) openLocked() error {
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|nonblock, 0o666)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && (info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 || isTerminal(f)) {
		err = fmt.Errorf("%s: may block: want a file, or use_stderr", s.path)
	}
	if err == nil && canFollow {
		err = s.st.ofFile(f)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if s.f != nil {
		s.f.Close()
	}
	s.f, s.id, s.torn = f, s.st.identity(), false
	return nil
}

func (s *file) write(e *entry) {
	b := e.bytes(false) // values may log themselves: not under the lock
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.log.lost.Add(1)
		return
	}
	s.followLocked(len(b))
	s.deliver(e, s.putLocked)
}

// putLocked writes whole lines. After an error the file may have a part of them, whose line is ended
// before the next.
func (s *file) putLocked(e *entry) error {
	b := e.bytes(false)
	if s.torn {
		b = append([]byte{'\n'}, b...)
	}
	n, err := s.f.Write(b)
	if err != nil {
		s.torn = s.torn || n > 0
		return err
	}
	s.torn = false
	if !canFollow || s.st.ofFile(s.f) != nil || !s.st.removed() {
		return nil
	}
	if err := s.openLocked(); err != nil {
		return err
	}
	_, err = s.f.Write(b)
	return err
}

// followLocked opens the file anew if its name is another's by now, and rotates it if it is time to. If
// that fails, the file that is open stays good enough.
func (s *file) followLocked(size int) {
	if !canFollow {
		return
	}
	now := time.Now()
	if !s.always && now.Sub(s.looked) < followEvery {
		return
	}
	s.looked = now
	if err := s.st.ofPath(s.path); err != nil || s.st.identity() != s.id {
		if s.openLocked() != nil {
			return
		}
	}
	if s.rotate.due(s.st.size(), int64(size), now) && !now.Before(s.blocked) {
		if err := s.rotateLocked(now, int64(size)); err != nil {
			s.blocked = time.Now().Add(rotateAgain)
			s.log.alarm(levelAlarm, "log file not rotated", "file", s.path, "error", err)
		}
	}
}

func (s *file) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if err := s.openLocked(); err != nil {
		return fmt.Errorf("%s: %w", s.option, err)
	}
	return nil
}

func (s *file) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.f.Close(); err != nil {
		return fmt.Errorf("%s: %w", s.option, err)
	}
	return nil
}
