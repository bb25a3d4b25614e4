// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/urlmap"
)

// FuzzMap holds a map to a model that goes through all keys for the best one. The keys are paths, one a
// line, with a host before the slash where there is one.
func FuzzMap(f *testing.F) {
	f.Add("/\n/v2\n/v2.1\n/v2/+\n/v2.1/+", "example.com", "/v2.1/servers", true)
	f.Add("/a\na.org/b\na.org:80/\n/a/b/c", "A.org", "//a//b/%2f%41", false)
	f.Add("/a%2F\n/ü/+\n/+", "[::1]:80", "/%c3%bc//x%", true)
	f.Add("/0\n/+", "", "/0", true)
	f.Fuzz(func(t *testing.T, keys, host, target string, wildcards bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Path == "" {
			return
		}
		m := &urlmap.Map{Wildcards: wildcards}
		var model modelMap
		for key := range strings.SplitSeq(keys, "\n") {
			domain, path, ok := strings.Cut(key, "/")
			if !ok || strings.ContainsAny(key, " \t\r\v\f\u0085\u00a0") || len(strings.Fields(key)) != 1 {
				continue
			}
			expr := "/" + path
			if domain != "" {
				expr = "domain " + domain + " /" + path
			}
			mount := modelMount{strings.ToLower(domain), strings.TrimRight(slashes.ReplaceAllString("/"+path, "/"), "/")}
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%q %q", mount, urlmap.Prefix(r)+"|"+r.URL.Path)
				if again, err := url.PathUnescape(r.URL.EscapedPath()); err != nil || again != r.URL.Path {
					t.Errorf("path %q is quoted %q, error %v", r.URL.Path, r.URL.EscapedPath(), err)
				}
			})
			if err := m.Handle(expr, h); err != nil {
				t.Fatalf("Handle(%q): %v", expr, err)
			}
			model = append(model, mount)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.URL = host, u
		before := *u
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		want := model.answer(host, u.Path, wildcards)
		got := w.Body.String()
		if w.Code != http.StatusOK {
			got = fmt.Sprint(w.Code)
		}
		if got != want {
			t.Errorf("keys %q, host %q, GET %q: %s, want %s", keys, host, target, got, want)
		}
		if *u != before {
			t.Errorf("the URL of the request was changed to %v", u)
		}
	})
}

var slashes = regexp.MustCompile(`//+`)

type modelMount struct{ domain, path string }

type modelMap []modelMount

// answer is what the best mount shows.
func (m modelMap) answer(host, path string, wildcards bool) string {
	host = strings.ToLower(host)
	name, port := host, "80"
	if i := strings.LastIndex(host, ":"); i > strings.LastIndex(host, "]") {
		name, port = host[:i], host[i+1:]
	}
	path = slashes.ReplaceAllString(path, "/")
	if !strings.HasPrefix(path, "/") {
		return "404"
	}
	best, prefix := modelMount{}, "none"
	for _, mt := range m {
		p, ok := mt.takes(path, wildcards)
		if !ok || mt.domain != "" && mt.domain != name && mt.domain != name+":"+port {
			continue
		}
		if prefix == "none" || mt.before(best) {
			best, prefix = mt, p
		}
	}
	if prefix == "none" {
		return "404"
	}
	return fmt.Sprintf("%q %q", best, prefix+"|"+strings.TrimPrefix(path, prefix))
}

// takes returns the prefix that a mount takes of a path, segment by segment.
func (mt modelMount) takes(path string, wildcards bool) (string, bool) {
	want, have := strings.Split(mt.path, "/"), strings.Split(path, "/")
	wild := wildcards && len(want) > 1 && want[len(want)-1] == "+"
	if wild {
		want = want[:len(want)-1]
	}
	if len(have) < len(want) || strings.Join(have[:len(want)], "/") != strings.Join(want, "/") {
		return "", false
	}
	if rest := strings.Join(have[len(want):], "/"); wild && rest == "" {
		return "", false
	}
	return strings.Join(want, "/"), true
}

// before is the order of preference.
func (mt modelMount) before(other modelMount) bool {
	if (mt.domain == "") != (other.domain == "") {
		return mt.domain != ""
	}
	if mt.domain != other.domain {
		return mt.domain < other.domain
	}
	if len(mt.path) != len(other.path) {
		return len(mt.path) > len(other.path)
	}
	return mt.path < other.path // both match where one has a wildcard
}
