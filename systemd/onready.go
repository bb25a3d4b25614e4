// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"
)

// An Answer is what [OnReady] heard. Its numbers are the exit codes of oslo.service's onready.
type Answer int

// The answers.
const (
	AnswerReady   Answer = iota // exactly READY=1
	AnswerOther                 // another message
	AnswerTimeout               // nothing before the context ended
)

// String returns the answer in a word: ready, other or timeout.
func (a Answer) String() string {
	switch a {
	case AnswerReady:
		return "ready"
	case AnswerOther:
		return "other"
	case AnswerTimeout:
		return "timeout"
	}
	return "unknown"
}

// maxMessage is how much of a message is looked at.
const maxMessage = 512

// OnReady is the other end of [Notify], for programs and tests that start a daemon: it binds addr, a
// path or @name, waits for one message until ctx ends, and says what it was. The daemon gets addr as
// $NOTIFY_SOCKET. A file that OnReady made is removed again. The error is one of binding or reading.
func OnReady(ctx context.Context, addr string) (Answer, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		return AnswerOther, fmt.Errorf("onready %s: %w", addr, cause(err))
	}
	defer conn.Close()
	if addr != "" && addr[0] != '@' {
		defer os.Remove(addr)
	}
	// An expired deadline is the one way to wake a reader; the context decides what it means.
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()

	buf := make([]byte, maxMessage)
	n, err := conn.Read(buf)
	switch {
	case err != nil && ctx.Err() != nil:
		return AnswerTimeout, nil
	case err != nil:
		return AnswerOther, fmt.Errorf("onready %s: %w", addr, cause(err))
	case string(buf[:n]) == Ready:
		return AnswerReady, nil
	}
	return AnswerOther, nil
}
