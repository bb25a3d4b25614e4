// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/mainstay-go/mainstay/control"
)

// A progressPrinter prints a line for each set that has come further, as "api 1/4 ready", and one for each
// step that has no sets.
type progressPrinter struct {
	w    io.Writer
	last map[string]string // line by set
}

func newProgressPrinter(w io.Writer) *progressPrinter {
	return &progressPrinter{w, make(map[string]string)}
}

func (p *progressPrinter) print(now control.Progress) {
	if len(now.Sets) == 0 {
		p.line("", now.String())
	}
	for _, set := range now.Sets {
		p.line(set.Set, set.String())
	}
	if now.Step == "returning" {
		p.line("", now.Action+" returning to what ran before")
	}
}

func (p *progressPrinter) line(key, text string) {
	if p.last[key] == text {
		return
	}
	p.last[key] = text
	fmt.Fprintln(p.w, text)
}

// isTerminal reports whether somebody looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	null, err := os.Stat(os.DevNull)
	st, ferr := f.Stat()
	return err == nil && ferr == nil && st.Mode()&os.ModeCharDevice != 0 && !os.SameFile(st, null)
}
