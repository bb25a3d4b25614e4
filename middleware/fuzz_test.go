// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		"", "for=192.0.2.60;proto=http;by=203.0.113.43", `for="[2001:db8::7]:4711", for=_hidden`, `for="a\"b;c,d";host=x`,
		"proto=https;;host = h", ",,", "for=unknown", `for="`, "=;=", "for=1.2.3.4, for=10.0.0.1",
	} {
		f.Add(seed)
	}
	trusted, err := ParseTrusted("", []string{"private"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		hops, ok := parseForwarded(header)
		if !ok && hops != nil {
			t.Fatalf("%q: hops and an error", header)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["Forwarded"] = []string{header}
		s := &scope{Context: r.Context()}
		s.proxied(r, trusted)
		if s.scheme != "" && s.scheme != "http" && s.scheme != "https" {
			t.Errorf("%q: scheme %q", header, s.scheme)
		}
		if strings.ContainsAny(r.Host, " \r\n/\\@\"") || r.Host == "" {
			t.Errorf("%q: host %q", header, r.Host)
		}
		if !strings.Contains(r.RemoteAddr, ":") || strings.ContainsAny(r.RemoteAddr, " \r\n\"") {
			t.Errorf("%q: client %q", header, r.RemoteAddr)
		}
		r.Header["Forwarded"] = []string{header, "for=203.0.113.7;proto=https"}
		if s.proxied(r, trusted); r.RemoteAddr != "203.0.113.7:0" || s.scheme != "https" {
			t.Errorf("%q, in a line before that of the proxy, forges %q", header, r.RemoteAddr)
		}
		// What a trusted proxy adds for a stranger is what counts, whatever the stranger had sent.
		if ok {
			hops, ok = parseForwarded(header + ", for=203.0.113.7;proto=https")
			if hop := outermost(hops, trusted); !ok || hop.node != "203.0.113.7" || hop.proto != "https" {
				t.Errorf("%q forges %+v", header, hop)
			}
		}
	})
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"", "*/*", "text/html;q=0.5, application/json", `a/b;c="d,e";q=0.1;x`, "text/html;q=", "a", ",", "*/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got := bestOffer(header, "text/html", "application/json")
		if got != "" && got != "text/html" && got != "application/json" {
			t.Errorf("%q: %q", header, got)
		}
		ranges, _ := parseAccept(header)
		for _, r := range ranges {
			if r.q < 0 || r.q > 1000 || !isToken(r.kind) || !isToken(r.sub) {
				t.Errorf("%q: %+v", header, r)
			}
		}
		wantsGzip(header)
		(&microversion{service: "compute"}).asked(http.Header{versionHeader: {header}})
	})
}
