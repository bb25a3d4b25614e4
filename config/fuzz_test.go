// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/config"
)

// FuzzParse reads any text with options of all types. A value that was accepted must be accepted again
// in the form that the sample file and show write it.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/corpus/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatal("no corpus", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, data := range foundByFuzzing(f) {
		f.Add(data)
	}
	data, err := os.ReadFile("testdata/schema.json")
	if err != nil {
		f.Fatal(err)
	}
	schema := decodeSchema(f, data)
	f.Fuzz(func(t *testing.T, data []byte) {
		o := (&world{files: map[string]string{"/c": string(data)}}).options()
		c := config.New(o)
		for _, d := range schema {
			if err := c.Declare(d.Group, d.option()); err != nil {
				t.Fatal(err)
			}
		}
		err := c.Parse([]string{"--config-file=/c"})
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error without text")
		}
		for _, d := range schema {
			v, err := c.Value(d.Group, d.Name)
			if err != nil || v == nil || d.Multi {
				continue
			}
			typ := d.typ()
			again, err := typ.Parse(typ.Format(v))
			// Items may hold what only their place in a list makes plain: quotes, commas, blanks.
			if plain := d.Type != "list" && d.Type != "dict" && d.Type != "string" && d.Type != "range"; plain && (err != nil || config.PyRepr(again) != config.PyRepr(v)) {
				t.Errorf("%s: %v is written %q and read as %v, %v", d.Name, v, typ.Format(v), again, err)
			}
		}
		c.Unknown()
		var out bytes.Buffer
		if err := c.WriteSample(&out); err != nil {
			t.Error(err)
		}
	})
}

// foundByFuzzing returns the inputs that an hour of fuzzing found worth keeping, each for a way through
// the code that those before it did not take.
func foundByFuzzing(f *testing.F) (inputs [][]byte) {
	data, err := os.ReadFile("testdata/fuzz.json")
	if err == nil {
		err = json.Unmarshal(data, &inputs)
	}
	if err != nil || len(inputs) == 0 {
		f.Fatal("no inputs", err)
	}
	return inputs
}
