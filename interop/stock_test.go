// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/middleware"
	"github.com/mainstay-go/mainstay/middleware/stock"
	"github.com/mainstay-go/mainstay/paste"
	"github.com/mainstay-go/mainstay/urlmap"
)

// TestDebianStockFilters loads api-paste.ini of Debian's packages as they are, with the filters of
// package stock. Stand-ins are the applications, and the one filter that is neutron's own.
func TestDebianStockFilters(t *testing.T) {
	for program, c := range map[string]struct {
		app, strategy, own string
		answers            map[string]string // path to begin of body
	}{
		"nova": {app: "osapi_compute", strategy: "noauth2", answers: map[string]string{
			"/":              "nova.api.openstack.compute.versions:Versions.factory",
			"/v2.1":          "nova.api.openstack.compute.versions:VersionsV2.factory",
			"/v2.1/servers":  "nova.api.openstack.compute:APIRouterV21.factory as u p, legacy false",
			"/v2/servers":    "nova.api.openstack.compute:APIRouterV21.factory as u p, legacy true",
			"/v2.1/p/panics": `{"computeFault": {"code": 500`,
		}},
		"neutron": {app: "neutron", strategy: "noauth", own: "neutron.api.extensions:plugin_aware_extension_middleware_factory", answers: map[string]string{
			"/":            "neutron.pecan_wsgi.app:versions_factory",
			"/v2.0/ports":  "neutron.api.v2.router:APIRouter.factory as  fake_project_id, legacy false",
			"/healthcheck": "OK",
			"/v2.0/panics": "500 Internal Server Error",
		}},
	} {
		t.Run(program, func(t *testing.T) {
			file := filepath.Join(unpack(t, program+"-common"), "usr/share", program+"-common", "api-paste.ini")
			f, err := paste.Open(file, paste.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var r paste.Registry
			urlmap.Register(&r)
			stock.Register(&r, stock.Options{Strategy: func() string { return c.strategy }})
			known := r.Names()
			for _, factory := range factoriesOf(t, f) {
				switch protocol, name := factory[0], factory[1]; {
				case slices.Contains(known, name):
				case protocol == "app_factory":
					r.App(name, func(global, local map[string]string) (http.Handler, error) { return namedApp(name), nil })
				case name == c.own:
					r.Filter(name, func(global, local map[string]string) (func(http.Handler) http.Handler, error) {
						return func(next http.Handler) http.Handler { return next }, nil
					})
				}
			}
			h, err := paste.Load(file, c.app, paste.Options{Registry: &r})
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range c.answers {
				req := httptest.NewRequest("GET", path, nil)
				if program == "nova" {
					req.Header.Set("X-Auth-Token", "u:p")
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req)
				if !strings.HasPrefix(w.Body.String(), want) {
					t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
				}
			}
		})
	}
}

// A namedApp tells its name and what the filters found out.
type namedApp string

func (a namedApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/panics") {
		panic("as told")
	}
	fmt.Fprint(w, string(a))
	if id := middleware.IdentityOf(r.Context()); id != nil {
		fmt.Fprintf(w, " as %s %s, legacy %t", id.UserID, id.ProjectID, middleware.IsLegacyV2(r.Context()))
	}
}
