// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"errors"
	"os"
	"time"
)

// errSuspect says that the files are broken, as they are while somebody writes them.
var errSuspect = errors.New("files have changed and are broken")

// readTries is how often files are read that change meanwhile.
const readTries = 5

// reloadLocked reads the disk and takes what is good. What is bad it says once; a patient one only the
// second time that it sees it, and returns errSuspect the first.
func (s *Source) reloadLocked(now time.Time, patient bool) error {
	all := s.readLocked(now)
	old := s.state.Load()
	sum := s.loader.sum(all)
	if sum == old.sum {
		if s.problem != "" {
			s.log.Info("certificates are again those in use", "problem", s.problem)
		}
		s.goodLocked()
		return nil
	}
	if s.problem != "" && sum == s.refused && patient {
		return nil // has been said
	}
	st, err := s.loader.make(all)
	switch {
	case err == nil:
		s.state.Store(st)
		s.goodLocked()
		for _, c := range st.shown {
			if c.Use == UseServer {
				s.log.Info("certificate reloaded", "file", c.File, "subject", c.Subject, "not_after", c.NotAfter)
			}
		}
		s.warnLocked(now)
		return nil
	case patient && s.suspect != sum:
		s.suspect = sum
		s.unsure = true // and so it is read again
		return errSuspect
	case s.problem == "" || sum != s.refused:
		s.log.Error("new certificates are refused, the old ones stay in use", "error", err)
	}
	s.problem, s.refused = err.Error(), sum
	return err
}

func (s *Source) goodLocked() {
	s.problem, s.suspect = "", [len(s.suspect)]byte{}
}

// readLocked reads all files at a moment at which none changes, if there is one.
func (s *Source) readLocked(now time.Time) (all contents) {
	paths := s.loader.paths()
	stamps := stampsOf(paths)
	for range readTries {
		all = s.loader.read(os.ReadFile)
		after := stampsOf(paths)
		done := sameStamps(stamps, after)
		s.stamps, s.unsure = stamps, !done || fresh(stamps, now)
		if done {
			break
		}
		stamps = after
	}
	return all
}
