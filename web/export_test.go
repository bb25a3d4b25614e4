// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net/http"
	"time"
)

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
