// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

// NewAt is New with the daemons of the machine elsewhere.
func NewAt(o Options, p Process, journal string, syslog ...string) (*Log, error) {
	return newLog(o, p, places{journal, syslog})
}

// SetMegabyte makes max_logfile_size_mb count smaller units, until the function it returns is called.
func SetMegabyte(n int64) (restore func()) {
	was := megabyte
	megabyte = n
	return func() { megabyte = was }
}

// ParseFormat checks a format string for lines, and one with any keys.
func ParseFormat(text string) error {
	if _, err := parseFormat(text, lineKeys); err != nil {
		return err
	}
	_, err := parseFormat(text, nil)
	return err
}

// ParseDate checks a format of strftime(3).
func ParseDate(text string) error {
	_, err := parseDate(text)
	return err
}
