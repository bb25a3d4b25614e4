// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

func logChange(l *slog.Logger, level slog.Level, msg string, ch Change) {
	old, new := ch.Texts()
	l.Log(context.Background(), level, msg, "option", ch.Group+"."+ch.Option, "old", old, "new", new, "at", ch.At.String())
}

// LogValues logs all options with their values, a line each, secrets masked, as oslo.config's
// log_opt_values does: sorted by name, those of DEFAULT first, between lines of 80 asterisks. Other
// than there, secrets on the command line are masked too.
func (c *Config) LogValues(logger *slog.Logger, level slog.Level) {
	s := c.Snapshot()
	line := func(format string, args ...any) {
		logger.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
	line("%s", strings.Repeat("*", 80))
	line("Configuration options gathered from:")
	line("command line args: %s", pyRepr(c.maskedArgs()))
	var files []any
	for _, f := range s.Files() {
		files = append(files, f)
	}
	line("config files: %s", pyRepr(append([]any{}, files...)))
	line("%s", strings.Repeat("=", 80))
	options := slices.Clone(s.ordered)
	slices.SortStableFunc(options, func(a, b *option) int {
		if a.group != b.group {
			return 0 // in the order of declaration
		}
		return strings.Compare(a.name, b.name)
	})
	for _, o := range options {
		e := s.entries[o.key]
		name := o.name
		if o.group != Default {
			name = o.dotted()
		}
		value := o.text(e.value)
		if e.err != nil {
			value = "<refused>"
		} else if o.Secret {
			value = mask // unset or not is a secret too, as upstream has it
		}
		line("%-30s = %s", name, value)
	}
	line("%s", strings.Repeat("*", 80))
}

// maskedArgs returns the command line with the values of secret options masked.
func (c *Config) maskedArgs() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	flags := c.flags()
	secret := func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		f, ok := flags[destination(name)]
		if !ok && len(arg) > 1 {
			f = flags[arg[:2]]
		}
		return f.option != nil && f.option.Secret
	}
	out := []any{}
	masked := false
	for _, arg := range c.args {
		switch {
		case masked:
			arg, masked = mask, false
		case !isFlag(arg) || !secret(arg):
		case strings.HasPrefix(arg, "--"):
			name, _, has := strings.Cut(arg, "=")
			if masked = !has; has {
				arg = name + "=" + mask
			}
		default:
			if masked = len(arg) == 2; !masked {
				arg = arg[:2] + mask
			}
		}
		out = append(out, arg)
	}
	return out
}
