// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteReference writes all options as Markdown, for a manual: a section for each group, a paragraph
// for each option. What it writes depends on the declarations and SetDefault only, so that a check can
// compare it with the file in the manual.
func (c *Config) WriteReference(w io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, group := range c.reg.groups {
		if c.reg.help[group] == "" && !slices.ContainsFunc(c.ordered, func(o *option) bool { return o.group == group && o.builtin == nil }) {
			continue
		}
		fmt.Fprintf(&b, "## [%s]\n\n", group)
		if help := c.reg.help[group]; help != "" {
			fmt.Fprintf(&b, "%s\n\n", help)
		}
		for _, o := range c.ordered {
			if o.group == group && o.builtin == nil {
				c.writeReference(&b, o)
			}
		}
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

func (c *Config) writeReference(b *strings.Builder, o *option) {
	fmt.Fprintf(b, "### %s\n\n", o.name)
	if o.CLI {
		fmt.Fprintf(b, "On the command line: `%s`\n\n", o.usage())
	}
	for i, text := range o.describe() {
		switch {
		case i == 0:
			b.WriteString(text + "\n\n") // help, which may be Markdown
		case text != "":
			fmt.Fprintf(b, "    %s\n", text)
		}
	}
	for _, text := range c.sampleDefaults(o) {
		fmt.Fprintf(b, "    %s\n", strings.TrimRight(o.name+" = "+text, " "))
	}
	b.WriteByte('\n')
}
