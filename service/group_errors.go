// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import "strings"

// A cutError names the services that a deadline cut.
type cutError struct {
	cut  []string
	left []string // those of cut that still run
}

func (e *cutError) Error() string {
	text := ErrShutdownTimeout.Error()
	if e.cut != nil {
		text += ": cut " + strings.Join(e.cut, ", ")
	}
	if e.left != nil {
		text += ": still running " + strings.Join(e.left, ", ")
	}
	return text
}

func (e *cutError) Unwrap() error { return ErrShutdownTimeout }

// joinErrors is errors.Join in one line.
func joinErrors(errs ...error) error {
	var list errorList
	for _, err := range errs {
		if err != nil {
			list = append(list, err)
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return list
}

// An errorList is several errors in one line: they end up as the last line of a program.
type errorList []error

func (l errorList) Error() string {
	texts := make([]string, len(l))
	for i, err := range l {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (l errorList) Unwrap() []error { return l }
