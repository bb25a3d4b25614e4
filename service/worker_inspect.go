// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mainstay-go/mainstay/internal/memfd"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// What a worker shows travels in the message up to this size, beyond it in a memory file.
const maxInline = wire.MaxPacket / 2

// sendPause is the time between two tries to send to a launcher that has no room.
const sendPause = 5 * time.Millisecond

// A worker's answer to [wire.Inspect] is one of these.
type workerShows struct {
	Kinds    []string  `json:"kinds,omitempty"`
	Findings []finding `json:"findings,omitempty"`
}

// inspect answers what the launcher asks of the services. It is late by no more than what it was given,
// whatever a service does.
func (w *worker) inspect(running context.Context, m wire.Message) {
	timeout := time.Duration(m.Timeout)
	if timeout <= 0 {
		timeout = inspectTimeout
	}
	ctx, cancel := context.WithTimeout(running, timeout)
	defer cancel()
	var shows workerShows
	if m.Name == "" {
		shows.Kinds = w.desk.kinds(ctx, w.group.sources(""))
	} else {
		shows.Findings = w.desk.findings(ctx, w.group.sources(""), m.Name)
	}
	w.answer(running, wire.Message{Type: wire.Done, Re: m.ID}, shows)
}

// answer sends m with v as its body, while the worker runs.
func (w *worker) answer(running context.Context, m wire.Message, v any) {
	var fds []int
	defer func() { closeAll(fds) }()
	data, err := json.Marshal(v)
	switch {
	case err != nil:
		m.Error = clip(err.Error())
	case len(data) <= maxInline:
		m.Body = data
	case len(data) > memfd.MaxSize:
		m.Error = "what the services show is too large"
	default:
		fd, err := memfd.Write("mainstay-shows", data)
		if err != nil {
			m.Error = clip(err.Error())
			break
		}
		fds = append(fds, fd)
	}
	for errors.Is(w.self.Conn().Send(m, fds...), wire.ErrFull) {
		select {
		case <-time.After(sendPause):
		case <-running.Done():
			return
		}
	}
}
