// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package config reads the configuration of a daemon: options that packages declare, from the command
// line, the environment and the files that nova, neutron and every oslo.config program use, with the
// same results.
//
// A package declares what it can be told as a struct, and a program registers it in a group:
//
//	type Options struct {
//		Listen  string        `config:"listen" default:"0.0.0.0" help:"Address to serve on."`
//		Workers *int          `config:"workers" min:"1" help:"Processes; unset: as many as CPUs."`
//		Timeout time.Duration `config:"timeout,mutable" default:"900"`
//	}
//
//	conf := config.New(config.Options{Project: "nova", ReadFile: service.ReadFile, ReadDir: service.ReadDir})
//	err := conf.Register("wsgi", Options{})
//	...
//	err = conf.Parse(os.Args[1:])
//	...
//	opts := config.Get[Options](conf, "wsgi")
//
// There is no global state. Values are read from a [Snapshot], which never changes; [Config.Reload] and
// [Config.Mutate] put another in its place. A program that reads all it needs from one Snapshot never
// sees half of a change.
//
// # Sources
//
// The first of these that has an option wins:
//
//  1. [Config.SetOverride]
//  2. the command line: --name VALUE or --name=VALUE, --group-name for options outside of DEFAULT, --flag
//     and --noflag, --group-noflag for a Bool; "-" and "_" are the same here, and names are not abbreviated
//  3. the environment: OS_<GROUP>__<NAME>, OS_DEFAULT__DEBUG
//  4. files: --config-file and --config-dir, as often as wanted, the later wins
//  5. [Config.SetDefault]
//  6. the default of the declaration
//
// Without --config-file, the first <project>.conf and the first <program>.conf are read that are found
// in ~/.<project>, ~, /etc/<project>, /etc and, in a snap, $SNAP_COMMON/etc/<project> and
// $SNAP/etc/<project>. Without --config-dir it is <project>.conf.d and <program>.conf.d in the same
// places. Of a folder, the files *.conf are read in the order of their names. A file or folder that was
// named and is not there is an error.
//
// # Errors
//
// All errors are found at once and each says file, line, option, value and what was expected: see
// [Errors]. oslo.config finds a wrong value when it is used; here it is found by Parse, Reload and
// Mutate, and then nothing changes. Values of secret options are never shown, nor is a line that is not
// in the grammar.
//
// Options that nobody declared are no errors: another program may share the file. [Config.Unknown] lists
// them.
//
// # What surprises in oslo.config
//
// These are its rules, observed by running version 9.0.0, and kept: a corpus of several hundred files
// is read by both.
//
//   - A comment begins in the first column. "debug = true # yes" is the value "true # yes".
//   - A line that begins with a blank continues the value before it, joined by a newline; so does an
//     indented comment.
//   - Quotes around a value are removed, one pair. A quote alone is an empty value.
//   - Groups are found in any case, but DEFAULT in capitals only. The names of options have their case.
//   - The file has "_" where the declaration has "-": host-name = x is unknown, host_name = x works.
//     [Config.Unknown] points at it. Deprecated names with "-" work in both spellings.
//   - Empty text is unset for numbers, not the default. Fields of a struct that are no pointers cannot
//     say so, and refuse it.
//   - The last line wins for an option that comes again; a Multi option has all values, earlier files
//     first.
//   - Of a list, commas at the end are dropped, empty items elsewhere stay.
//   - In one file the new name of an option wins over a deprecated one; a later file wins over an earlier
//     one under any name.
//   - "$name" is searched for in the option's group, then in DEFAULT; "$a.b" is option b of group a always,
//     so that a host name needs braces: ${host}.example.com. "$$" and "\$" are a "$". Unset is "". An
//     unknown name refuses the option that has it.
//   - A value on the command line before --config-file loses to that file, one behind it wins. Default
//     files and folders are read before the command line; so --config-file wins over the files in a
//     default folder.
//
// # Where this package decides otherwise
//
//   - The command line wins over the environment always. In oslo.config the environment wins if the
//     option is in a file, too: against its own documentation, and an operator who types a flag means it.
//   - A variable for a Multi option is one value. oslo.config takes it letter by letter.
//   - Integers have 64 bits; digits are ASCII.
//   - A default file that is found both as <project>.conf and as <program>.conf is read once.
//   - A circle of "$name" is an error that says so, and not a RecursionError.
//   - A refused value is an error at once; see above.
//   - Mutate and Diff compare values, not texts, and mask secrets in the log.
//   - Other sources than files ([DEFAULT] config_source) are not supported: the option is unknown.
//
// # Reload and mutate
//
// [Config.Reload] takes all new values, [Config.Mutate] those of options that are declared mutable. Both
// read and validate everything before anything changes. A program whose launcher starts workers gives
// ReadFile and, where it uses folders, ReadDir functions that answer from the launcher's snapshot.
package config
