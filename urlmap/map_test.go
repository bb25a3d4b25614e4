// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/paste"
	"github.com/mainstay-go/mainstay/urlmap"
)

// show answers with its name and what it sees: SCRIPT_NAME, PATH_INFO and the quoted path.
func show(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s|%s|%s", name, urlmap.Prefix(r), r.URL.Path, r.URL.EscapedPath())
	})
}

// mapOf has a handler for each key that shows the key.
func mapOf(t testing.TB, m *urlmap.Map, keys ...string) *urlmap.Map {
	t.Helper()
	for _, key := range keys {
		if err := m.Handle(key, show(key)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func get(h http.Handler, target string, edit ...func(*http.Request)) string {
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	host, path, _ := strings.Cut(target, "/")
	if host != "" {
		r.Host = host
	}
	u, err := url.ParseRequestURI("/" + path)
	if err != nil {
		return err.Error()
	}
	r.URL = u
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return fmt.Sprint(w.Code)
	}
	return w.Body.String()
}

func TestMap(t *testing.T) {
	plain := mapOf(t, &urlmap.Map{}, "/", "/v2", "/v2.1/", "/a//b", "/a", "/x/+")
	domains := mapOf(t, &urlmap.Map{}, "/api", "domain Example.COM /", "domain example.com port 8080 /api/deep", "port 81 domain other.org", "domain [::1] /", "http://third.net/x")
	nova := mapOf(t, &urlmap.Map{Wildcards: true}, "/", "/v2", "/v2.1", "/v2/+", "/v2.1/+")
	tie := mapOf(t, &urlmap.Map{Wildcards: true}, "/0", "/+")
	for name, c := range map[string]struct {
		m            *urlmap.Map
		target, want string
	}{
		"root":                           {plain, "/", "/ |/|/"},
		"anything":                       {plain, "/other", "/ |/other|/other"},
		"the mount itself":               {plain, "/v2", "/v2 /v2||"},
		"its slash":                      {plain, "/v2/", "/v2 /v2|/|/"},
		"behind it":                      {plain, "/v2/servers/1", "/v2 /v2|/servers/1|/servers/1"},
		"a segment is whole":             {plain, "/v20", "/ |/v20|/v20"},
		"the last slash of a key":        {plain, "/v2.1/x", "/v2.1/ /v2.1|/x|/x"},
		"longest first":                  {plain, "/a/b/c", "/a//b /a/b|/c|/c"},
		"not so long":                    {plain, "/a/c", "/a /a|/c|/c"},
		"doubled slashes":                {plain, "//a///b//c//", "/a//b /a/b|/c/|/c/"},
		"no wildcard":                    {plain, "/x/y", "/ |/x/y|/x/y"},
		"plus as itself":                 {plain, "/x/+/y", "/x/+ /x/+|/y|/y"},
		"quoted letters match":           {plain, "/%76%32/%41%2f%2Fb%20c", "/v2 /v2|/A/b c|/%41%2fb%20c"},
		"a quoted slash ends":            {plain, "/v2%2Fx", "/v2 /v2|/x|%2Fx"},
		"quoting stays without a prefix": {plain, "/o%2Fx", "/ |/o/x|/o%2Fx"},
		"domain":                         {domains, "example.com/api", "domain Example.COM / |/api|/api"},
		"domain, other case":             {domains, "EXAMPLE.com/", "domain Example.COM / |/|/"},
		"domain, with a port":            {domains, "example.com:99/", "domain Example.COM / |/|/"},
		"domain before its port":         {domains, "example.com:8080/api/deep", "domain Example.COM / |/api/deep|/api/deep"},
		"port":                           {domains, "other.org:81/x", "port 81 domain other.org |/x|/x"},
		"another port":                   {domains, "other.org/x", "404"},
		"no domain":                      {domains, "nobody.org/api/x", "/api /api|/x|/x"},
		"IPv6":                           {domains, "[::1]:8080/y", "domain [::1] / |/y|/y"},
		"a URL as key":                   {domains, "third.net/x/y", "http://third.net/x /x|/y|/y"},
		"wildcard":                       {nova, "/v2.1/servers", "/v2.1/+ /v2.1|/servers|/servers"},
		"wildcard needs more":            {nova, "/v2.1/", "/v2.1 /v2.1|/|/"},
		"wildcard needs the slash":       {nova, "/v2.1", "/v2.1 /v2.1||"},
		"wildcard and a path as long":    {tie, "/0", "/+ |/0|/0"},
		"wildcard and doubled slashes":   {nova, "/v2//", "/v2 /v2|/|/"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := get(c.m, c.target); got != c.want {
				t.Errorf("GET %s is %q, want %q", c.target, got, c.want)
			}
		})
	}
}

func TestMapScheme(t *testing.T) {
	m := mapOf(t, &urlmap.Map{}, "domain a port 80 /", "domain a port 443 /")
	if got := get(m, "a/"); got != "domain a port 80 / |/|/" {
		t.Errorf("plain: %q", got)
	}
	if got := get(m, "a/", func(r *http.Request) { r.TLS = &tls.ConnectionState{} }); got != "domain a port 443 / |/|/" {
		t.Errorf("TLS: %q", got)
	}
	if got := get(m, "a/", func(r *http.Request) { r.URL.Scheme = "https" }); got != "domain a port 443 / |/|/" {
		t.Errorf("TLS at a proxy: %q", got)
	}
}

func TestMapsWithinMaps(t *testing.T) {
	inner := mapOf(t, &urlmap.Map{}, "/", "/b")
	outer := &urlmap.Map{}
	if err := outer.Handle("/a", inner); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"/a": "/ /a||", "/a/b/c": "/b /a/b|/c|/c", "/b": "404"} {
		if got := get(outer, target); got != want {
			t.Errorf("GET %s is %q, want %q", target, got, want)
		}
	}
}

func TestHandleAgain(t *testing.T) {
	m := mapOf(t, &urlmap.Map{}, "/a/", "/a")
	if got := get(m, "/a"); got != "/a /a||" {
		t.Errorf("the later handler of one address: %q", got)
	}
}

func TestHandleErrors(t *testing.T) {
	for _, key := range []string{"a", "domain", "domain a port", "port 80 /", "domain a port x /", "domain a domain b /", "/a /b", "domain a port 1 port 2 /", "domain a port 70000 /"} {
		if err := new(urlmap.Map).Handle(key, show("")); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
			t.Errorf("Handle(%q): %v, want an error that names the key", key, err)
		}
	}
	if err := new(urlmap.Map).Handle("/", nil); err == nil {
		t.Error("Handle of nil: no error")
	}
}

func TestNotFound(t *testing.T) {
	m := mapOf(t, &urlmap.Map{}, "/a")
	answer := func(accept, target string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "http://example.com"+target, nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w
	}
	w := answer("text/html", "/%3Cb%3E")
	if body := w.Body.String(); w.Code != 404 || w.Header().Get("Content-Type") != "text/html; charset=utf8" || !strings.Contains(body, "<br/>/&lt;b&gt;") {
		t.Errorf("%d %v %q", w.Code, w.Header(), body)
	}
	w = answer("application/json", "/b")
	if body := w.Body.String(); w.Header().Get("Content-Type") != "text/plain; charset=utf8" || !strings.HasSuffix(body, "\r\n/b\r\n") {
		t.Errorf("%v %q", w.Header(), body)
	}
	r := httptest.NewRequest("OPTIONS", "*", nil)
	w = httptest.NewRecorder()
	mapOf(t, m, "/").ServeHTTP(w, r)
	if w.Code != 404 {
		t.Errorf("OPTIONS *: %d", w.Code)
	}
	m = &urlmap.Map{NotFound: show("none")}
	if got := get(m, "//x"); got != "none |//x|//x" {
		t.Errorf("with a handler of its own: %q", got)
	}
}

func TestNegotiate(t *testing.T) {
	m := &urlmap.Map{Wildcards: true, Negotiate: true}
	for _, key := range []string{"/", "/v2", "/v2.1", "/v2.1/+"} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s|%s %s", key, urlmap.Prefix(r), r.URL.Path, urlmap.ContentType(r))
		})
		if err := m.Handle(key, h); err != nil {
			t.Fatal(err)
		}
	}
	const js = "application/json"
	for name, c := range map[string]struct{ target, contentType, accept, want string }{
		"path":                        {"/v2.1/servers", "", "", "/v2.1/+ /v2.1|/servers " + js},
		"path before media types":     {"/v2/x", js + ";version=2.1", js + ";version=2.1", "/v2 /v2|/x " + js},
		"neither":                     {"/servers", "", "", "/ |/servers " + js},
		"Content-Type":                {"/servers", js + "; version=2.1", "", "/v2.1 /v2.1|/servers " + js},
		"Content-Type, quoted":        {"/servers", js + `;version="2"`, "", "/v2 /v2|/servers " + js},
		"Accept":                      {"/servers", "", js + ";q=0.8;version=2.1", "/v2.1 /v2.1|/servers " + js},
		"Content-Type before Accept":  {"/servers", js + ";version=2", js + ";version=2.1", "/v2 /v2|/servers " + js},
		"Accept of something else":    {"/servers", "", "text/html;version=2.1", "/ |/servers " + js},
		"an unknown version":          {"/servers", "", js + ";version=9", "/ |/servers " + js},
		"ending":                      {"/v2.1/servers.json", "", "text/html", "/v2.1/+ /v2.1|/servers.json " + js},
		"atom where versions are":     {"/v2.1/", "", "application/atom+xml", "/v2.1 /v2.1|/ application/atom+xml"},
		"no atom elsewhere":           {"/v2.1/x", "", "application/atom+xml", "/v2.1/+ /v2.1|/x " + js},
		"the better of two":           {"/", "", js + ";q=0.5, application/atom+xml", "/ |/ application/atom+xml"},
		"fewer stars":                 {"/", "", "*/*, application/atom+xml;q=1", "/ |/ application/atom+xml"},
		"a bad quality":               {"/", "", "application/atom+xml;q=x", "/ |/ " + js},
		"a comma in quotes":           {"/", "", `text/html;x="a,` + js + `", application/*`, "/ |/ " + js},
		"doubled slashes, no version": {"//servers", "", "", "/ |/servers " + js},
	} {
		t.Run(name, func(t *testing.T) {
			got := get(m, c.target, func(r *http.Request) {
				if c.contentType != "" {
					r.Header.Set("Content-Type", c.contentType)
				}
				if c.accept != "" {
					r.Header.Set("Accept", c.accept)
				}
			})
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

const pasteFile = `
[DEFAULT]
not_found_app = none
[composite:main]
use = egg:Paste#urlmap
set who = main
/: a
/b = b
domain example.org port 81 /c : b
[composite:nova]
use = call:nova.api.openstack.urlmap:urlmap_factory
/+: a
[composite:own]
paste.composite_factory = paste.urlmap:urlmap_factory
not_found_app = a
/b = b
[composite:bad]
use = egg:Paste#urlmap
b = b
[composite:gone]
use = egg:Paste#urlmap
/b = missing
[app:a]
paste.app_factory = stub:app
[app:b]
paste.app_factory = stub:app
name = b
[app:none]
paste.app_factory = stub:app
name = none
`

func TestFactory(t *testing.T) {
	r := &paste.Registry{}
	urlmap.Register(r)
	r.App("stub:app", func(global, local map[string]string) (http.Handler, error) {
		return show(local["name"] + "<" + global["who"]), nil
	})
	f, err := paste.Open("/x.ini", paste.Options{Registry: r, ReadFile: func(string) ([]byte, error) { return []byte(pasteFile), nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ app, target, want string }{
		{"main", "/x", "<main |/x|/x"},
		{"main", "/b/x", "b<main /b|/x|/x"},
		{"main", "example.org:81/c/x", "b<main /c|/x|/x"},
		{"nova", "/x", "< |/x|/x"},
		{"nova", "/", "404"},
		{"own", "/b", "b< /b||"},
		{"own", "/c", "none< |/c|/c"}, // what DEFAULT has is not local
	} {
		h, err := f.App(c.app)
		if c.app == "nova" && c.want == "404" {
			c.want = "none< |/|/"
		}
		if err != nil {
			t.Errorf("App(%q): %v", c.app, err)
		} else if got := get(h, c.target); got != c.want {
			t.Errorf("%s: GET %s is %q, want %q", c.app, c.target, got, c.want)
		}
	}
	for app, want := range map[string]string{"bad": `/x.ini:18: [composite:bad]: egg:Paste#urlmap: path "b": want one`, "gone": "No section 'missing'"} {
		if _, err := f.App(app); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("App(%q): %v, want %q", app, err, want)
		}
	}
}
