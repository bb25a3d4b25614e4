// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ndjson is the type of an answer with progress: a JSON object per line, as it comes.
const ndjson = "application/x-ndjson"

// maxLine bounds a line of a stream.
const maxLine = 1 << 20

// A streamLine is one line of an answer with progress: any number with Progress, then one with Outcome,
// Error or both.
type streamLine struct {
	Progress *Progress `json:"progress,omitempty"`
	Outcome  *Outcome  `json:"outcome,omitempty"`
	Error    string    `json:"error,omitempty"`
	Code     int       `json:"code,omitempty"` // of the error, as the HTTP status would have it
}

func wantsProgress(r *http.Request) bool {
	return r.URL.Query().Get("progress") == "1" || strings.Contains(r.Header.Get("Accept"), ndjson)
}

// A stream answers an action line by line.
type stream struct {
	w     http.ResponseWriter
	begun bool
}

func (s *stream) progress(p Progress) { s.line(http.StatusOK, streamLine{Progress: &p}) }

// end writes the last line. Before the first one the HTTP status still tells how it went.
func (s *stream) end(out Outcome, err error) {
	last, code := streamLine{}, http.StatusOK
	if err != nil {
		code = codeOf(err)
		last.Error, last.Code, out.Error = err.Error(), code, err.Error()
	}
	if err == nil || out.Action != "" {
		last.Outcome = &out
	}
	s.line(code, last)
}

func (s *stream) line(code int, l streamLine) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", ndjson)
		s.w.WriteHeader(code)
	}
	// An error here is the caller's hanging up: there is nobody left to tell.
	_ = json.NewEncoder(s.w).Encode(l)
	_ = http.NewResponseController(s.w).Flush()
}

// readStream reads an answer with progress up to its last line, which is the outcome and the error.
func readStream(body io.Reader, progress func(Progress)) (Outcome, error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l streamLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return Outcome{}, fmt.Errorf("line of the answer: %w", err)
		}
		if l.Progress != nil {
			progress(*l.Progress)
			continue
		}
		var out Outcome
		if l.Outcome != nil {
			out = *l.Outcome
		}
		if l.Error != "" {
			return out, &Error{Code: l.Code, Message: l.Error}
		}
		if l.Outcome == nil {
			return out, errors.New("line of the answer: neither progress nor outcome")
		}
		return out, nil
	}
	if err := lines.Err(); err != nil {
		return Outcome{}, err
	}
	return Outcome{}, io.ErrUnexpectedEOF
}
