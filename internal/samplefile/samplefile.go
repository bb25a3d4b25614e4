// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package samplefile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mainstay-go/mainstay/config"
)

// An Option is one that the comments of a sample file describe.
type Option struct {
	Group string   `json:"group,omitempty"` // empty is DEFAULT
	Name  string   `json:"name"`
	Type  string   `json:"type"` // string, int, bool, float, port, list, dict, uri, ip, hostname, hostaddress or hostdomain
	Min   *float64 `json:"min,omitempty"`
	Max   *float64 `json:"max,omitempty"`
	Multi bool     `json:"multi,omitempty"`
}

var (
	typeWord   = regexp.MustCompile(`\(([a-zA-Z ]+)\)$`)
	optionLine = regexp.MustCompile(`^#?([a-z][a-z0-9_]*) = ?(.*)$`)
	types      = map[string]string{
		"string value": "string", "integer value": "int", "boolean value": "bool", "floating point value": "float",
		"port value": "port", "list value": "list", "dict value": "dict", "multi valued": "string", "URI": "uri", "uri value": "uri",
		"IP address value": "ip", "ip address value": "ip", "hostname value": "hostname", "host address value": "hostaddress",
		"host domain value": "hostdomain", "unknown value": "string",
	}
)

// Read returns the options that a sample file describes, and the file with their defaults written out.
func Read(text string) (options []Option, full string) {
	var out strings.Builder
	group, next := "", Option{}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		m := optionLine.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "["):
			group = strings.Trim(line, "[]")
			if group == config.Default {
				group = ""
			}
		case strings.HasPrefix(line, "# Minimum value: "):
			next.Min = number(line)
		case strings.HasPrefix(line, "# Maximum value: "):
			next.Max = number(line)
		case m != nil && next.Type != "":
			next.Group, next.Name = group, m[1]
			if !seen[group+"."+m[1]] {
				options = append(options, next)
			}
			seen[group+"."+m[1]] = true
			if strings.HasPrefix(line, "#") && !strings.HasPrefix(m[2], "<") && m[2] != "" {
				line = line[1:]
			}
			next = Option{}
		case typeWord.MatchString(line):
			word := typeWord.FindStringSubmatch(line)[1]
			if typ, ok := types[word]; ok {
				next = Option{Type: typ, Multi: word == "multi valued"}
			}
		}
		fmt.Fprintln(&out, line)
	}
	return options, out.String()
}

func number(line string) *float64 {
	_, text, _ := strings.Cut(line, ": ")
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return &f
}

// Declare declares options as their programs do, without defaults.
func Declare(conf *config.Config, options []Option) error {
	for _, o := range options {
		if err := conf.Declare(o.Group, o.declaration()); err != nil {
			return err
		}
	}
	return nil
}

func (o Option) declaration() config.Option {
	var low, high *int64
	if o.Min != nil {
		low = new(int64(*o.Min))
	}
	if o.Max != nil {
		high = new(int64(*o.Max))
	}
	typ := map[string]config.Type{
		"int": config.Int{Min: low, Max: high}, "bool": config.Bool{}, "float": config.Float{Min: o.Min, Max: o.Max},
		"port": config.Port{Min: low, Max: high}, "list": config.List{}, "dict": config.Dict{}, "uri": config.URI{},
		"ip": config.IP{}, "hostname": config.Hostname{}, "hostaddress": config.HostAddress{}, "hostdomain": config.HostDomain{},
	}[o.Type]
	return config.Option{Name: o.Name, Multi: o.Multi, Type: typ}
}
