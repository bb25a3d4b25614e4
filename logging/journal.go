// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A journal writes to systemd's journal in its native protocol: the line, and what it is made of in
// fields of their own.
type journal struct {
	loss
	mu     sync.Mutex
	d      datagram
	buf    []byte
	closed bool
}

func openJournal(l *Log, path string) (*journal, error) {
	if !canJournal {
		return nil, errors.New("use_journal: want false: this system has no journal")
	}
	j := &journal{loss: loss{log: l, option: "use_journal"}, d: datagram{paths: []string{path}}}
	if err := j.d.dial(); err != nil {
		return nil, fmt.Errorf("use_journal: want a journal: %w", err)
	}
	return j, nil
}

func (j *journal) write(e *entry) {
	e.bytes(false) // values may log themselves: not under the lock
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		j.log.lost.Add(1)
		return
	}
	j.deliver(e, j.sendLocked)
}

func (j *journal) sendLocked(e *entry) error {
	j.buf = j.appendFields(j.buf[:0], e)
	if cap(j.buf) > maxKept {
		defer func() { j.buf = nil }()
	}
	err := j.d.send(j.buf, nil)
	if errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.ENOBUFS) {
		return j.sendFile()
	}
	return err
}

// sendFile sends what is too large for a datagram as a sealed file in memory, which the journal takes
// over.
func (j *journal) sendFile() error {
	rights, done, err := inMemory(j.buf)
	if err != nil {
		return err
	}
	defer done()
	return j.d.send(nil, rights)
}

// appendFields writes the fields that oslo.log sends, and a few more.
func (j *journal) appendFields(b []byte, e *entry) []byte {
	src := e.source()
	text := string(bytes.TrimSuffix(e.bytes(false), []byte{'\n'}))
	b = appendField(b, "MESSAGE", text)
	b = appendField(b, "PRIORITY", strconv.Itoa(severity(e.r.Level)))
	b = appendField(b, "SYSLOG_FACILITY", strconv.Itoa(j.log.facility))
	b = appendField(b, "SYSLOG_IDENTIFIER", j.log.program)
	b = appendField(b, "SYSLOG_PID", strconv.Itoa(pid))
	b = appendField(b, "LOGGER_NAME", e.name())
	b = appendField(b, "LOGGER_LEVEL", levelName(e.r.Level))
	b = appendField(b, "THREAD_NAME", "MainThread")
	e.scratch = e.appendKey(e.scratch[:0], keyProcessName, 's')
	b = appendField(b, "PROCESS_NAME", string(e.scratch))
	if src != nowhere {
		b = appendField(b, "CODE_FILE", src.pathname)
		b = appendField(b, "CODE_LINE", strconv.Itoa(src.line))
		b = appendField(b, "CODE_FUNC", src.function)
	}
	if e.worker != "" {
		b = appendField(b, "WORKER", e.worker)
	}
	if len(e.stacks) > 0 {
		stack := strings.Join(e.stacks, "\n")
		b = appendField(b, "EXCEPTION_INFO", stack)
		b = appendField(b, "EXCEPTION_TEXT", stack)
	}
	if e.req != nil {
		for _, f := range []struct{ name, text string }{
			{"REQUEST_ID", e.req.ID}, {"GLOBAL_REQUEST_ID", e.req.GlobalID}, {"USER_ID", e.req.User},
			{"USER_NAME", e.req.UserName}, {"PROJECT_ID", e.req.Project}, {"PROJECT_NAME", e.req.ProjectName},
		} {
			if f.text != "" {
				b = appendField(b, f.name, f.text)
			}
		}
	}
	return b
}

// appendField writes a field. Only text without a line feed can stand behind "=".
func appendField(b []byte, name, text string) []byte {
	b = append(b, name...)
	if !strings.Contains(text, "\n") {
		b = append(b, '=')
		b = append(b, text...)
		return append(b, '\n')
	}
	b = append(b, '\n')
	b = binary.LittleEndian.AppendUint64(b, uint64(len(text)))
	b = append(b, text...)
	return append(b, '\n')
}

func (j *journal) reopen() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	if err := j.d.dial(); err != nil {
		return fmt.Errorf("use_journal: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.d.close()
	return nil
}
