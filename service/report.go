// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// maxStacks bounds the goroutine stacks in a report.
const maxStacks = 4 << 20

// writeReport writes a diagnostic report as one write: a title, what the caller knows, and the stacks
// of all goroutines of this process.
func writeReport(w io.Writer, program, part, body string) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "==== report of %s, %s, pid %d, %s ====\n", program, part, os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	fmt.Fprintf(&b, "%s, %d goroutines, GOMAXPROCS %d\n", runtime.Version(), runtime.NumGoroutine(), runtime.GOMAXPROCS(0))
	b.WriteString(body)
	stacks := make([]byte, 64<<10)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) || len(stacks) >= maxStacks {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	b.Write(stacks)
	fmt.Fprintf(&b, "\n==== end of report of pid %d ====\n", os.Getpid())
	w.Write(b.Bytes())
}
