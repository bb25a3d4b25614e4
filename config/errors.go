// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrHelp and ErrVersion are returned by [Config.Parse] for --help and --version, with nothing else
// done. The program writes [Config.Usage] or its version and ends.
var (
	ErrHelp    = errors.New("help requested")
	ErrVersion = errors.New("version requested")
)

// Errors are all faults of a configuration, in the order of files and lines; never empty. Each is a
// *[ValueError], a *[SyntaxError], a *[FileError], a *[RequiredError] or a *[FlagError], or what
// [Options].Validate returned.
type Errors []error

// Error writes a line for each.
func (es Errors) Error() string {
	var lines []string
	for _, e := range es {
		lines = append(lines, e.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes [errors.As] and [errors.Is] find each of them.
func (es Errors) Unwrap() []error { return es }

// sorted returns es by source, file and line, or nil for none.
func (es Errors) sorted(files []string) error {
	if len(es) == 0 {
		return nil
	}
	rank := func(e error) (int, int) {
		file, line := "", 0
		var (
			v *ValueError
			s *SyntaxError
		)
		if errors.As(e, &v) {
			file, line = v.At.File, v.At.Line
		} else if errors.As(e, &s) {
			file, line = s.File, s.Line
		}
		i := slices.Index(files, file)
		if i < 0 {
			i = len(files)
		}
		return i, line
	}
	slices.SortStableFunc(es, func(a, b error) int {
		fa, la := rank(a)
		fb, lb := rank(b)
		if fa != fb {
			return fa - fb
		}
		return la - lb
	})
	return es
}

// A ValueError is a value that its option does not take.
type ValueError struct {
	Group, Option string
	At            Location // where the value comes from
	Value         string   // as given, before interpolation; "****" for a secret
	Want          string   // "want ..." or what else is wrong
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%v: [%s] %s = %q: %s", e.At, e.Group, e.Option, e.Value, e.Want)
}

// A SyntaxError is a line of a file that is not in the grammar. It does not quote the line, which may
// be the rest of a secret.
type SyntaxError struct {
	File string
	Line int
	Text string // what is wrong, what was expected
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// A FileError is a file or folder that was asked for and cannot be read.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("read configuration %s: %v", e.Path, e.Err) }

// Unwrap returns the cause, such as [io/fs.ErrNotExist].
func (e *FileError) Unwrap() error { return e.Err }

// A RequiredError is an option that must have a value and has none.
type RequiredError struct{ Group, Option string }

func (e *RequiredError) Error() string {
	return fmt.Sprintf("[%s] %s: a value is required", e.Group, e.Option)
}

// A FlagError is an argument that the command line does not take.
type FlagError struct {
	Flag string // without a value
	Text string // what is wrong
}

func (e *FlagError) Error() string { return fmt.Sprintf("argument %s: %s", e.Flag, e.Text) }

// A DuplicateError is an option that is declared twice, differently.
type DuplicateError struct{ Group, Option string }

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("option [%s] %s is declared twice, differently", e.Group, e.Option)
}

// A NoSuchOptionError is the use of an option that nobody declared.
type NoSuchOptionError struct{ Group, Option string }

func (e *NoSuchOptionError) Error() string {
	return fmt.Sprintf("no such option: [%s] %s", e.Group, e.Option)
}
