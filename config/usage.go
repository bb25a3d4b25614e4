// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"
	"strings"
)

// Usage writes the flags of the command line with their help: what --help is for.
func (c *Config) Usage(w io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s [flags]\n", c.opts.Program)
	if c.opts.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", c.opts.Description)
	}
	b.WriteString("\nflags:\n")
	line := func(flag, help string) { fmt.Fprintf(&b, "  %-34s %s\n", flag, help) }
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

// usage is -s, --name VALUE or --flag, --noflag.
func (o *option) usage() string {
	flag := "--" + o.flag()
	if o.Short != "" {
		flag = "-" + o.Short + ", " + flag
	}
	if o.isBool() {
		return flag + ", --" + cliName(o.group, "no", o.Name)
	}
	return flag + " " + strings.ToUpper(o.name)
}
