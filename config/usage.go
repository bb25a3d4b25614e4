// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"
	"strings"
)

// flagWidth is where the help of a flag begins; that of a longer one has a line of its own.
const flagWidth = 34

// Usage writes the flags of the command line with their help: what --help is for.
func (c *Config) Usage(w io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s [flags]\n", c.opts.Command)
	if c.opts.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", c.opts.Description)
	}
	b.WriteString("\nflags:\n")
	line := func(flag, help string) {
		if len(flag) > flagWidth {
			flag += "\n" + strings.Repeat(" ", flagWidth+2)
		}
		fmt.Fprintf(&b, "  %-*s %s\n", flagWidth, flag, help)
	}
	line("-h, --help", "this text")
	if c.opts.Version != "" {
		line("--version", "the version")
	}
	line("--config-file PATH", "configuration file; may be given again, the later wins")
	line("--config-dir DIR", "folder whose *.conf files are read in order; may be given again")
	for _, o := range c.ordered {
		if !o.CLI {
			continue
		}
		first, _, _ := strings.Cut(o.Help, "\n")
		line(o.usage(), first)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// usage is -s, --name VALUE or --flag, --noflag, with "-" in place of "_": both are taken.
func (o *option) usage() string {
	flag := "--" + dashed(o.flag())
	if o.Short != "" {
		flag = "-" + o.Short + ", " + flag
	}
	if o.isBool() {
		return flag + ", --" + dashed(cliName(o.group, "no", o.Name))
	}
	return flag + " " + strings.ToUpper(o.name)
}

func dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }
