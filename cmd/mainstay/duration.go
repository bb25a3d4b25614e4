// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"
	"time"
)

// durationFlag is a flag of 30s, 2m or plain seconds, as durations are written in nova.conf.
type durationFlag time.Duration

func (d *durationFlag) String() string { return time.Duration(*d).String() }
func (d *durationFlag) Type() string   { return "duration" }

func (d *durationFlag) Set(text string) error {
	v, err := parseDuration(text)
	if err == nil {
		*d = durationFlag(v)
	}
	return err
}

// maxDuration is where a number of seconds is a mistake: 100 years.
const maxDuration = 100 * 365 * 24 * time.Hour

func parseDuration(text string) (time.Duration, error) {
	v, err := time.ParseDuration(text)
	if seconds, convErr := strconv.ParseInt(text, 10, 32); convErr == nil {
		v, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || v < 0 || v > maxDuration {
		return 0, errors.New("want 30s, 2m or a number of seconds")
	}
	return v, nil
}
