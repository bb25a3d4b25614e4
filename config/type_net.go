// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// IP takes an address as inet_pton(3) does: four decimal numbers without leading zeros, or IPv6
// without a zone. The value is a string.
type IP struct {
	Version int // 4 or 6; 0 is either
}

// Parse implements [Type].
func (t IP) Parse(text string) (any, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || t.Version == 4 && !a.Is4() || t.Version == 6 && a.Is4() {
		return nil, errValue
	}
	return text, nil
}

// Want implements [Type].
func (t IP) Want() string {
	if t.Version != 0 {
		return fmt.Sprintf("an IPv%d address", t.Version)
	}
	return "an IP address"
}

// Name implements [Type].
func (IP) Name() string { return "IP address value" }

// Format implements [Type].
func (IP) Format(value any) string { return pyString(value) }

// Hostname takes a DNS name: labels of letters, digits and "-", of 63 characters at most, 253 in all,
// the last with a letter or "-" in it. The value is a string, without the dot at its end.
type Hostname struct{}

// Parse implements [Type].
func (Hostname) Parse(text string) (any, error) { return parseHost(text, hostLabel) }

var (
	hostLabel   = regexp.MustCompile(`^(?i)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	domainLabel = regexp.MustCompile(`^(?i)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)
)

func parseHost(text string, label *regexp.Regexp) (any, error) {
	if text == "" || utf8.RuneCountInString(text) > 253 {
		return nil, errValue
	}
	text = strings.TrimSuffix(text, ".")
	labels := strings.Split(text, ".")
	if !strings.ContainsFunc(labels[len(labels)-1], isLetterOrHyphen) {
		return nil, errValue
	}
	for _, l := range labels {
		if !label.MatchString(l) {
			return nil, errValue
		}
	}
	return text, nil
}

func isLetterOrHyphen(r rune) bool {
	return r == '-' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// Want implements [Type].
func (Hostname) Want() string { return "a host name" }

// Name implements [Type].
func (Hostname) Name() string { return "hostname value" }

// Format implements [Type].
func (Hostname) Format(value any) string { return pyString(value) }

// HostAddress takes an [IP] or a [Hostname].
type HostAddress struct {
	Version int // of an IP address: 4 or 6; 0 is either
}

// Parse implements [Type].
func (t HostAddress) Parse(text string) (any, error) {
	if v, err := IP(t).Parse(text); err == nil {
		return v, nil
	}
	return Hostname{}.Parse(text)
}

// Want implements [Type].
func (t HostAddress) Want() string { return "a host name or " + IP(t).Want() }

// Name implements [Type].
func (HostAddress) Name() string { return "host address value" }

// Format implements [Type].
func (HostAddress) Format(value any) string { return pyString(value) }

// HostDomain is a [HostAddress] whose names may have "_" in them.
type HostDomain struct {
	Version int // of an IP address: 4 or 6; 0 is either
}

// Parse implements [Type].
func (t HostDomain) Parse(text string) (any, error) {
	if v, err := HostAddress(t).Parse(text); err == nil {
		return v, nil
	}
	return parseHost(text, domainLabel)
}

// Want implements [Type].
func (t HostDomain) Want() string { return HostAddress(t).Want() }

// Name implements [Type].
func (HostDomain) Name() string { return "host domain value" }

// Format implements [Type].
func (HostDomain) Format(value any) string { return pyString(value) }

// URI takes a URI with scheme and host, both valid by RFC 3986. oslo.config means to check the path
// too, but its library quotes what is wrong there before it looks. The value is a string.
type URI struct {
	Schemes   []string // nil is any
	MaxLength int      // in characters; 0 is no limit
}

// The expressions of Python's rfc3986 package, which oslo.config uses.
const (
	uriUnreserved = `A-Za-z0-9._~\-`
	uriDelims     = `!$&'()*+,;=`
	uriEncoded    = `%[A-Fa-f0-9]{2}`
)

var (
	uriParts     = regexp.MustCompile(`^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?://([^\\/?#]*))?`)
	uriAuthority = regexp.MustCompile(`^(?:(?:[` + uriUnreserved + uriDelims + `:]|` + uriEncoded + `)+@)?` +
		`((?:` + uriEncoded + `|[` + uriDelims + uriUnreserved + `])*|\[[0-9A-Za-z:.%_~-]+\]):?(?:[0-9]{1,5})?$`)
	dotted = regexp.MustCompile(`^([0-9]{1,3}\.){3}[0-9]{1,3}`)
)

// Parse implements [Type].
func (t URI) Parse(text string) (any, error) {
	m := uriParts.FindStringSubmatch(text)
	if m == nil || m[1] == "" || !strings.HasPrefix(text[len(m[1]):], "://") {
		return nil, errValue
	}
	a := uriAuthority.FindStringSubmatch(m[2])
	if m[2] == "" || a == nil || !validURIHost(a[1]) {
		return nil, errValue
	}
	if len(t.Schemes) > 0 && !slices.Contains(t.Schemes, m[1]) {
		return nil, errValue
	}
	if t.MaxLength > 0 && utf8.RuneCountInString(text) > t.MaxLength {
		return nil, errValue
	}
	return text, nil
}

func validURIHost(host string) bool {
	if literal, ok := strings.CutPrefix(host, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
		return err == nil && a.Is6()
	}
	// What begins as an IPv4 address must be one.
	if dotted.MatchString(host) {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return true
}

// Want implements [Type].
func (t URI) Want() string {
	want := "a URI with scheme and host"
	if len(t.Schemes) > 0 {
		want += ", scheme " + strings.Join(t.Schemes, ", ")
	}
	if t.MaxLength > 0 {
		want += fmt.Sprintf(", of at most %d characters", t.MaxLength)
	}
	return want
}

// Name implements [Type].
func (URI) Name() string { return "uri value" }

// Format implements [Type].
func (URI) Format(value any) string { return pyString(value) }
