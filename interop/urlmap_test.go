// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"reflect"
	"testing"

	"github.com/mainstay-go/mainstay/urlmap"
)

// TestPasteURLMap sends every request to every map, here and in Paste: the same application must get it,
// with the same part of the path taken off.
func TestPasteURLMap(t *testing.T) {
	python := "/usr/bin/python3"
	if _, err := try(python, "-c", "import paste.urlmap"); err != nil {
		missing(t, "python3-paste")
	}
	maps := [][]string{
		{"/"}, {"/a"}, {"/", "/a", "/a/b", "/ab"}, {"/a/", "/a//b/"}, {"/v2", "/v2.1", "/v2/+"},
		{"domain a.org /", "/a"}, {"domain a.org port 80 /a/b", "domain a.org /a", "/"}, {"port 443 domain a.org", "domain b.org /a/b", "/a/b/c"},
		{"domain a.org port 8080 /", "domain a.org port 80 /a", "/a/b"}, {},
	}
	var requests [][3]string
	for _, scheme := range []string{"http", "https"} {
		for _, host := range []string{"a.org", "A.org", "a.org:80", "a.org:8080", "b.org:443", "c.org"} {
			for _, path := range []string{"/", "//", "/a", "/a/", "/ab", "/a/b", "/a//b", "//a/b//c/", "/a/b/c/d", "/v2", "/v2/", "/v2.1/x", "/v2/+/x", "/v2x", "/a b/é"} {
				requests = append(requests, [3]string{scheme, host, path})
			}
		}
	}
	input, err := json.Marshal(map[string]any{"keys": maps, "requests": requests})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-B", "testdata/read_urlmap.py")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Paste: %v: %s", err, stderr.String())
	}
	var want [][]any
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, keys := range maps {
		m := &urlmap.Map{}
		var got []any
		for _, key := range keys {
			err := m.Handle(key, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = []any{key, urlmap.Prefix(r), r.URL.Path}
			}))
			if err != nil {
				t.Fatal(err)
			}
		}
		for j, request := range requests {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL = &url.URL{Path: request[2], Scheme: request[0]}
			r.Host = request[1]
			w := httptest.NewRecorder()
			got = nil
			m.ServeHTTP(w, r)
			var have any = got
			if got == nil {
				have = float64(w.Code)
			}
			if !reflect.DeepEqual(have, want[i][j]) {
				t.Errorf("keys %q, request %q: %v, in Paste %v", keys, request, have, want[i][j])
			}
		}
	}
}
