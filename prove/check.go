// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bytes"
	"fmt"
)

// A checker compares a body with the one that is wanted, while it comes.
type checker struct {
	want  []byte // nil takes any
	n     int
	wrong bool
	first [64]byte
	kept  int
	keep  bool
	all   []byte // if keep
}

func (k *checker) take(b []byte) {
	if k.kept < len(k.first) {
		k.kept += copy(k.first[k.kept:], b)
	}
	if k.want != nil && (k.n+len(b) > len(k.want) || !bytes.Equal(b, k.want[k.n:k.n+len(b)])) {
		k.wrong = true
	}
	k.n += len(b)
	if k.keep {
		k.all = append(k.all, b...)
	}
}

func (k *checker) ok() bool { return k.want == nil || !k.wrong && k.n == len(k.want) }

// short reports whether it is the beginning of what is wanted.
func (k *checker) short() bool { return !k.wrong && k.n < len(k.want) }

// judge counts an answer that is whole. It is false if the answer belongs to another request, so that
// the next ones would too.
func (c *client) judge(r *request, h head, check *checker) bool {
	reused := c.conn.answers > 1
	f := Fault{Class: Wrong, Moment: Complete, Reused: reused}
	switch {
	case h.status != 200:
		f.Cause = Status
		c.failed(f, fmt.Sprintf("%s request %d: status %d", r.shape, r.serial, h.status))
		return true
	case check.ok():
		c.run.succeed(c, r)
	case check.short():
		f.Class, f.Cause = Truncated, Body
		c.failed(f, fmt.Sprintf("%s request %d: %d of %d bytes", r.shape, r.serial, check.n, len(r.want)))
	default:
		f.Cause = Body
		id, serial, ok := labelOf(check.first[:check.kept])
		switch {
		case ok && id == c.id && serial < r.serial:
			f.Class, f.Cause = Doubled, Answered
		case ok && id != c.id:
			f.Cause = Another
		}
		c.failed(f, fmt.Sprintf("%s request %d of client %d: answer %.40q", r.shape, r.serial, c.id, check.first[:check.kept]))
		return f.Cause == Body
	}
	if h.count > 1 {
		c.fault(Fault{Class: Doubled, Cause: Executed, Moment: Complete, Reused: reused}, fmt.Sprintf("%s request %d: executed %d times", r.shape, r.serial, h.count))
	}
	return true
}
