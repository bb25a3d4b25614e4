// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bufio"
	"io"
	"time"
)

// ReadAnswer reads one answer with its body.
func ReadAnswer(r io.Reader) (status int, body []byte, closes bool, err error) {
	in := bufio.NewReaderSize(r, maxLine)
	h, err := readHead(in)
	if err == nil {
		err = readBody(in, h, func(b []byte) { body = append(body, b...) })
	}
	return h.status, body, h.closes, err
}

// LatencyOf sums up durations.
func LatencyOf(all ...time.Duration) Latency {
	var h histogram
	for _, d := range all {
		h.add(d)
	}
	return h.latency()
}

// BodyOf is what a client posts.
var BodyOf, LabelOf = body, labelOf
