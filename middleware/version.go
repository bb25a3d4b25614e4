// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A Version is a microversion of an API. The zero Version is none.
type Version struct{ Major, Minor int }

func (v Version) String() string { return string(v.append(nil)) }

func (v Version) append(b []byte) []byte {
	b = strconv.AppendInt(b, int64(v.Major), 10)
	return strconv.AppendInt(append(b, '.'), int64(v.Minor), 10)
}

// Less reports whether v is before u.
func (v Version) Less(u Version) bool {
	return v.Major < u.Major || v.Major == u.Major && v.Minor < u.Minor
}

// ParseVersion reads MAJOR.MINOR, without leading zeros.
func ParseVersion(text string) (Version, error) {
	major, minor, ok := strings.Cut(text, ".")
	if !ok || !isNumber(major) || !isNumber(minor) || major == "0" {
		return Version{}, fmt.Errorf("version %q is not MAJOR.MINOR", text)
	}
	a, aerr := strconv.Atoi(major)
	i, ierr := strconv.Atoi(minor)
	if aerr != nil || ierr != nil { // later than any
		return Version{Major: 1<<31 - 1}, nil
	}
	return Version{a, i}, nil
}

func isNumber(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != "" && (text[0] != '0' || len(text) == 1)
}

// VersionOptions say which microversions an API has.
type VersionOptions struct {
	Service  string // as in OpenStack-API-Version: compute 2.93
	Legacy   string // an older header with the version alone, such as X-OpenStack-Nova-API-Version; empty is none
	Min, Max string // the range, as 2.1 and 2.93
	Default  string // for requests that ask for none; empty is Min
}

// MicroVersion negotiates the version of the API as nova does. A request asks by
// OpenStack-API-Version: SERVICE VERSION, of several the last for this service, else by the legacy
// header; latest is the newest. Answers tell the version in both headers and name them in Vary.
// VersionOf has it for handlers. What is no version is answered 400, one out of range 406, both as
// faults. After LegacyV2 the headers are not looked at.
func MicroVersion(o VersionOptions) (Filter, error) {
	m := &microversion{service: o.Service, legacy: http.CanonicalHeaderKey(o.Legacy), name: o.Legacy}
	if o.Service == "" || !isToken(o.Service) {
		return nil, fmt.Errorf("service: %q is not the type of a service, such as compute", o.Service)
	}
	for _, v := range []struct {
		option, text string
		to           *Version
	}{{"min", o.Min, &m.min}, {"max", o.Max, &m.max}, {"default", o.Default, &m.initial}} {
		if v.text == "" && v.option == "default" {
			*v.to = m.min
			continue
		}
		version, err := ParseVersion(v.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a version such as 2.1", v.option, v.text)
		}
		*v.to = version
	}
	if m.max.Less(m.min) {
		return nil, fmt.Errorf("max: %s is before min, %s", m.max, m.min)
	}
	if m.initial.Less(m.min) || m.max.Less(m.initial) {
		return nil, fmt.Errorf("default: %s is not in the range from %s to %s", m.initial, m.min, m.max)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(next, w, r) })
	}, nil
}

type microversion struct {
	service, legacy, name string
	min, max, initial     Version
}

const (
	versionHeader = "Openstack-Api-Version"
	versionName   = "OpenStack-API-Version" // as Vary spells it
)

func (m *microversion) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	s, r := enter(r)
	asked := ""
	if !s.legacy {
		asked = m.asked(r.Header)
	}
	version := m.initial
	switch asked {
	case "":
	case "latest":
		version = m.max
	default:
		var err error
		if version, err = ParseVersion(asked); err != nil {
			WriteFault(w, r, &Fault{Code: http.StatusBadRequest, Message: "API Version String " + asked +
				" is of invalid format. Must be of format MajorNum.MinorNum."})
			return
		}
	}
	s.version = version
	text := version.String()
	if version.Major == 1<<31-1 {
		text = asked
	}
	h := w.Header()
	if !s.legacy {
		h[versionHeader] = []string{m.service + " " + text}
		h.Add("Vary", versionName)
		if m.legacy != "" {
			h[m.legacy] = []string{text}
			h.Add("Vary", m.name)
		}
	}
	if version.Less(m.min) || m.max.Less(version) {
		WriteFault(w, r, &Fault{Code: http.StatusNotAcceptable, Message: "Version " + text +
			" is not supported by the API. Minimum is " + m.min.String() + " and maximum is " + m.max.String() + "."})
		return
	}
	next.ServeHTTP(w, r)
}

// asked returns the version that a request asks for, or nothing.
func (m *microversion) asked(h http.Header) string {
	values := h[versionHeader]
	for i := len(values) - 1; i >= 0; i-- {
		for rest := values[i]; rest != ""; {
			at := strings.LastIndexByte(rest, ',')
			element := strings.TrimSpace(rest[at+1:])
			rest = rest[:max(at, 0)]
			service, version, ok := strings.Cut(strings.ReplaceAll(element, "\t", " "), " ")
			if version = strings.TrimSpace(version); ok && version != "" && strings.EqualFold(service, m.service) {
				return version
			}
		}
	}
	if values := h[m.legacy]; m.legacy != "" && len(values) > 0 {
		last := values[len(values)-1]
		return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	return ""
}

// VersionOf returns the version that MicroVersion negotiated for the request with context ctx.
func VersionOf(ctx context.Context) Version {
	if s := scopeOf(ctx); s != nil {
		return s.version
	}
	return Version{}
}

// LegacyV2 is nova's legacy_v2_compatible: no microversions. It removes their headers, OpenStack-API-Version
// and those named here, from the request and the answer, and from the answer's Vary, and marks the
// request for IsLegacyV2.
func LegacyV2(headers ...string) Filter {
	names := []string{versionHeader}
	for _, name := range headers {
		names = append(names, http.CanonicalHeaderKey(name))
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := enter(r)
			s.legacy = true
			r2 := *r
			for _, name := range names {
				if r.Header[name] != nil {
					r2.Header = r.Header.Clone()
					for _, name := range names {
						delete(r2.Header, name)
					}
					break
				}
			}
			x, w := track(w)
			x.before = append(x.before, func(h http.Header, _ int) { withoutVersion(h, names) })
			next.ServeHTTP(w, &r2)
			x.end()
		})
	}
}

func withoutVersion(h http.Header, names []string) {
	for _, name := range names {
		delete(h, name)
	}
	var kept []string
	for _, value := range h["Vary"] {
		for field := range strings.SplitSeq(value, ",") {
			field = strings.TrimSpace(field)
			drop := false
			for _, name := range names {
				drop = drop || strings.EqualFold(field, name)
			}
			if !drop {
				kept = append(kept, field)
			}
		}
	}
	if h.Del("Vary"); len(kept) > 0 {
		h.Set("Vary", strings.Join(kept, ","))
	}
}

// IsLegacyV2 reports whether LegacyV2 marked the request with context ctx.
func IsLegacyV2(ctx context.Context) bool {
	s := scopeOf(ctx)
	return s != nil && s.legacy
}
