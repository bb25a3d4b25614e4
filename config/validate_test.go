// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"testing"

	"github.com/mainstay-go/mainstay/config"
)

// Validate is asked where nothing else is wrong, and refuses as package config itself does.
func TestValidate(t *testing.T) {
	type options struct {
		Low  int    `config:"low,mutable" default:"1"`
		High int    `config:"high,mutable" default:"9"`
		Key  string `config:"key,secret"`
	}
	w := &world{files: map[string]string{"/c": "[a]\nlow = 2\nkey = hidden\n"}}
	o := w.options()
	o.Validate = func(s *config.Snapshot) error {
		var errs []error
		if v := config.Get[options](s, "a"); v.Low > v.High {
			errs = append(errs, s.Refuse("a", "high", "want low or more"), s.Refuse("a", "key", "want another"))
		}
		return errors.Join(errs...)
	}
	c := config.New(o)
	if err := c.Register("a", options{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--config-file=/c"}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() ([]config.Change, error){"Reload": c.Reload, "Mutate": c.Mutate, "Diff": c.Diff} {
		for text, want := range map[string]string{
			"[a]\nlow = 5\nkey = hidden\nhigh = 4\n": "/c:3: [a] key = \"****\": want another\n/c:4: [a] high = \"4\": want low or more",
			"[a]\nlow = many\nhigh = 4\n":            "/c:2: [a] low = \"many\": want an integer",
		} {
			w.files["/c"] = text
			_, err := change()
			list, ok := errors.AsType[config.Errors](err)
			if !ok || err.Error() != want {
				t.Errorf("%s with %q = %q (%d errors), want %q", name, text, err, len(list), want)
			}
		}
	}
	if got := config.Get[options](c, "a").Low; got != 2 {
		t.Errorf("low is %d after refused changes, want 2", got)
	}
	if err := c.Snapshot().Refuse("a", "nothing", ""); !errors.As(err, new(*config.NoSuchOptionError)) {
		t.Errorf("Refuse of an unknown option = %v", err)
	}
}
