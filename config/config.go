// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
)

// Options say where a [Config] looks. The zero value is good for a program without a project.
type Options struct {
	Project     string // oslo's project: "nova" finds /etc/nova/nova.conf; "" is none
	Program     string // "" is the base name of os.Args[0]; finds <program>.conf
	Command     string // how the program is called, for --help; "" is Program
	Version     string // for --version; "" is no such flag
	Description string // for --help

	// DefaultFiles and DefaultDirs stand in for --config-file and --config-dir where these are not
	// given. nil searches the standard folders; empty is none.
	DefaultFiles, DefaultDirs []string

	// ReadFile reads a file by its absolute path; nil is os.ReadFile. Programs with workers set
	// service.ReadFile: workers then read what their launcher read, and never the disk. Its bytes are
	// not changed.
	ReadFile func(path string) ([]byte, error)

	// ReadDir returns the names in a folder, in any order; nil asks the disk.
	ReadDir func(dir string) ([]string, error)

	// LookupEnv is where variables come from, HOME and SNAP among them; nil is os.LookupEnv.
	LookupEnv func(name string) (string, bool)

	// Validate says what only the program can tell of values that are each right by themselves; nil is
	// nothing. It reads s alone, and is asked by Parse, Reload and Mutate where nothing else is wrong;
	// each error that it returns, joined or not, is one of their [Errors]. [Snapshot.Refuse] makes them.
	Validate func(s *Snapshot) error

	NoEnvironment bool // do not take options from OS_<GROUP>__<OPTION>
	AllowArgs     bool // arguments that are no flags are for [Config.Args], and not an error

	Logger *slog.Logger // for warnings and changes; nil is slog.Default()
}

func (o *Options) setDefaults() {
	if o.Program == "" && len(os.Args) > 0 {
		o.Program = filepath.Base(os.Args[0])
	}
	if o.Command == "" {
		o.Command = o.Program
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	if o.ReadDir == nil {
		o.ReadDir = readDirNames
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
}

func readDirNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// A Config is what a program can be told and what it was told. There is no global one. Its methods
// may be called from many goroutines.
//
// First declare ([Config.Register], [Config.Declare]), then [Config.Parse], then read ([Get],
// [Config.Value]). Before Parse, options have their defaults.
type Config struct {
	opts Options
	now  atomic.Pointer[Snapshot] // nil before Parse if nobody asked yet

	mu       sync.Mutex // held during a change; guards the rest
	reg      *registry
	ordered  []*option // of reg
	parsed   bool
	args     []string
	files    []string // default files and folders, found once
	dirs     []string
	base     *namespace // in force for options that need a reload
	mutable  *namespace // in force for mutable options
	hooks    []func([]Change) error
	reported map[string]bool // warnings that were logged
}

// New returns a Config without options.
func New(opts Options) *Config {
	opts.setDefaults()
	empty := &namespace{}
	c := &Config{opts: opts, reg: newRegistry(), base: empty, mutable: empty, reported: map[string]bool{}}
	c.ordered = c.reg.ordered
	return c
}

func (c *Config) logger() *slog.Logger {
	if c.opts.Logger != nil {
		return c.opts.Logger
	}
	return slog.Default()
}

// Register declares the options that the fields of a struct describe, in a group; "" is [Default]. The
// values of the fields are of no matter: defaults are in the tags. Packages offer such a struct, and
// programs register it.
//
//	type Options struct {
//		Listen  string        `config:"listen" default:"0.0.0.0" type:"hostaddress" help:"Address to serve on."`
//		Port    int           `config:"port,cli" type:"port" default:"8774"`
//		Workers *int          `config:"workers" min:"1" help:"Processes; as many as CPUs if unset."`
//		Timeout time.Duration `config:"client_socket_timeout,mutable" default:"900" min:"0"`
//		Token   string        `config:"token,secret" deprecated:"auth.admin_token,old_token"`
//	}
//
// The tag config has the name, the field's in snake case if empty, and flags: cli, mutable, secret,
// required, multi, advanced. Other tags: default, help, unit, min, max, choices (with commas), type
// (port; ip, ip4, ip6, hostname, hostaddress, hostdomain, uri), regex, maxlength, ignorecase, quotes,
// bounds, short, sample, deprecated (old names, with a group and a dot if it was another), removal (the
// reason) and since. A field without the tag config is left alone.
//
// Fields are strings, bools, integers, float64, [time.Duration], [Span], slices and maps from string
// of these. A pointer to one is nil while the option is unset; other fields are zero then, and refuse
// empty text where oslo.config takes it for unset: for numbers. Unit says what a plain number means
// for a duration: seconds if it is missing.
//
// A struct may be registered again, and in several groups. Another declaration of the same name is a
// [DuplicateError]. After Parse, options of the command line come too late, an error; others are read
// from the files that were parsed.
func (c *Config) Register(group string, options any) error {
	t := reflect.TypeOf(options)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return c.change(func() error { return c.reg.register(group, t) })
}

// Declare declares options one by one, for what does not fit into a struct. What holds for
// [Config.Register] holds here.
func (c *Config) Declare(group string, options ...Option) error {
	return c.change(func() error { return c.reg.declare(group, options) })
}

// DescribeGroup sets the help of a group for the sample file, and declares it if it has no options.
func (c *Config) DescribeGroup(group, help string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reg.addGroup(groupName(group))
	c.reg.help[groupName(group)] = help
}

// SetDefault gives an option another default: that of this program, in place of the library's. It may
// be called again, the last call wins; nil is unset. A value that the option does not take is an
// error, also text with "$" in it unless the option is a string. Upstream: ConfigOpts.set_default.
func (c *Config) SetDefault(group, name string, value any) error {
	return c.preset(FromSetDefault, c.reg.defaults, group, name, value)
}

// SetOverride sets an option whatever files, variables and arguments say. Upstream: set_override.
func (c *Config) SetOverride(group, name string, value any) error {
	return c.preset(FromOverride, c.reg.overrides, group, name, value)
}

func (c *Config) preset(from Source, m map[key]any, group, name string, value any) error {
	return c.change(func() error {
		o, err := c.reg.must(group, name)
		if err != nil {
			return err
		}
		v, err := o.enforce(value)
		if err != nil {
			return &ValueError{Group: o.group, Option: o.name, At: Location{Source: from}, Value: o.text(pyString(value)), Want: "want " + o.Type.Want()}
		}
		m[o.key] = v
		return nil
	})
}

// ClearDefault takes SetDefault back.
func (c *Config) ClearDefault(group, name string) error { return c.clear(c.reg.defaults, group, name) }

// ClearOverride takes SetOverride back.
func (c *Config) ClearOverride(group, name string) error {
	return c.clear(c.reg.overrides, group, name)
}

func (c *Config) clear(m map[key]any, group, name string) error {
	return c.change(func() error {
		o, err := c.reg.must(group, name)
		if err == nil {
			delete(m, o.key)
		}
		return err
	})
}

// errLate is a flag that is declared when the command line has been read.
var errLate = errors.New("options of the command line must be declared before Parse")

// change declares something, and evaluates anew with what was parsed so far.
func (c *Config) change(declare func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := declare(); err != nil {
		return err
	}
	old := c.now.Load()
	c.ordered = c.reg.ordered
	if !c.parsed {
		c.now.Store(nil) // the defaults are computed when somebody asks
		return nil
	}
	s := c.evaluate(c.base, c.mutable, nil)
	c.now.Store(s)
	c.log(s.warnings)
	var errs Errors
	for _, o := range c.ordered {
		if _, known := old.entries[o.key]; known {
			continue
		}
		if o.CLI {
			errs = append(errs, &FlagError{"--" + o.flag(), errLate.Error()})
		}
		if err := s.entries[o.key].err; err != nil {
			errs = append(errs, err)
		}
	}
	return errs.sorted(s.ns.paths)
}

// Parse reads the command line and the files, and validates all of it. args are those of the program,
// without its name. Its error is [ErrHelp], [ErrVersion] or [Errors] with everything that is wrong.
//
// After Errors, [Config.Value] still answers for single options, for reports. Parse is called once.
func (c *Config) Parse(args []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.args = slices.Clone(args)
	c.files, c.dirs = c.opts.DefaultFiles, c.opts.DefaultDirs
	if c.files == nil && !hasFlag(args, "--config-file") {
		c.files = c.discover(".conf", c.fileExists)
	}
	if c.dirs == nil && !hasFlag(args, "--config-dir") {
		c.dirs = c.discover(".conf.d", c.dirExists)
	}
	ns, err := c.read()
	if err != nil {
		return err
	}
	s := c.evaluate(ns, ns, nil)
	c.base, c.mutable, c.parsed = ns, ns, true
	c.now.Store(s)
	c.log(s.warnings)
	return s.check()
}

// Args returns the arguments that are no flags, with [Options].AllowArgs.
func (c *Config) Args() []string { return c.Snapshot().ns.rest }

// evaluate computes the values of all options. kept are values that stay as they are.
func (c *Config) evaluate(base, mutable *namespace, kept map[key]*entry) *Snapshot {
	env := c.opts.LookupEnv
	if c.opts.NoEnvironment {
		env = func(string) (string, bool) { return "", false }
	}
	r := &resolver{
		reg: c.reg, ns: base, mutable: mutable, env: env, kept: kept,
		entries: make(map[key]*entry, len(c.ordered)), busy: map[key]bool{},
	}
	r.all()
	return &Snapshot{config: c, ns: mutable, ordered: slices.Clone(c.ordered), entries: r.entries, warnings: r.warnings}
}

// log writes each warning once in the life of c.
func (c *Config) log(warnings []Warning) {
	for _, w := range warnings {
		if text := w.String(); !c.reported[text] {
			c.reported[text] = true
			w.log(c.logger())
		}
	}
}
