// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package samplefile_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/internal/samplefile"
)

const sample = `[DEFAULT]

#
# From nova.conf
#

# Port to listen on.
# (port value)
# Minimum value: 0
# Maximum value: 65535
#port = 8774

# (multi valued)
#driver =

[api]

# Tells more. (boolean value)
#debug = false

# No default. (string value)
#name = <None>
`

func ExampleRead() {
	options, full := samplefile.Read(sample)
	for _, o := range options {
		fmt.Println(o.Group, o.Name, o.Type, o.Multi)
	}
	fmt.Println(strings.Contains(full, "\nport = 8774\n"), strings.Contains(full, "\n#name = <None>\n"))
	// Output:
	//  port port false
	//  driver string true
	// api debug bool false
	// api name string false
	// true true
}

func TestDeclare(t *testing.T) {
	options, full := samplefile.Read(sample)
	conf := config.New(config.Options{
		Program: "test", DefaultFiles: []string{"/c"}, DefaultDirs: []string{}, NoEnvironment: true,
		ReadFile: func(string) ([]byte, error) { return []byte(full), nil },
	})
	if err := samplefile.Declare(conf, options); err != nil {
		t.Fatal(err)
	}
	if err := conf.Parse(nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, o := range options {
		v, err := conf.Value(o.Group, o.Name)
		if err != nil {
			t.Error(err)
		}
		got[o.Group+"."+o.Name] = v
	}
	want := map[string]any{".port": int64(8774), ".driver": nil, "api.debug": false, "api.name": nil}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("values %v, want %v", got, want)
	}
	if len(conf.Unknown()) > 0 {
		t.Errorf("unknown: %v", conf.Unknown())
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Add("# (integer value)\n# Minimum value: x\n#a = 1\na = 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		options, full := samplefile.Read(text)
		if strings.Count(full, "\n") < strings.Count(text, "\n") {
			t.Errorf("Read(%q) lost lines: %q", text, full)
		}
		for _, o := range options {
			if o.Name == "" || o.Type == "" {
				t.Errorf("Read(%q) has an option %+v", text, o)
			}
		}
	})
}
