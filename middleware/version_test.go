// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/middleware"
)

func TestMicroVersion(t *testing.T) {
	f := must(middleware.MicroVersion(nova))
	for name, c := range map[string]struct {
		headers []string
		status  int
		version string // in the answer's header; "" is none
		body    string
	}{
		"none":               {nil, 200, "2.1", ""},
		"asked":              {[]string{"OpenStack-API-Version", "compute 2.53"}, 200, "2.53", ""},
		"in capitals":        {[]string{"OPENSTACK-API-VERSION", "Compute   2.53"}, 200, "2.53", ""},
		"latest":             {[]string{"OpenStack-API-Version", "compute latest"}, 200, "2.93", ""},
		"of another service": {[]string{"OpenStack-API-Version", "volume 3.1"}, 200, "2.1", ""},
		"the last of one":    {[]string{"OpenStack-API-Version", "compute 2.2, volume 3.1, compute 2.3,"}, 200, "2.3", ""},
		"the last of two":    {[]string{"OpenStack-API-Version", "compute 2.2", "OpenStack-API-Version", "compute 2.4"}, 200, "2.4", ""},
		"legacy":             {[]string{"X-OpenStack-Nova-API-Version", "2.5"}, 200, "2.5", ""},
		"legacy, the last":   {[]string{"X-OpenStack-Nova-API-Version", "2.5, 2.6"}, 200, "2.6", ""},
		"legacy latest":      {[]string{"X-OpenStack-Nova-API-Version", "latest"}, 200, "2.93", ""},
		"both":               {[]string{"X-OpenStack-Nova-API-Version", "2.5", "OpenStack-API-Version", "compute 2.7"}, 200, "2.7", ""},
		"service alone":      {[]string{"OpenStack-API-Version", "compute"}, 200, "2.1", ""},
		"too late":           {[]string{"OpenStack-API-Version", "compute 2.99"}, 406, "2.99", `{"computeFault": {"code": 406, "message": "Version 2.99 is not supported by the API. Minimum is 2.1 and maximum is 2.93."}}`},
		"too early":          {[]string{"OpenStack-API-Version", "compute 1.9"}, 406, "1.9", `{"computeFault": {"code": 406, "message": "Version 1.9 is not supported by the API. Minimum is 2.1 and maximum is 2.93."}}`},
		"huge":               {[]string{"OpenStack-API-Version", "compute 2.99999999999999999999"}, 406, "2.99999999999999999999", `{"computeFault": {"code": 406, "message": "Version 2.99999999999999999999 is not supported by the API. Minimum is 2.1 and maximum is 2.93."}}`},
		"no version":         {[]string{"OpenStack-API-Version", "compute x"}, 400, "", `{"badRequest": {"code": 400, "message": "API Version String x is of invalid format. Must be of format MajorNum.MinorNum."}}`},
		"a leading zero":     {[]string{"OpenStack-API-Version", "compute 2.01"}, 400, "", `{"badRequest": {"code": 400, "message": "API Version String 2.01 is of invalid format. Must be of format MajorNum.MinorNum."}}`},
		"three numbers":      {[]string{"OpenStack-API-Version", "compute 2.1.1"}, 400, "", ""},
		"major zero":         {[]string{"OpenStack-API-Version", "compute 0.1"}, 400, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var inside string
			w := ask(func(w http.ResponseWriter, r *http.Request) { inside = middleware.VersionOf(r.Context()).String() }, request("GET", "/", c.headers...), f)
			if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, c.status, c.body)
			}
			h := w.Header()
			vary := strings.Join(h["Vary"], ",")
			if c.version == "" {
				if h["Openstack-Api-Version"] != nil || vary != "" {
					t.Errorf("header %v", h)
				}
				return
			}
			if h.Get("OpenStack-API-Version") != "compute "+c.version || h.Get("X-OpenStack-Nova-API-Version") != c.version ||
				vary != "OpenStack-API-Version,X-OpenStack-Nova-API-Version" {
				t.Errorf("header %v, want version %s", h, c.version)
			}
			if c.status == 200 && inside != c.version {
				t.Errorf("the handler sees %s, want %s", inside, c.version)
			}
		})
	}
}

func TestLegacyV2(t *testing.T) {
	legacy := middleware.LegacyV2("X-OpenStack-Nova-API-Version")
	for name, filters := range map[string][]middleware.Filter{
		"alone":                  {legacy},
		"before the negotiation": {legacy, must(middleware.MicroVersion(nova))},
	} {
		r := request("GET", "/", "OpenStack-API-Version", "compute 2.50", "X-OpenStack-Nova-API-Version", "2.50", "X-Other", "stays")
		w := ask(func(w http.ResponseWriter, r *http.Request) {
			if r.Header["Openstack-Api-Version"] != nil || r.Header["X-Openstack-Nova-Api-Version"] != nil || r.Header.Get("X-Other") != "stays" || !middleware.IsLegacyV2(r.Context()) {
				t.Errorf("%s: the handler sees %v, legacy %t", name, r.Header, middleware.IsLegacyV2(r.Context()))
			}
			w.Header().Set("OpenStack-API-Version", "compute 2.1")
			w.Header().Set("X-OpenStack-Nova-API-Version", "2.1")
			w.Header().Add("Vary", "Accept, openstack-api-version")
			w.Header().Add("Vary", "X-OpenStack-Nova-API-Version")
		}, r, filters...)
		if h := w.Header(); h["Openstack-Api-Version"] != nil || h["X-Openstack-Nova-Api-Version"] != nil || strings.Join(h["Vary"], "|") != "Accept" {
			t.Errorf("%s: header %v", name, h)
		}
		if r.Header["Openstack-Api-Version"] == nil {
			t.Errorf("%s: the request of the caller was changed", name)
		}
	}
}
