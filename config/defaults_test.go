// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
)

// The defaults of a library's options are the program's to change: oslo.service's own tests of that.
func TestOPT(t *testing.T) {
	type serviceOptions struct {
		LogOptions bool          `config:"log_options" default:"true"`
		Graceful   time.Duration `config:"graceful_shutdown_timeout" default:"60" min:"0"`
	}
	register := func(t *testing.T) *config.Config {
		c := config.New((&world{}).options())
		if err := c.Register("", serviceOptions{}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	set := func(t *testing.T, c *config.Config, name string, value any) {
		t.Helper()
		if err := c.SetDefault("", name, value); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T, c *config.Config, log bool, timeout time.Duration) {
		t.Helper()
		if err := c.Parse(nil); err != nil {
			t.Fatal(err)
		}
		if got := config.Get[serviceOptions](c, ""); got != (serviceOptions{log, timeout}) {
			t.Errorf("options = %+v, want %v and %v", got, log, timeout)
		}
	}
	t.Run("OPT-01 both defaults", func(t *testing.T) {
		c := register(t)
		set(t, c, "log_options", false)
		set(t, c, "graceful_shutdown_timeout", 180)
		check(t, c, false, 3*time.Minute)
	})
	t.Run("OPT-02 one default", func(t *testing.T) {
		c := register(t)
		set(t, c, "graceful_shutdown_timeout", "2m")
		check(t, c, true, 2*time.Minute)
	})
	t.Run("OPT-03 again, the last wins", func(t *testing.T) {
		c := register(t)
		set(t, c, "graceful_shutdown_timeout", 180)
		if err := c.Register("", serviceOptions{}); err != nil {
			t.Fatal(err)
		}
		set(t, c, "graceful_shutdown_timeout", 10*time.Second)
		check(t, c, true, 10*time.Second)
	})
	t.Run("OPT-04 two configurations", func(t *testing.T) {
		a, b := register(t), register(t)
		set(t, a, "graceful_shutdown_timeout", 1)
		set(t, b, "graceful_shutdown_timeout", 2)
		check(t, a, true, time.Second)
		check(t, b, true, 2*time.Second)
	})
	t.Run("a wrong default is refused", func(t *testing.T) {
		if err := register(t).SetDefault("", "graceful_shutdown_timeout", -1); err == nil {
			t.Error("SetDefault(-1) = nil, want an error")
		}
	})
}

func TestOverride(t *testing.T) {
	w := &world{env: map[string]string{"OS_API__HOST": "env"}}
	c := parse(t, w, "--api-host=cli")
	if err := c.SetOverride("api", "host", "over"); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Value("api", "host"); got != "over" {
		t.Errorf("host = %v, want over", got)
	}
	if err := c.ClearOverride("api", "host"); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Value("api", "host"); got != "cli" {
		t.Errorf("host = %v, want cli", got)
	}
	var no *config.NoSuchOptionError
	if err := c.SetOverride("api", "nope", 1); !errors.As(err, &no) {
		t.Errorf("SetOverride = %v, want a NoSuchOptionError", err)
	}
}
