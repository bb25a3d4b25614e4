// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
)

func TestDuration(t *testing.T) {
	seconds, millis := config.Duration{Min: new(time.Duration(0))}, config.Duration{Unit: time.Millisecond}
	for _, c := range []struct {
		typ  config.Duration
		text string
		want any // nil is unset, an error is a refusal
		form string
	}{
		{seconds, "90", 90 * time.Second, "90"},
		{seconds, "1_000", 1000 * time.Second, "1000"},
		{seconds, "0", time.Duration(0), "0"},
		{seconds, "1.5", 1500 * time.Millisecond, "1.5s"},
		{seconds, "2m", 2 * time.Minute, "120"},
		{seconds, " 1m30s ", 90 * time.Second, "90"},
		{seconds, "", nil, ""},
		{millis, "250", 250 * time.Millisecond, "250"},
		{millis, "2s", 2 * time.Second, "2000"},
		{millis, "-5", -5 * time.Millisecond, "-5"},
		{seconds, "-1", false, ""},
		{seconds, "10 s", false, ""},
		{seconds, "inf", false, ""},
		{seconds, "nan", false, ""},
		{seconds, "9223372036854775807", false, ""},
		{seconds, "1e300", false, ""},
		{seconds, "ten", false, ""},
	} {
		got, err := c.typ.Parse(c.text)
		if refused := c.want == false; refused != (err != nil) || !refused && got != c.want {
			t.Errorf("Parse(%q) = %v, %v, want %v", c.text, got, err, c.want)
			continue
		}
		if got != nil && c.typ.Format(got) != c.form {
			t.Errorf("Format(%v) = %q, want %q", got, c.typ.Format(got), c.form)
		}
	}
}

// A field that cannot hold a value refuses it, and one that cannot be unset refuses empty text.
func TestFieldLimits(t *testing.T) {
	type options struct {
		Small  int8    `config:"small"`
		Byte   uint8   `config:"byte"`
		Filled int     `config:"filled" default:"3"`
		Items  []int   `config:"items"`
		Free   *int    `config:"free" default:"3"`
		Ratio  float64 `config:"ratio" default:"0.5"`
	}
	for text, ok := range map[string]bool{
		"small = 127": true, "small = 128": false, "small = -128": true, "small = -129": false,
		"byte = 255": true, "byte = 256": false, "byte = -1": false,
		"filled =": false, "ratio =": false, "free =": true, "items = 1,,2": false, "items =": true,
	} {
		w := &world{files: map[string]string{"/c": "[DEFAULT]\n" + text}}
		c := config.New(w.options())
		if err := c.Register("", options{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Parse([]string{"--config-file=/c"}); (err == nil) != ok {
			t.Errorf("%s: Parse = %v, want good: %v", text, err, ok)
		}
	}
}

func TestReference(t *testing.T) {
	var b strings.Builder
	if err := newDaemon(t, &world{}).WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## [DEFAULT]\n\n### host\n\nOn the command line: `--host HOST`\n\nName of this host. (string value)\n\n    host = localhost\n\n",
		"## [api]\n\nThe API.\n\n### port\n\nPort. (port)\n\n    Minimum value: 0\n    Maximum value: 65535\n    port = 80\n",
		"    password = ****\n", "    workers = <None>\n", "    driver =\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
