// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"html"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// maxStacks bounds what a detailed report says of goroutines, in bytes.
const maxStacks = 1 << 20

func healthText(results []Health) string {
	reasons := make([]string, 0, len(results))
	for _, result := range results {
		if result.Reason != "" {
			reasons = append(reasons, result.Reason)
		}
	}
	return strings.Join(reasons, "\n")
}

// healthJSON has the keys in order, and indents as Python's json module does. A detailed report has
// Go's facts in the places of Python's.
func healthJSON(results []Health, detailed bool) string {
	var b strings.Builder
	b.WriteString("{\n    \"detailed\": " + strconv.FormatBool(detailed))
	if detailed {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.WriteString(",\n    \"gc\": {\n        \"cycles\": " + strconv.Itoa(int(m.NumGC)) +
			",\n        \"heap_bytes\": " + strconv.FormatUint(m.HeapAlloc, 10) +
			",\n        \"next_bytes\": " + strconv.FormatUint(m.NextGC, 10) + "\n    }")
		b.WriteString(",\n    \"go_version\": " + string(jsonString(runtime.Version())))
		b.WriteString(",\n    \"now\": " + string(jsonString(now())))
		b.WriteString(",\n    \"platform\": " + string(jsonString(platform())))
	}
	b.WriteString(",\n    \"reasons\": [")
	for i, result := range results {
		if i > 0 {
			b.WriteByte(',')
		}
		if detailed {
			b.WriteString("\n        {\n            \"class\": \"HealthcheckResult\",\n            \"details\": " + string(jsonString(result.Details)) +
				",\n            \"reason\": " + string(jsonString(result.Reason)) + "\n        }")
		} else {
			b.WriteString("\n        " + string(jsonString(result.Reason)))
		}
	}
	if len(results) > 0 {
		b.WriteString("\n    ")
	}
	b.WriteByte(']')
	if detailed {
		b.WriteString(",\n    \"threads\": [")
		for i, stack := range stacks() {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("\n        " + string(jsonString(stack)))
		}
		b.WriteString("\n    ]")
	}
	b.WriteString("\n}")
	return b.String()
}

const tableHead = "<TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n"

// healthHTML is the page of the original, blanks and all.
func healthHTML(results []Health, detailed bool) string {
	var b strings.Builder
	b.WriteString("<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n")
	if detailed {
		b.WriteString("<H1>Server status</H1>\n")
		if host, err := os.Hostname(); err == nil {
			b.WriteString("<B>Server hostname:</B><PRE>" + html.EscapeString(host) + "</PRE>")
		}
		b.WriteString("\n<B>Current time:</B><PRE>" + now() + "</PRE>\n<B>Go version:</B><PRE>" + html.EscapeString(runtime.Version()) +
			"</PRE>\n<B>Platform:</B><PRE>" + html.EscapeString(platform()) + "</PRE>\n<HR></HR>")
	}
	b.WriteString("\n<H2>Result of " + strconv.Itoa(len(results)) + " checks:</H2>\n" + tableHead + "<TR>\n")
	if detailed {
		b.WriteString("<TH>\nKind\n</TH>\n<TH>\nReason\n</TH>\n<TH>\nDetails\n</TH>\n\n</TR>\n")
	} else {
		b.WriteString("\n<TH>\nReason\n</TH>\n</TR>\n")
	}
	for _, result := range results {
		if result.Reason == "" {
			continue
		}
		b.WriteString("<TR>\n")
		if detailed {
			b.WriteString("<TD>HealthcheckResult</TD>")
		}
		b.WriteString("\n    <TD>" + html.EscapeString(result.Reason) + "</TD>\n")
		if detailed {
			b.WriteString("<TD>" + html.EscapeString(result.Details) + "</TD>")
		}
		b.WriteString("\n</TR>")
	}
	b.WriteString("\n</TBODY>\n</TABLE>\n<HR></HR>\n")
	if detailed {
		all := stacks()
		b.WriteString("<H2>" + strconv.Itoa(len(all)) + " thread(s) active:</H2>\n" + tableHead)
		for _, stack := range all {
			b.WriteString("<TR>\n    <TD><PRE>" + html.EscapeString(stack) + "</PRE></TD>\n</TR>")
		}
		b.WriteString("\n</TBODY>\n</TABLE>")
	}
	b.WriteString("\n</BODY>\n</HTML>")
	return b.String()
}

// stacks returns those of the goroutines, the last one perhaps cut.
func stacks() []string {
	buf := make([]byte, maxStacks)
	return strings.Split(strings.TrimSpace(string(buf[:runtime.Stack(buf, true)])), "\n\n")
}

func now() string { return time.Now().UTC().Format("2006-01-02 15:04:05.000000") }

func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }
