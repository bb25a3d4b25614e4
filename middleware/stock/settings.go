// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/mainstay-go/mainstay/config"
)

// settings are what a paste file says to a filter. The first error stays.
type settings struct {
	values map[string]string
	err    error
}

// merge puts the settings of a section over those of the file.
func merge(global, local map[string]string) *settings {
	s := &settings{values: make(map[string]string, len(global)+len(local))}
	maps.Copy(s.values, global)
	maps.Copy(s.values, local)
	return s
}

func (s *settings) text(name string, to *string) {
	if text, ok := s.values[name]; ok {
		*to = text
	}
}

func (s *settings) boolean(name string, to *bool) {
	text, ok := s.values[name]
	if !ok {
		return
	}
	value, err := config.Bool{}.Parse(text)
	if err != nil {
		s.fail(name, text, config.Bool{}.Want())
		return
	}
	*to, _ = value.(bool)
}

func (s *settings) integer(name string, to *int) {
	text, ok := s.values[name]
	if !ok {
		return
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		s.fail(name, text, "a whole number")
		return
	}
	*to = n
}

func (s *settings) list(name string, to *[]string) {
	text, ok := s.values[name]
	if !ok {
		return
	}
	*to = nil
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*to = append(*to, item)
		}
	}
}

func (s *settings) fail(name, text, want string) {
	if s.err == nil {
		s.err = fmt.Errorf("%s: %q is not %s", name, text, want)
	}
}
