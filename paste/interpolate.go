// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"fmt"
	"regexp"
	"strings"
)

// Limits of interpolation: that of configparser, and one of ours, as ten levels of a hundred references
// each would not end.
const (
	maxDepth = 10
	maxSteps = 10_000
	maxValue = 1 << 20 // bytes
)

var reference = regexp.MustCompile(`^%\(([^)]+)\)s`)

// An interpolation replaces %(key)s and %% in one value, as configparser's BasicInterpolation.
type interpolation struct {
	lookup func(key string) (string, bool)
	out    strings.Builder
	steps  int
}

// interpolate returns a value with its references replaced, by values that may have references again.
// Fault is what is wrong, in the words of configparser but without the value; "" if nothing is.
func interpolate(value string, lookup func(key string) (string, bool)) (result, fault string) {
	if !strings.Contains(value, "%") {
		return value, ""
	}
	in := &interpolation{lookup: lookup}
	if fault := in.expand(value, 1); fault != "" {
		return "", fault
	}
	return in.out.String(), ""
}

func (in *interpolation) expand(rest string, depth int) (fault string) {
	if depth > maxDepth {
		return fmt.Sprintf("Recursion limit exceeded in value substitution: cannot be substituted in %d steps", maxDepth)
	}
	for rest != "" {
		plain, found := rest, strings.IndexByte(rest, '%')
		if found >= 0 {
			plain = rest[:found]
		}
		in.out.WriteString(plain)
		rest = rest[len(plain):]
		switch {
		case rest == "":
		case strings.HasPrefix(rest, "%%"):
			in.out.WriteByte('%')
			rest = rest[2:]
		case strings.HasPrefix(rest, "%("):
			m := reference.FindStringSubmatch(rest)
			if m == nil {
				return "bad interpolation variable reference: want %(key)s"
			}
			value, ok := in.lookup(m[1])
			if !ok {
				return fmt.Sprintf("Bad value substitution: contains an interpolation key %s which is not a valid option name", repr(m[1]))
			}
			if in.steps++; in.steps > maxSteps || in.out.Len() > maxValue {
				return fmt.Sprintf("value substitution has no end in sight: more than %d references or %d bytes", maxSteps, maxValue)
			}
			if !strings.Contains(value, "%") {
				in.out.WriteString(value)
			} else if fault := in.expand(value, depth+1); fault != "" {
				return fault
			}
			rest = rest[len(m[0]):]
		default:
			return "'%' must be followed by '%' or '('"
		}
	}
	return ""
}
