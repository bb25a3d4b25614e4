// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/mainstay-go/mainstay/config"
)

// Options are oslo.log's, under its names and with its defaults, in the group DEFAULT. Zero values work:
// empty formats and nil DefaultLogLevels are the defaults, but an empty DebugSuffix is none, and an empty
// RateExceptLevel lets no level pass the rate limit. What is decided otherwise than in oslo.log is in the
// package comment.
type Options struct {
	Debug           bool   `config:"debug,mutable,cli" short:"d" default:"false" help:"Log messages of level DEBUG too, and not only INFO and above."`
	LogConfigAppend string `config:"log-config-append,mutable,cli" deprecated:"log-config" help:"A configuration file of Python's logging module. It cannot be used here: a program that is given one refuses to start."`
	LogDateFormat   string `config:"log-date-format,cli" default:"%Y-%m-%d %H:%M:%S" help:"Format of %(asctime)s, as strftime(3) has it; the time is local."`
	LogFile         string `config:"log-file,cli" deprecated:"logfile" help:"File to log to. A path that is not absolute begins in log_dir."`
	LogDir          string `config:"log-dir,cli" deprecated:"logdir" help:"Folder of log_file. Without log_file the file is named after the program."`
	WatchLogFile    bool   `config:"watch-log-file,cli" default:"false" help:"Look before every line, and not only ten times a second, whether the log file was renamed or removed; if so it is opened anew."`
	UseSyslog       bool   `config:"use-syslog,cli" default:"false" help:"Log to the local syslog daemon."`
	UseJournal      bool   `config:"use-journal,cli" default:"false" help:"Log to systemd's journal, in its own protocol, with fields."`
	SyslogFacility  string `config:"syslog-log-facility,cli" default:"LOG_USER" help:"Facility of messages to syslog and the journal."`
	UseJSON         bool   `config:"use-json,cli" default:"false" help:"Write lines of JSON in place of text."`

	UseStderr      bool   `config:"use_stderr" default:"false" help:"Log to standard error. A program without any other output does so anyway."`
	LogColor       bool   `config:"log_color" default:"false" help:"Colour lines by level where standard error is a terminal."`
	RotateInterval int    `config:"log_rotate_interval" min:"0" default:"1" help:"How many units of log_rotate_interval_type a log file is written before it is rotated; for weekday, which one, from 0 for Monday. For log_rotation_type interval."`
	RotateUnit     string `config:"log_rotate_interval_type" choices:"Seconds,Minutes,Hours,Days,Weekday,Midnight" ignorecase:"true" default:"days" help:"Unit of log_rotate_interval. Midnight rotates every night, weekday at the end of one day of the week."`
	MaxFileCount   int    `config:"max_logfile_count" min:"0" default:"30" help:"Rotated log files that are kept. 0 keeps all, and switches rotation by size off."`
	MaxFileSizeMB  int    `config:"max_logfile_size_mb" min:"0" default:"200" help:"Size in MB that a log file may reach before it is rotated; 0 is any. For log_rotation_type size."`
	RotationType   string `config:"log_rotation_type" choices:"interval,size,none" ignorecase:"true" default:"none" help:"What makes the program rotate its log file: time, size or nothing."`

	ContextFormat    string   `config:"logging_context_format_string" default:"%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(global_request_id)s %(request_id)s %(user_identity)s] %(instance)s%(message)s" help:"Format of lines that belong to a request."`
	DefaultFormat    string   `config:"logging_default_format_string" default:"%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [-] %(instance)s%(message)s" help:"Format of lines that belong to no request."`
	DebugSuffix      string   `config:"logging_debug_format_suffix" default:"%(funcName)s %(pathname)s:%(lineno)d" help:"Added to the format of lines of level DEBUG."`
	ExceptionPrefix  string   `config:"logging_exception_prefix" default:"%(asctime)s.%(msecs)03d %(process)d ERROR %(name)s %(instance)s" help:"Put before every line of a stack."`
	UserIdentity     string   `config:"logging_user_identity_format" default:"%(user)s %(project)s %(domain)s %(system_scope)s %(user_domain)s %(project_domain)s" help:"Format of %(user_identity)s."`
	DefaultLogLevels []string `config:"default_log_levels" default:"amqp=WARN,amqplib=WARN,boto=WARN,qpid=WARN,sqlalchemy=WARN,suds=INFO,oslo.messaging=INFO,oslo_messaging=INFO,iso8601=WARN,requests.packages.urllib3.connectionpool=WARN,urllib3.connectionpool=WARN,websocket=WARN,requests.packages.urllib3.util.retry=WARN,urllib3.util.retry=WARN,keystonemiddleware=WARN,routes.middleware=WARN,stevedore=WARN,taskflow=WARN,keystoneauth=WARN,oslo.cache=INFO,oslo_policy=INFO,dogpile.core.dogpile=INFO" help:"Levels of loggers and all below them, as logger=LEVEL."`
	PublishErrors    bool     `config:"publish_errors" default:"false" help:"Errors are not published as notifications here: a program that is told to refuses to start."`

	InstanceFormat     string `config:"instance_format" default:"[instance: %(uuid)s] " help:"Format of %(instance)s for lines with an attribute instance."`
	InstanceUUIDFormat string `config:"instance_uuid_format" default:"[instance: %(uuid)s] " help:"Format of %(instance)s for lines with an attribute instance_uuid."`

	RateInterval    int    `config:"rate_limit_interval" min:"0" default:"0" help:"Length in seconds of the intervals of rate limiting; 0 is no limit."`
	RateBurst       int    `config:"rate_limit_burst" min:"0" default:"0" help:"Messages logged in one rate_limit_interval at most; 0 is no limit."`
	RateExceptLevel string `config:"rate_limit_except_level" choices:"CRITICAL,ERROR,INFO,WARNING,DEBUG," default:"CRITICAL" help:"Messages of this level and above are not limited. Empty: all are."`

	FatalDeprecations bool `config:"fatal_deprecations" default:"false" help:"Make the use of what is deprecated an error in place of a warning."`
}

// Register declares the options in the group DEFAULT; config.Get[Options](c, "DEFAULT") has their values.
func Register(c *config.Config) error { return c.Register(config.Default, Options{}) }

// Validate returns what New would refuse in the options themselves, one line for each fault, without
// opening anything.
func (o Options) Validate() error {
	_, err := compile(o)
	return err
}

// A plan is Options, understood.
type plan struct {
	Options
	date      *dateFormat
	context   format
	plain     format
	suffix    format
	exception format
	identity  format
	instance  format
	uuid      format
	levels    map[string]slog.Level // by logger; "" is the root
	facility  int
	except    slog.Level // of the rate limit
	rotate    rotation
}

// compile finds all faults of the options.
func compile(o Options) (*plan, error) {
	o.setDefaults()
	p := &plan{Options: o}
	var errs []error
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	formats := func(name, text string, keys keySet, dst *format) {
		var err error
		*dst, err = parseFormat(text, keys)
		check(name, err)
	}
	var err error
	p.date, err = parseDate(o.LogDateFormat)
	check("log_date_format", err)
	formats("logging_context_format_string", o.ContextFormat, lineKeys, &p.context)
	formats("logging_default_format_string", o.DefaultFormat, lineKeys, &p.plain)
	formats("logging_debug_format_suffix", o.DebugSuffix, lineKeys, &p.suffix)
	formats("logging_exception_prefix", o.ExceptionPrefix, lineKeys, &p.exception)
	formats("logging_user_identity_format", o.UserIdentity, identityKeys, &p.identity)
	formats("instance_format", o.InstanceFormat, nil, &p.instance)
	formats("instance_uuid_format", o.InstanceUUIDFormat, nil, &p.uuid)
	p.levels, err = parseLevels(o.DefaultLogLevels)
	check("default_log_levels", err)
	p.facility, err = parseFacility(o.SyslogFacility)
	check("syslog_log_facility", err)
	check("rate_limit_except_level", p.setExcept())
	check("rate_limit_interval", atLeast(o.RateInterval, 0))
	check("rate_limit_burst", atLeast(o.RateBurst, 0))
	check("max_logfile_count", atLeast(o.MaxFileCount, 0))
	check("max_logfile_size_mb", atLeast(o.MaxFileSizeMB, 0))
	errs = append(errs, p.setRotation()...)
	if o.LogConfigAppend != "" {
		check("log_config_append", fmt.Errorf("%q: want it unset: configuration files of Python's logging cannot be used, say it with the other log options", o.LogConfigAppend))
	}
	if o.PublishErrors {
		check("publish_errors", errors.New("true: want false: errors are not published as notifications"))
	}
	return p, errors.Join(errs...)
}

func atLeast(v, low int) error {
	if v < low {
		return fmt.Errorf("%d: want %d or more", v, low)
	}
	return nil
}

// setDefaults fills in what has no meaning when empty.
func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.LogDateFormat, "%Y-%m-%d %H:%M:%S"},
		{&o.SyslogFacility, "LOG_USER"},
		{&o.ContextFormat, "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(global_request_id)s %(request_id)s %(user_identity)s] %(instance)s%(message)s"},
		{&o.DefaultFormat, "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [-] %(instance)s%(message)s"},
		{&o.ExceptionPrefix, "%(asctime)s.%(msecs)03d %(process)d ERROR %(name)s %(instance)s"},
		{&o.UserIdentity, "%(user)s %(project)s %(domain)s %(system_scope)s %(user_domain)s %(project_domain)s"},
		{&o.InstanceFormat, "[instance: %(uuid)s] "},
		{&o.InstanceUUIDFormat, "[instance: %(uuid)s] "},
		{&o.RotationType, "none"},
		{&o.RotateUnit, "days"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
}

func (p *plan) setExcept() error {
	if p.RateExceptLevel == "" {
		p.except = noLevel
		return nil
	}
	level, err := parseLevel(p.RateExceptLevel)
	p.except = level
	return err
}

// setRotation returns faults that begin with the name of the option.
func (p *plan) setRotation() (errs []error) {
	p.rotate = rotation{kind: strings.ToLower(p.RotationType), unit: strings.ToLower(p.RotateUnit), every: p.RotateInterval, keep: p.MaxFileCount}
	p.rotate.size = int64(p.MaxFileSizeMB) * megabyte
	if k := p.rotate.kind; k != "none" && k != "size" && k != "interval" {
		errs = append(errs, fmt.Errorf("log_rotation_type: %q: want interval, size or none", p.RotationType))
	}
	names, ok := rotationNames[p.rotate.unit]
	if !ok {
		errs = append(errs, fmt.Errorf("log_rotate_interval_type: %q: want seconds, minutes, hours, days, weekday or midnight", p.RotateUnit))
	}
	if p.rotate.kind == "interval" {
		switch {
		case p.rotate.unit == "weekday" && (p.RotateInterval < 0 || p.RotateInterval > 6):
			errs = append(errs, fmt.Errorf("log_rotate_interval: %d: want 0 (Monday) to 6 (Sunday) with log_rotate_interval_type weekday", p.RotateInterval))
		case p.rotate.unit != "weekday" && p.RotateInterval < 1:
			errs = append(errs, fmt.Errorf("log_rotate_interval: %d: want 1 or more", p.RotateInterval))
		}
		p.rotate.suffix = names
	}
	// What Python's handlers do with these is never to rotate.
	if p.rotate.kind == "size" && (p.rotate.size == 0 || p.rotate.keep == 0) {
		p.rotate.kind = "none"
	}
	return errs
}

// megabyte is smaller in tests of rotation.
var megabyte int64 = 1 << 20

// path returns the file that the options name for a program, or "".
func (o Options) path(program string) string {
	switch {
	case o.LogFile != "" && (o.LogDir == "" || filepath.IsAbs(o.LogFile)):
		return o.LogFile
	case o.LogFile != "":
		return filepath.Join(o.LogDir, o.LogFile)
	case o.LogDir != "":
		return filepath.Join(o.LogDir, program+".log")
	}
	return ""
}
