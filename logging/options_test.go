// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/logging"
)

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	for want, o := range map[string]logging.Options{
		`logging_context_format_string: "%(nope)s": %(nope): unknown key, want one of asctime, `:             {ContextFormat: "%(nope)s"},
		`logging_default_format_string: "%(name)d": %(name)d: want s for this key, not 'd'`:                  {DefaultFormat: "%(name)d"},
		`logging_debug_format_suffix: "%(lineno)x": %(lineno)x: want s, d, f, e or g, not 'x'`:               {DebugSuffix: "%(lineno)x"},
		`logging_exception_prefix: "100%": %: want %(key)s, or %% for a %`:                                   {ExceptionPrefix: "100%"},
		`logging_user_identity_format: "%(message)s": %(message): unknown key, want one of domain, `:         {UserIdentity: "%(message)s"},
		`instance_format: "%(uuid": %(uuid: want a ) behind the key`:                                         {InstanceFormat: "%(uuid"},
		`instance_uuid_format: "%(uuid)2000s": %(uuid)2000s: want a width and precision of at most 1000`:     {InstanceUUIDFormat: "%(uuid)2000s"},
		`log_date_format: "%Q": unknown directive "%Q", want one of strftime(3)`:                             {LogDateFormat: "%Q"},
		`default_log_levels: "amqp=LOUD": level "LOUD": want CRITICAL, ERROR`:                                {DefaultLogLevels: []string{"amqp=LOUD"}},
		`default_log_levels: "amqp": want logger=LEVEL`:                                                      {DefaultLogLevels: []string{"amqp"}},
		`syslog_log_facility: "LOUD": want LOG_USER, LOG_DAEMON`:                                             {SyslogFacility: "LOUD"},
		`rate_limit_except_level: "LOUD": want CRITICAL`:                                                     {RateExceptLevel: "LOUD"},
		`rate_limit_burst: -1: want 0 or more`:                                                               {RateBurst: -1},
		`log_rotation_type: "often": want interval, size or none`:                                            {RotationType: "often"},
		`log_rotate_interval_type: "moons": want seconds, minutes`:                                           {RotateUnit: "moons"},
		`log_rotate_interval: 7: want 0 (Monday) to 6 (Sunday) with log_rotate_interval_type weekday`:        {RotationType: "interval", RotateUnit: "weekday", RotateInterval: 7},
		`log_rotate_interval: 0: want 1 or more`:                                                             {RotationType: "Interval"},
		`log_config_append: "/etc/log.conf": want it unset: configuration files of Python's logging cannot `: {LogConfigAppend: "/etc/log.conf"},
		`publish_errors: true: want false: `:                                                                 {PublishErrors: true},
		`log_file: open ` + dir + `/no/x.log: no such file or directory`:                                     {LogFile: "no/x.log", LogDir: dir},
		`log_dir: open ` + dir + `/none/prog.log: no such file or directory`:                                 {LogDir: dir + "/none"},
		`use_journal: want a journal: dial unixgram ` + dir + `/journal: connect: no such file`:              {UseJournal: true},
		`use_syslog: want a syslog daemon: dial unixgram ` + dir + `/log: connect: no such file`:             {UseSyslog: true},
	} {
		l, err := logging.NewAt(o, logging.Process{Program: "prog"}, filepath.Join(dir, "journal"), filepath.Join(dir, "log"))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("New(%+v) = %v, want %s", o, err, want)
		}
		if l != nil {
			t.Errorf("New(%+v) returned a Log with its error", o)
		}
	}
	err := logging.Options{DefaultFormat: "%", RateBurst: -1}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("Validate = %v, want both faults", err)
	}
}

// TestRegister holds that the defaults of the declarations are those of zero Options.
func TestRegister(t *testing.T) {
	c := config.New(config.Options{Project: "none", ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }})
	if err := logging.Register(c); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"-d", "--use-json", "--log-dir", "/x"}); err != nil {
		t.Fatal(err)
	}
	o := config.Get[logging.Options](c, config.Default)
	if !o.Debug || !o.UseJSON || o.LogDir != "/x" || o.RotateInterval != 1 || o.MaxFileCount != 30 || o.MaxFileSizeMB != 200 || len(o.DefaultLogLevels) != 22 {
		t.Errorf("read %+v", o)
	}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	var fromZero, fromConfig bytes.Buffer
	o.UseJSON, o.LogDir, o.DebugSuffix = false, "", ""
	logs := []*slog.Logger{
		open(t, o, logging.Process{Stderr: &fromConfig}).Logger(),
		open(t, logging.Options{Debug: true}, logging.Process{Stderr: &fromZero}).Logger(),
	}
	for _, l := range logs {
		for _, name := range []string{"", "amqp", "suds", "oslo_messaging", "dogpile.core.dogpile.x", "taskflow"} {
			for level := slog.LevelDebug; level <= slog.LevelError; level++ {
				ctx := logging.WithRequestID(context.Background(), "req-1")
				logAt(logging.Named(l, name), ctx, level, "x", "instance", "i", "stack", "s")
				logAt(logging.Named(l, name), context.Background(), level, "x", "instance_uuid", "i")
			}
		}
	}
	if fromZero.String() != fromConfig.String() || fromZero.Len() == 0 {
		t.Errorf("zero Options log\n%s, declared defaults\n%s", fromZero.String(), fromConfig.String())
	}
}
