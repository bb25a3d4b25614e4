// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/daemon"
)

// serviceConf returns a configuration with oslo.service's two options and nothing set.
func serviceConf(t *testing.T) *config.Config {
	t.Helper()
	conf := config.New(config.Options{Program: "test", DefaultFiles: []string{}, DefaultDirs: []string{}, NoEnvironment: true})
	if err := conf.Register("", daemon.ServiceOptions{}); err != nil {
		t.Fatal(err)
	}
	return conf
}

func setDefault(t *testing.T, conf *config.Config, option string, value any) {
	t.Helper()
	if err := conf.SetDefault("", option, value); err != nil {
		t.Fatal(err)
	}
}

func wantOptions(t *testing.T, conf *config.Config, timeout time.Duration, log bool) {
	t.Helper()
	want := daemon.ServiceOptions{GracefulShutdownTimeout: timeout, LogOptions: log}
	if err := conf.Parse(nil); err != nil {
		t.Fatal(err)
	}
	if got := config.Get[daemon.ServiceOptions](conf, ""); got != want {
		t.Errorf("options %+v, want %+v", got, want)
	}
}

func TestCT08TwoOptionsInDefault(t *testing.T) {
	conf := serviceConf(t)
	var names []string
	for _, s := range conf.Snapshot().Settings() {
		names = append(names, s.Group+" "+s.Option)
	}
	if len(names) != 2 || names[0] != "DEFAULT graceful_shutdown_timeout" || names[1] != "DEFAULT log_options" {
		t.Errorf("options %q, want graceful_shutdown_timeout and log_options in DEFAULT", names)
	}
	wantOptions(t, conf, time.Minute, true)
}

func TestOPT01THL08DefaultsOfBothOptionsAreChanged(t *testing.T) {
	conf := serviceConf(t)
	setDefault(t, conf, "graceful_shutdown_timeout", 180)
	setDefault(t, conf, "log_options", false)
	wantOptions(t, conf, 3*time.Minute, false)
}

func TestOPT02DefaultOfOneOptionIsChanged(t *testing.T) {
	conf := serviceConf(t)
	setDefault(t, conf, "log_options", false)
	wantOptions(t, conf, time.Minute, false)
	conf = serviceConf(t)
	setDefault(t, conf, "graceful_shutdown_timeout", 0)
	wantOptions(t, conf, 0, true)
}

func TestOPT03TheLastChangeOfADefaultWins(t *testing.T) {
	conf := serviceConf(t)
	for _, seconds := range []int{180, 30, 90} {
		if err := conf.Register("", daemon.ServiceOptions{}); err != nil {
			t.Fatal(err)
		}
		setDefault(t, conf, "graceful_shutdown_timeout", seconds)
		setDefault(t, conf, "log_options", seconds == 30)
	}
	wantOptions(t, conf, 90*time.Second, false)
}

func TestOPT04TwoConfigurationsAreOfTheirOwn(t *testing.T) {
	one, two := serviceConf(t), serviceConf(t)
	setDefault(t, one, "graceful_shutdown_timeout", 180)
	setDefault(t, two, "log_options", false)
	wantOptions(t, one, 3*time.Minute, true)
	wantOptions(t, two, time.Minute, false)
}
