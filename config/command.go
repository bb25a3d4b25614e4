// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// An UnknownError is a file with options that nobody declared, where that is asked for: see
// [Config.CheckUnknown].
type UnknownError []Unknown

// Error writes a line for each.
func (e UnknownError) Error() string {
	var lines []string
	for _, u := range e {
		lines = append(lines, u.String())
	}
	return strings.Join(lines, "\n")
}

// CheckUnknown returns an [UnknownError] if files have options that nobody declared: for a --strict.
func (c *Config) CheckUnknown() error {
	if us := c.Unknown(); len(us) > 0 {
		return UnknownError(us)
	}
	return nil
}

const commandUsage = `config sample              a commented file of all options, with help and defaults
config validate [--strict] read all files and say what is wrong; --strict refuses unknown options
config show [--json] [--set]
                           values in force and where each is from; --set leaves defaults out
config diff [FILE]         what differs from the values in FILE, which "config show --json" wrote, and
                           which changes need a reload; a daemon compares with the running one if
                           there is no FILE
All take the flags of the program, such as --config-file.
`

// Command is the config subcommand of a program, by one line in main, after the declarations and in
// place of Parse:
//
//	if done, err := conf.Command(os.Args[1:], os.Stdout); done { exit(err) }
//
// It does nothing and returns false unless args begin with config; args are those of the program,
// without its name. The subcommands start nothing:
//
//	config sample                 [Config.WriteSample]
//	config validate [--strict]    all errors, and unknown options, which are an error with --strict
//	config show [--json] [--set]  values in force and where each is from; --set leaves defaults out
//	config diff FILE              what differs from the values in FILE, which "config show --json" wrote
//
// Secrets are masked; diff cannot tell whether they differ.
func (c *Config) Command(args []string, stdout io.Writer) (done bool, err error) {
	if len(args) == 0 || args[0] != "config" {
		return false, nil
	}
	verbs := map[string]func([]string, io.Writer) error{
		"sample": c.commandSample, "validate": c.commandValidate, "show": c.commandShow, "diff": c.commandDiff,
	}
	help := func(i int) bool { return len(args) > i && (args[i] == "--help" || args[i] == "-h") }
	if len(args) == 1 || help(1) || verbs[args[1]] != nil && help(2) {
		_, err := io.WriteString(stdout, commandUsage)
		return true, err
	}
	verb, ok := verbs[args[1]]
	if !ok {
		return true, fmt.Errorf("config %s: want sample, validate, show or diff", args[1])
	}
	if err := verb(args[2:], stdout); err != nil && !errors.Is(err, ErrHelp) {
		return true, err
	}
	return true, nil
}

// cut removes a flag from arguments.
func cut(args []string, flag string) (rest []string, found bool) {
	rest = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == flag })
	return rest, len(rest) < len(args)
}

// parseCommand is Parse, and --help writes the usage.
func (c *Config) parseCommand(args []string, w io.Writer) error {
	err := c.Parse(args)
	if errors.Is(err, ErrHelp) {
		if _, err := io.WriteString(w, commandUsage); err != nil {
			return err
		}
	}
	return err
}

func (c *Config) commandSample(args []string, w io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("config sample: %s: no arguments are expected", args[0])
	}
	return c.WriteSample(w)
}

func (c *Config) commandValidate(args []string, w io.Writer) error {
	args, strict := cut(args, "--strict")
	err := c.parseCommand(args, w)
	if errors.Is(err, ErrHelp) {
		return err
	}
	for _, warning := range c.Snapshot().Warnings() {
		fmt.Fprintf(w, "warning: %v\n", warning)
	}
	unknown := c.Unknown()
	if strict && len(unknown) > 0 {
		return errors.Join(err, UnknownError(unknown))
	}
	for _, u := range unknown {
		fmt.Fprintf(w, "warning: %v\n", u)
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "%s: good\n", strings.Join(append(c.Snapshot().ns.paths, "configuration"), ", "))
	}
	return err
}

func (c *Config) commandShow(args []string, w io.Writer) error {
	args, asJSON := cut(args, "--json")
	args, set := cut(args, "--set")
	if err := c.parseCommand(args, w); err != nil {
		return err
	}
	settings := c.Snapshot().Settings()
	if set {
		settings = slices.DeleteFunc(settings, func(s Setting) bool { return s.At.Source <= FromSetDefault })
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(settings)
	}
	return writeSettings(w, settings)
}

// writeSettings writes them as a file, with the places as comments above.
func writeSettings(w io.Writer, settings []Setting) error {
	var b strings.Builder
	group := ""
	for _, s := range settings {
		if s.Group != group {
			if group = s.Group; b.Len() > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "[%s]\n", group)
		}
		fmt.Fprintf(&b, "# %v\n", s.At)
		if s.Unset {
			fmt.Fprintf(&b, "#%s = <None>\n", s.Option)
			continue
		}
		if s.Multi {
			for _, v := range s.Values {
				fmt.Fprintf(&b, "%s = %s\n", s.Option, indent(v))
			}
			continue
		}
		fmt.Fprintf(&b, "%s = %s\n", s.Option, indent(s.Value))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// indent writes a value of several lines, or with a "$", so that it is read as it is.
func indent(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "$", "$$"), "\n", "\n  ")
}

func (c *Config) commandDiff(args []string, w io.Writer) error {
	if len(args) == 0 {
		return errors.New("config diff: want a file that config show --json wrote")
	}
	data, err := c.opts.ReadFile(c.fixPath(args[0]))
	if err != nil {
		return fmt.Errorf("config diff: %w", err)
	}
	var running []Setting
	if err := json.Unmarshal(data, &running); err != nil {
		return fmt.Errorf("config diff: %s: %w", args[0], err)
	}
	if err := c.parseCommand(args[1:], w); err != nil {
		return err
	}
	for _, line := range CompareSettings(running, c.Snapshot().Settings()) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// CompareSettings returns a line for each option whose value differs: "api.port changed from [80] to
// [81] (needs a reload)". It is [Compare] for values that another process told. An option that only
// one side has is new or gone.
func CompareSettings(running, file []Setting) []string {
	old := map[key]Setting{}
	for _, s := range running {
		old[key{s.Group, s.Option}] = s
	}
	var lines []string
	for _, s := range file {
		k := key{s.Group, s.Option}
		was, ok := old[k]
		delete(old, k)
		switch {
		case !ok:
			lines = append(lines, fmt.Sprintf("%s is new: [%s]", k.dotted(), s.text()))
		case was.Unset != s.Unset || was.text() != s.text():
			how := "needs a reload"
			if s.Mutable {
				how = "mutable"
			}
			lines = append(lines, fmt.Sprintf("%s changed from [%s] to [%s] (%s)", k.dotted(), was.text(), s.text(), how))
		}
	}
	for _, s := range running {
		k := key{s.Group, s.Option}
		if _, gone := old[k]; gone {
			lines = append(lines, k.dotted()+" is gone")
		}
	}
	return lines
}

func (s Setting) text() string {
	if s.Unset {
		return "None"
	}
	if s.Multi {
		return strings.Join(s.Values, ", ")
	}
	return s.Value
}
