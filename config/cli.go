// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"regexp"
	"strings"
)

// read reads what the command line names, in its order. As in oslo.config, default files come first,
// then default folders, then the command line from left to right: a value behind --config-file wins
// over the file, one before it does not.
func (c *Config) read() (*namespace, error) {
	ns := &namespace{cli: map[key]found{}, lastDir: c.dirs}
	if !hasFlag(c.args, "--config-file") {
		for i, file := range c.files {
			if i > 0 && file == c.files[0] {
				continue // project and program of one name
			}
			c.readNamed(ns, file)
		}
	}
	if !hasFlag(c.args, "--config-dir") {
		for _, dir := range c.dirs {
			c.readDir(ns, dir, false)
		}
	}
	p := argParser{config: c, ns: ns, flags: c.flags(), args: c.args}
	return ns, p.run()
}

func (c *Config) readNamed(ns *namespace, file string) {
	ns.named = append(ns.named, file)
	c.readFile(ns, file)
}

func hasFlag(args []string, flag string) bool {
	for _, a := range args {
		if a == flag || strings.HasPrefix(a, flag+"=") {
			return true
		}
	}
	return false
}

// A flag is what a name on the command line does.
type flag struct {
	option *option // nil for --config-file and --config-dir
	value  bool    // for a Bool
}

// flag is the name of an option on the command line.
func (o *option) flag() string { return cliName(o.group, "", o.Name) }

// cliName returns name, noname, group-name or group-noname.
func cliName(group, no, name string) string {
	if group == Default {
		return no + name
	}
	return group + "-" + no + name
}

// flags returns the flags by name, "_" in place of "-": both may be written.
func (c *Config) flags() map[string]flag {
	flags := map[string]flag{"config_file": {}, "config_dir": {}}
	for _, o := range c.ordered {
		if !o.CLI {
			continue
		}
		for _, n := range o.names {
			flags[destination(cliName(n.group, "", n.name))] = flag{o, true}
			if o.isBool() {
				flags[destination(cliName(n.group, "no", n.name))] = flag{o, false}
			}
		}
		if o.Short != "" {
			flags["-"+o.Short] = flag{o, true}
		}
	}
	return flags
}

func (o *option) isBool() bool {
	_, ok := o.Type.(Bool)
	return ok && !o.Multi
}

// An argParser follows Python's argparse as oslo.config sets it up, without abbreviated flags.
type argParser struct {
	config *Config
	ns     *namespace
	flags  map[string]flag
	args   []string
	stray  bool // the flag before is unknown: what follows may be its value, and a secret
}

func (p *argParser) run() error {
	for len(p.args) > 0 {
		arg, stray := p.args[0], p.stray
		p.args, p.stray = p.args[1:], false
		switch {
		case arg == "--help" || arg == "-h":
			return ErrHelp
		case arg == "--version" && p.config.opts.Version != "":
			return ErrVersion
		case arg == "--":
			p.positional(p.args...)
			return nil
		case strings.HasPrefix(arg, "--"):
			name, value, has := strings.Cut(arg[2:], "=")
			p.take("--"+name, destination(name), value, has)
		case isFlag(arg):
			// -d, -dvalue, -d value
			p.take(arg[:2], arg[:2], arg[2:], len(arg) > 2)
		case !stray:
			p.positional(arg)
		}
	}
	return nil
}

func (p *argParser) positional(args ...string) {
	for _, a := range args {
		if !p.config.opts.AllowArgs {
			p.fail(a, "not a flag: nothing is expected here")
			continue
		}
		p.ns.rest = append(p.ns.rest, a)
	}
}

func (p *argParser) fail(name, text string) {
	p.ns.errs = append(p.ns.errs, &FlagError{name, text})
}

func (p *argParser) take(shown, name, value string, has bool) {
	f, ok := p.flags[name]
	if !ok {
		text := "no such flag"
		if best := nearest(name, sortedKeys(p.flags)); best != "" {
			text += "; nearest is --" + strings.ReplaceAll(best, "_", "-")
		}
		p.fail(shown, text)
		p.stray = !has
		return
	}
	if f.option != nil && f.option.isBool() {
		if has {
			p.fail(shown, "takes no value: write it alone, or its inverse")
			return
		}
		p.ns.addCLI(f.option, found{flag: &f.value, at: Location{Source: FromCommandLine}, name: f.option.key})
		return
	}
	if !has {
		if len(p.args) == 0 || isFlag(p.args[0]) {
			p.fail(shown, "wants a value")
			return
		}
		value, p.args = p.args[0], p.args[1:]
	}
	switch {
	case f.option != nil:
		p.ns.addCLI(f.option, found{texts: []string{value}, at: Location{Source: FromCommandLine}, name: f.option.key})
	case name == "config_file":
		p.config.readNamed(p.ns, value)
	default:
		p.ns.dirs, p.ns.lastDir = append(p.ns.dirs, value), []string{value}
		p.config.readDir(p.ns, value, true)
	}
}

var negative = regexp.MustCompile(`^-\d+$|^-\d*\.\d+$`)

// isFlag reports whether argparse takes an argument for a flag rather than for a value: "-", negative
// numbers and what has a blank in it are values.
func isFlag(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && !negative.MatchString(arg) && (!strings.Contains(arg, " ") || strings.HasPrefix(arg, "--") && strings.Contains(arg, "="))
}
