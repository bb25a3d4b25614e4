// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// maxDatagram is how many bytes of text one message to syslog has: daemons cut off more.
const maxDatagram = 8000

var facilities = strings.Fields("KERN USER MAIL DAEMON AUTH SYSLOG LPR NEWS UUCP CRON AUTHPRIV FTP - - - - LOCAL0 LOCAL1 LOCAL2 LOCAL3 LOCAL4 LOCAL5 LOCAL6 LOCAL7")

// parseFacility reads the name of a facility, with or without LOG_, in any case.
func parseFacility(text string) (int, error) {
	name := strings.TrimPrefix(strings.ToUpper(text), "LOG_")
	for n, f := range facilities {
		if f == name && f != "-" {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q: want LOG_USER, LOG_DAEMON, LOG_LOCAL0 to LOG_LOCAL7 or another facility of syslog(3)", text)
}

// A syslogger writes to the local syslog daemon, as syslog(3) does: RFC 3164. Each line of an entry is a
// message.
type syslogger struct {
	loss
	mu     sync.Mutex
	d      datagram
	buf    []byte
	closed bool
}

func openSyslog(l *Log, paths []string) (*syslogger, error) {
	s := &syslogger{loss: loss{log: l, option: "use_syslog"}, d: datagram{paths: paths}}
	if err := s.d.dial(); err != nil {
		return nil, fmt.Errorf("use_syslog: want a syslog daemon: %w", err)
	}
	return s, nil
}

func (s *syslogger) write(e *entry) {
	e.bytes(false) // values may log themselves: not under the lock
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.log.lost.Add(1)
		return
	}
	s.deliver(e, s.sendLocked)
}

func (s *syslogger) sendLocked(e *entry) error {
	b := append(s.buf[:0], '<')
	b = strconv.AppendInt(b, int64(s.log.facility<<3|severity(e.r.Level)), 10)
	b = append(b, '>')
	at := e.r.Time
	if at.IsZero() {
		at = time.Now()
	}
	b = at.Local().AppendFormat(b, "Jan _2 15:04:05 ")
	b = append(b, s.log.program...)
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(pid), 10)
	b = append(b, "]: "...)
	header := len(b)
	defer func() { s.buf = b }()
	for line := range bytes.Lines(e.bytes(false)) {
		line = bytes.TrimSuffix(line, []byte{'\n'})
		for first := true; first || len(line) > 0; first = false {
			n := pieceOf(line)
			b = append(b[:header], line[:n]...)
			line = line[n:]
			if err := s.d.send(b, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// pieceOf returns how much of a line fits in one message, with no character cut.
func pieceOf(line []byte) int {
	if len(line) <= maxDatagram {
		return len(line)
	}
	n := maxDatagram
	for n > maxDatagram-utf8.UTFMax && !utf8.RuneStart(line[n]) {
		n--
	}
	return n
}

func (s *syslogger) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if err := s.d.dial(); err != nil {
		return fmt.Errorf("use_syslog: %w", err)
	}
	return nil
}

func (s *syslogger) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.d.close()
	return nil
}
