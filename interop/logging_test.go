// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/logging"
)

// A logRecord is what both sides log.
type logRecord struct {
	Name    string            `json:"name"`
	Level   int               `json:"level"` // Python's
	Message string            `json:"message"`
	Context map[string]string `json:"context,omitempty"`
	Extra   map[string]any    `json:"extra,omitempty"`
}

// logRecords are records whose lines are to be the same. Not among them is what package logging decides
// otherwise: messages of several lines, and what forges lines.
func logRecords() []logRecord {
	full := map[string]string{
		"request_id": "req-1", "global_request_id": "req-0", "user_id": "u", "project_id": "p", "domain_id": "d",
		"user_domain_id": "ud", "project_domain_id": "pd", "system_scope": "all", "user_name": "un", "project_name": "pn",
		"domain_name": "dn", "user_domain_name": "udn", "project_domain_name": "pdn",
	}
	var all []logRecord
	for _, name := range []string{"nova", "nova.compute.manager", "amqp", "amqp.channel", "amqplib", "oslo_messaging.rpc", "oslo.messaging", "suds"} {
		for _, level := range []int{5, 10, 20, 30, 40, 50} {
			all = append(all, logRecord{Name: name, Level: level, Message: fmt.Sprintf("%s at %d", name, level)})
		}
	}
	for _, ctx := range []map[string]string{full, {"request_id": "req-2"}, {"request_id": "req-3", "user_id": "u", "resource_uuid": "r-1"}} {
		all = append(all, logRecord{Name: "nova", Level: 20, Message: "of a request", Context: ctx},
			logRecord{Name: "nova", Level: 10, Message: "debug of a request", Context: ctx})
	}
	return append(all,
		logRecord{Name: "nova", Level: 20, Message: "with an instance", Extra: map[string]any{"instance_uuid": "i-1"}},
		logRecord{Name: "nova", Level: 40, Message: "with an instance of a request", Context: full, Extra: map[string]any{"instance": map[string]any{"uuid": "i-2"}}},
		logRecord{Name: "nova", Level: 20, Message: `100% of "quotes" \ and ü, 漢字, 😀	tab`},
		logRecord{Name: "nova", Level: 20, Message: ""},
	)
}

var logConfigs = map[string]string{
	"defaults": "",
	"debug":    "debug = true\nlogging_debug_format_suffix = [%(levelno)d]",
	"levels":   "default_log_levels = amqp=DEBUG,amqp.channel=ERROR,nova=WARN,nova.compute=5,oslo.messaging=25,suds=NOTSET\nlogging_debug_format_suffix = ",
	"formats": `
logging_default_format_string = %(levelname)-8s|%(levelname)8s|%(levelname).3s|%(levelno)05d|%(levelno)-5d|%(levelno)+d|%(levelno) d|%(levelno)s|%(msecs)s|%(msecs)07.2f|%(msecs)d|%(created).3f|%(name)10.4s %(message)s 100%%
logging_context_format_string = %(isotime)s <%(user)s %(project)s %(domain)s %(user_name)s %(project_name)s %(domain_name)s %(resource_uuid)s %(user_identity)s> %(threadName)s %(request_id)8.6s|%(instance)20s|%(message)s
logging_user_identity_format = %(user)s/%(project_name)-6s/%(system_scope)3.1s/%(domain)s
instance_format = <%(uuid)s>
instance_uuid_format = <<%(uuid)8s>>`,
	"dates": "log_date_format = %a %A %b %B %C %d %D %e %F %g %G %h %H %I %j %k %l %m %M %p %P %r %R %s %S %T %u %U %V %w %W %x %X %y %Y %z %Z %%",
	"json":  "use_json = true\ndebug = true",
}

// TestOsloLog logs the same records through oslo.log and package logging, under the same configuration
// file. Text must be the same but for the pid; objects the same in all keys that both have.
func TestOsloLog(t *testing.T) {
	python := "/usr/bin/python3"
	if _, err := try(python, "-c", "import oslo_log.log"); err != nil {
		missing(t, "python3-oslo.log")
	}
	// 0.125 s is a number of two: Python has the time as a float.
	for _, at := range []time.Time{time.Date(2026, 11, 22, 7, 52, 1, 125e6, time.Local), time.Date(2027, 1, 1, 23, 0, 0, 0, time.Local)} {
		for name, text := range logConfigs {
			t.Run(name+at.Format(" 2006"), func(t *testing.T) {
				dir := t.TempDir()
				conf := write(t, dir, "prog.conf", []byte("[DEFAULT]\n"+text))
				theirs := osloLog(t, python, conf, filepath.Join(dir, "theirs.log"), at)
				ours := ourLog(t, conf, filepath.Join(dir, "ours.log"), at)
				if len(theirs) != len(ours) || len(ours) < 10 {
					t.Fatalf("%d lines, oslo.log writes %d", len(ours), len(theirs))
				}
				for i := range ours {
					if name == "json" {
						compareObjects(t, ours[i], theirs[i])
					} else if ours[i] != theirs[i] {
						t.Errorf("line %d is\n%s\nand oslo.log's\n%s", i+1, ours[i], theirs[i])
					}
				}
			})
		}
	}
}

// osloLog returns the lines of oslo.log, with the pid replaced.
func osloLog(t *testing.T, python, conf, file string, at time.Time) []string {
	t.Helper()
	job, err := json.Marshal(map[string]any{"created": float64(at.UnixMicro()) / 1e6, "records": logRecords()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-B", "testdata/log_records.py", conf, file)
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1", "PYTHONWARNINGS=ignore")
	cmd.Stdin = bytes.NewReader(job)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("oslo.log: %v: %s", err, out)
	}
	return logLines(t, file, cmd.Process.Pid)
}

func logLines(t *testing.T, file string, pid int) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(fmt.Sprintf(`\b%d\b`, pid)).ReplaceAllString(string(data), "4242")
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func ourLog(t *testing.T, conf, file string, at time.Time) []string {
	t.Helper()
	c := config.New(config.Options{Project: "prog", ReadFile: os.ReadFile, Logger: slog.New(slog.DiscardHandler)})
	if err := logging.Register(c); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--config-file", conf, "--log-file", file}); err != nil {
		t.Fatal(err)
	}
	l, err := logging.New(config.Get[logging.Options](c, config.Default), logging.Process{Program: "nova"})
	if err != nil {
		t.Fatal(err)
	}
	levels := map[int]slog.Level{5: logging.LevelTrace, 10: slog.LevelDebug, 20: slog.LevelInfo, 30: slog.LevelWarn, 40: slog.LevelError, 50: logging.LevelCritical}
	for _, r := range logRecords() {
		h := logging.Named(l.Logger(), r.Name).Handler()
		ctx := context.Background()
		if c := r.Context; c != nil {
			ctx = logging.WithRequest(ctx, logging.Request{
				ID: c["request_id"], GlobalID: c["global_request_id"], User: c["user_id"], Project: c["project_id"], Domain: c["domain_id"],
				UserDomain: c["user_domain_id"], ProjectDomain: c["project_domain_id"], SystemScope: c["system_scope"],
				UserName: c["user_name"], ProjectName: c["project_name"], DomainName: c["domain_name"],
				UserDomainName: c["user_domain_name"], ProjectDomainName: c["project_domain_name"], ResourceUUID: c["resource_uuid"],
			})
		}
		if !h.Enabled(ctx, levels[r.Level]) {
			continue
		}
		record := slog.NewRecord(at, levels[r.Level], r.Message, 0)
		for _, key := range slices.Sorted(maps.Keys(r.Extra)) {
			record.AddAttrs(attr(key, r.Extra[key]))
		}
		if err := h.Handle(ctx, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lines := logLines(t, file, os.Getpid())
	for i, line := range lines {
		// The program is ours to add to lines of loggers that are not named after it.
		lines[i] = strings.Replace(line, " program=nova", "", 1)
	}
	return lines
}

func attr(key string, value any) slog.Attr {
	m, ok := value.(map[string]any)
	if !ok {
		return slog.Any(key, value)
	}
	var members []any
	for _, k := range slices.Sorted(maps.Keys(m)) {
		members = append(members, attr(k, m[k]))
	}
	return slog.Group(key, members...)
}

// compareObjects holds that both lines have the same values for all keys that both have, and that ours
// leaves out only what it means to.
func compareObjects(t *testing.T, ours, theirs string) {
	t.Helper()
	var o, p map[string]any
	for text, dst := range map[string]*map[string]any{ours: &o, theirs: &p} {
		if err := json.Unmarshal([]byte(text), dst); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	leftOut := []string{"msg", "args", "module", "relative_created", "thread", "thread_name"}
	differ := []string{"pathname", "filename", "lineno", "funcname", "process_name"} // of the language, and of the program
	for key, want := range p {
		got, have := o[key]
		switch {
		case slices.Contains(leftOut, key) && !have || slices.Contains(differ, key) && have:
		case key == "context":
			for k, v := range got.(map[string]any) {
				if w := want.(map[string]any)[k]; w != v {
					t.Errorf("context.%s is %v, oslo.log's %v", k, v, w)
				}
			}
			for k, v := range want.(map[string]any) {
				if _, have := got.(map[string]any)[k]; !have && v != nil && !slices.Contains(unknownHere, k) {
					t.Errorf("context.%s = %v of oslo.log is missing", k, v)
				}
			}
		case key == "extra":
			delete(want.(map[string]any), "project") // of oslo.log's adapter
			delete(want.(map[string]any), "version")
			if !reflect.DeepEqual(got, want) {
				t.Errorf("extra is %v, oslo.log's %v", got, want)
			}
		case !reflect.DeepEqual(got, want):
			t.Errorf("%s is %v, oslo.log's %v", key, got, want)
		}
	}
}

// unknownHere is what a request of oslo.context has and one of ours has not.
var unknownHere = []string{"is_admin", "read_only", "show_deleted", "auth_token", "roles", "user_identity", "is_admin_project"}
