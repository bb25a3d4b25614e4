// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Class is a sort of fault.
type Class string

const (
	Lost      Class = "lost"      // no byte of an answer came
	Truncated Class = "truncated" // an answer began, and was cut
	Wrong     Class = "wrong"     // a whole answer, but not the one to the request
	Doubled   Class = "doubled"   // a request was answered or executed twice
)

// A Cause is what a client saw of a fault.
type Cause string

const (
	Refused   Cause = "refused"   // nobody listens
	Full      Cause = "full"      // the accept queue of a unix socket was full
	Reset     Cause = "reset"     // connection reset, or broken pipe
	EOF       Cause = "EOF"       // connection closed in order
	Timeout   Cause = "timeout"   // nothing for as long as Load.Timeout
	GoAway    Cause = "GOAWAY"    // HTTP/2: the server took it, and gave it up
	Status    Cause = "status"    // not 200
	Body      Cause = "body"      // not the body wanted
	Another   Cause = "another's" // the body of another client
	Protocol  Cause = "protocol"  // not HTTP/1
	Stray     Cause = "stray"     // bytes that nobody asked for, and no answer
	Answered  Cause = "answered"  // a second answer
	Executed  Cause = "executed"  // the server counted a second execution
	OtherKind Cause = "other"
)

// A Moment is how far a request was when its fault was seen.
type Moment string

const (
	Dialing   Moment = "dialing"       // or in the TLS handshake
	Unsent    Moment = "unsent"        // connected, nothing sent
	HalfSent  Moment = "half sent"     // a part of the request
	Sent      Moment = "sent"          // and no byte of an answer
	Answering Moment = "half answered" // a part of the answer has come
	Complete  Moment = "complete"      // the answer was whole
	Idle      Moment = "idle"          // no request of the connection was under way
)

// A Fault is a number of faults of one kind.
type Fault struct {
	Class  Class  `json:"class"`
	Cause  Cause  `json:"cause"`
	Moment Moment `json:"moment"`
	Reused bool   `json:"reused"` // the connection had an answer before
	During string `json:"during"` // names of the disturbances under way, joined by +
	// Excused says that the worker that had the request in its hands was killed by a disturbance.
	Excused bool   `json:"excused"`
	Count   uint64 `json:"count"`
	First   string `json:"first"` // what was seen the first time, and when
}

// String says what happened, without how often.
func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s", f.Class, f.Cause, f.Moment)
	if f.Moment != Dialing {
		b.WriteString(map[bool]string{true: ", kept connection", false: ", new connection"}[f.Reused])
	}
	if f.During != "" {
		fmt.Fprintf(&b, ", during %s", f.During)
	}
	if f.Excused {
		b.WriteString(", in a killed worker's hands")
	}
	return b.String()
}

// kind is f without what differs from one fault to the next.
func (f Fault) kind() Fault {
	f.Count, f.First = 0, ""
	return f
}

// A ledger counts faults by kind.
type ledger struct {
	mu     sync.Mutex
	counts map[Fault]*Fault // by kind
}

func (l *ledger) add(f Fault, since time.Duration, detail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.counts[f.kind()]
	if have == nil {
		if l.counts == nil {
			l.counts = make(map[Fault]*Fault)
		}
		f.First = fmt.Sprintf("at %v: %s", since.Round(time.Millisecond), detail)
		have = &f
		l.counts[f.kind()] = have
	}
	have.Count++
}

// faults returns what was counted, the same kinds always in the same order.
func (l *ledger) faults() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Fault
	for _, f := range l.counts {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Fault) int { return cmp.Compare(a.String(), b.String()) })
	return all
}

// causeOf sorts the errors of a connection.
func causeOf(err error) Cause {
	var timeout net.Error
	var form *formError
	switch {
	case errors.As(err, &form):
		return Protocol
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return EOF
	case errors.Is(err, syscall.EAGAIN):
		return Full
	case errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	}
	return OtherKind
}
