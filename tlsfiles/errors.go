// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// An Error is what is wrong with a file.
type Error struct {
	Option string // that names the file: cert_file, key_file, ca_file or certificate_pair
	File   string
	Err    error // errors.Is finds fs.ErrNotExist and fs.ErrPermission in it
}

// Error says it in one line; of a file that is not there in upstream's words.
func (e *Error) Error() string {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return fmt.Sprintf("Unable to find %s : %s", e.Option, e.File)
	}
	why := e.Err
	if pe, ok := errors.AsType[*fs.PathError](why); ok {
		why = pe.Err // without the path once more
	}
	return fmt.Sprintf("%s %s: %v", e.Option, e.File, why)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// problems are several errors in one line.
type problems []error

func (p problems) Error() string {
	texts := make([]string, len(p))
	for i, err := range p {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (p problems) Unwrap() []error { return p }

// join returns nil for none, and a single one as it is.
func (p problems) join() error {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return p[0]
	}
	return p
}
