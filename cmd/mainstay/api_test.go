// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAPI(t *testing.T) {
	const version = `{"id":"v1.0","status":"CURRENT","version":"","min_version":"","updated":"2026-11-22T00:00:00Z",` +
		`"links":[{"rel":"self","href":"http://api.example:8774/v1.0/"}]}`
	tests := map[string]struct {
		method, path string
		code         int
		body         string
	}{
		"versions":          {"GET", "/", 200, `{"versions":[` + version + `]}`},
		"versions, head":    {"HEAD", "/", 200, `{"versions":[` + version + `]}`}, // net/http sends no body
		"one version":       {"GET", "/v1.0/", 200, `{"version":` + version + `}`},
		"without the slash": {"GET", "/v1.0", 200, `{"version":` + version + `}`},
		"health":            {"GET", "/healthcheck", 200, "OK"},
		"health, head":      {"HEAD", "/healthcheck", 204, ""},
		"post to versions":  {"POST", "/", 405, `{"badMethod":{"code":405,"message":"The method is not allowed for this resource."}}`},
		"post to health":    {"POST", "/healthcheck", 405, `{"badMethod":{"code":405,"message":"The method is not allowed for this resource."}}`},
		"nothing there":     {"GET", "/servers", 404, `{"itemNotFound":{"code":404,"message":"The resource could not be found."}}`},
		"nothing below":     {"GET", "/v1.0/servers", 404, `{"itemNotFound":{"code":404,"message":"The resource could not be found."}}`},
	}
	api := newAPI()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequest(test.method, "http://api.example:8774"+test.path, nil))
			body := strings.TrimSpace(w.Body.String())
			if w.Code != test.code || body != test.body {
				t.Errorf("%s %s = %d %s, want %d %s", test.method, test.path, w.Code, body, test.code, test.body)
			}
			if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow = %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "2m": 2 * time.Minute, "45": 45 * time.Second, "0": 0, "1m30s": 90 * time.Second, "250ms": 250 * time.Millisecond,
	} {
		if got, err := parseDuration(text); got != want || err != nil {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "-5s", "1.5", "10 s", "99999999999999", "2000000h"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("parseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	f.Add("30s")
	f.Add("60")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseDuration(text); err == nil && (d < 0 || d > maxDuration) {
			t.Errorf("parseDuration(%q) = %v", text, d)
		}
	})
}
