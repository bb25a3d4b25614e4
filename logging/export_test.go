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

// ParseFormat checks a format string for lines. It is read as one with any keys too, to no avail.
func ParseFormat(text string) error {
	parseFormat(text, nil)
	_, err := parseFormat(text, lineKeys)
	return err
}

// ParseDate checks a format of strftime(3).
func ParseDate(text string) error {
	_, err := parseDate(text)
	return err
}
