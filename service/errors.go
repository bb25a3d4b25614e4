// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// The exit codes of a program that ends with [Exit].
const (
	ExitOK        = 0 // stopped as asked
	ExitFailed    = 1 // failed to start, INT, or a service's error ended the program
	ExitPanic     = 2 // the Go runtime's own for a panic
	ExitCut       = 3 // stopped as asked, but something was cut at the deadline
	ExitCrashLoop = 4 // gave up on a crash loop
)

// ErrShutdownTimeout is in the error of a launcher that stopped as asked but cut something at its
// deadline.
var ErrShutdownTimeout = errors.New("shutdown timeout")

// ErrInterrupted is in the error of a launcher that INT, or a second TERM, did not let drain.
var ErrInterrupted = errors.New("interrupted")

// An OptionError is a value that an option does not take.
type OptionError struct {
	Name  string // as the configuration file spells it
	Value any
	Want  string // what was expected
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("%s: %v: want %s", e.Name, e.Value, e.Want)
}

// A CycleError is an After that leads back to where it began.
type CycleError struct {
	Kind  string   // service or set
	Names []string // in order, the first again at the end
}

func (e *CycleError) Error() string {
	return fmt.Sprintf("%s order is a circle: %s", e.Kind, strings.Join(e.Names, " after "))
}

// A SignalsOwnedError is a second launcher that wants the signals of a process.
type SignalsOwnedError struct {
	Owner string // name of the launcher that has them
}

func (e *SignalsOwnedError) Error() string {
	return fmt.Sprintf("signals of this process belong to launcher %q already; use Options.Signals = SignalsIgnored", e.Owner)
}

// A ServiceError is what ended a service, with its name.
type ServiceError struct {
	Service string
	Op      string // construct, start, serve, shutdown, reset or check
	Err     error
}

func (e *ServiceError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Service, e.Err) }

// Unwrap returns what the service returned.
func (e *ServiceError) Unwrap() error { return e.Err }

// An ExitError is an error with the exit code that the program should end with.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// ExitCode returns the exit code that err, as returned by a launcher, stands for: 0 for nil, that of
// an [*ExitError] in its chain, else 1.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if e, ok := errors.AsType[*ExitError](err); ok {
		return e.Code
	}
	return ExitFailed
}

// Exit ends the program as err, returned by a launcher, asks: it prints one line to standard error
// unless err is nil, and exits with [ExitCode]. Call it last in main.
func Exit(err error) {
	if told := Refuse(err); err != nil && !told {
		said := make(chan struct{})
		go func() {
			defer close(said)
			fmt.Fprintf(os.Stderr, "%s: %v\n", programName(), err)
		}()
		select {
		case <-said:
		case <-time.After(time.Second): // nobody reads it
		}
	}
	os.Exit(ExitCode(err))
}
