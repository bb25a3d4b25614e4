// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net/http"
	"time"
)

// A Rule is the rule of one connection, for schedules that stand in for net/http.
type Rule struct{ r rule }

// NewRule returns that of a connection that was accepted just now.
func NewRule() *Rule { return &Rule{rule{steps: 2}} }

func (r *Rule) Reads(size int)       { r.r.reads(size) }
func (r *Rule) Arrived()             { r.r.arrived() }
func (r *Rule) Sets()                { r.r.sets() }
func (r *Rule) Active()              { r.r.active() }
func (r *Rule) Rests()               { r.r.rests() }
func (r *Rule) Nudge() bool          { return r.r.nudge() }
func (r *Rule) End() bool            { return r.r.end() }
func (r *Rule) Leaves(size int) bool { return r.r.leaves(size) }
func (r *Rule) Leaving() bool        { return r.r.state.Load() == leaving }
func (r *Rule) Ending() bool         { return r.r.state.Load() == ending }
func (r *Rule) Moved() bool          { return r.r.state.Load() == moved }

// FormatExample writes a line in an access log format.
func FormatExample(format string) (string, error) {
	f, err := parseLogFormat(format)
	if err != nil {
		return "", err
	}
	x := &exchange{
		front:   &front{epoch: time.Unix(0, 0)},
		request: &http.Request{Method: "GET", RequestURI: "/", Proto: "HTTP/1.1", RemoteAddr: "192.0.2.1:1234"},
		status:  200, length: 13,
	}
	return string(f.append(nil, x, time.Unix(0, 1500000))), nil
}
