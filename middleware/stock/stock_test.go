// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package stock_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/middleware"
	"github.com/mainstay-go/mainstay/middleware/stock"
	"github.com/mainstay-go/mainstay/paste"
	"github.com/mainstay-go/mainstay/urlmap"
)

// compute is a file as nova's, with the same filters under the same names.
const compute = `
[composite:osapi_compute]
use = call:nova.api.openstack.urlmap:urlmap_factory
/v2/+: legacy
/v2.1/+: api

[composite:api]
use = call:nova.api.auth:pipeline_factory_v21
keystone = healthcheck cors http_proxy_to_wsgi compute_req_id faultwrap request_log sizelimit osprofiler authtoken keystonecontext app
noauth2 = healthcheck cors http_proxy_to_wsgi compute_req_id faultwrap request_log sizelimit osprofiler noauth2 app

[composite:legacy]
use = call:nova.api.auth:pipeline_factory_v21
keystone = healthcheck cors http_proxy_to_wsgi compute_req_id faultwrap request_log sizelimit osprofiler authtoken keystonecontext legacy_v2_compatible app
noauth2 = healthcheck cors http_proxy_to_wsgi compute_req_id faultwrap request_log sizelimit osprofiler noauth2 legacy_v2_compatible app

[filter:healthcheck]
use = egg:oslo.middleware#healthcheck
backends = disable_by_file
disable_by_file_path = /nowhere/to/be/found
path = /v2.1/healthcheck

[filter:request_log]
paste.filter_factory = nova.api.openstack.requestlog:RequestLog.factory
[filter:compute_req_id]
paste.filter_factory = nova.api.compute_req_id:ComputeReqIdMiddleware.factory
[filter:faultwrap]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory
[filter:noauth2]
paste.filter_factory = nova.api.openstack.auth:NoAuthMiddleware.factory
[filter:osprofiler]
paste.filter_factory = nova.profiler:WsgiMiddleware.factory
[filter:sizelimit]
paste.filter_factory = oslo_middleware:RequestBodySizeLimiter.factory
[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory
enable_proxy_headers_parsing = yes
trusted_proxies = any
[filter:legacy_v2_compatible]
paste.filter_factory = nova.api.openstack:LegacyV2CompatibleWrapper.factory
[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory
oslo_config_project = nova
[filter:keystonecontext]
paste.filter_factory = nova.api.auth:NovaKeystoneContext.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[app:app]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
`

// network is a file as neutron's.
const network = `
[composite:api]
use = call:neutron.auth:pipeline_factory
noauth = cors http_proxy_to_wsgi request_id fake_project_id catch_errors osprofiler app
keystone = cors http_proxy_to_wsgi request_id catch_errors osprofiler authtoken keystonecontext app
[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory
[filter:catch_errors]
paste.filter_factory = oslo_middleware:CatchErrors.factory
[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory
oslo_config_project = neutron
[filter:fake_project_id]
paste.filter_factory = neutron.auth:NoauthFakeProjectId.factory
[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory
[filter:keystonecontext]
paste.filter_factory = neutron.auth:NeutronKeystoneContext.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:osprofiler]
paste.filter_factory = osprofiler.web:WsgiMiddleware.factory
[app:app]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
`

// load loads a file with an application that tells what it sees.
func load(t *testing.T, text, name, strategy string, o stock.Options) (http.Handler, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "api-paste.ini")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var r paste.Registry
	urlmap.Register(&r)
	o.Strategy = func() string { return strategy }
	stock.Register(&r, o)
	r.App("nova.api.openstack.compute:APIRouterV21.factory", func(global, local map[string]string) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("secret")
			}
			body, _ := io.ReadAll(r.Body)
			id := middleware.IdentityOf(r.Context())
			fmt.Fprint(w, id.UserID, " ", id.ProjectID, " ", id.IsAdmin, " ", urlmap.Prefix(r), " ", r.URL.Path, " ", len(body), " ", middleware.IsLegacyV2(r.Context()))
		}), nil
	})
	return paste.Load(file, name, paste.Options{Registry: &r})
}

func ask(h http.Handler, method, target string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestComputeNoAuth2(t *testing.T) {
	h, err := load(t, compute, "osapi_compute", "noauth2", stock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := ask(h, "GET", "/v2.1/servers", nil, "X-Auth-Token", "u:p")
	if w.Code != 200 || w.Body.String() != "u p false /v2.1 /servers 0 false" || w.Header().Get("X-Compute-Request-Id") == "" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	w = ask(h, "GET", "/v2/servers", nil, "X-Auth-Token", "admin", "X-Forwarded-Prefix", "/compute")
	if w.Body.String() != "admin admin true /compute/v2 /servers 0 true" {
		t.Errorf("legacy, behind a proxy: %d %s", w.Code, w.Body)
	}
	if w = ask(h, "GET", "/v2.1/x", nil); w.Code != 204 || w.Header().Get("X-Auth-Token") != "admin:admin" {
		t.Errorf("without a token: %d %v", w.Code, w.Header())
	}
	if w = ask(h, "GET", "/v2.1/healthcheck", nil); w.Code != 200 || w.Body.String() != "OK" {
		t.Errorf("healthcheck: %d %s", w.Code, w.Body)
	}
	if w = ask(h, "GET", "/v2.1/panic", nil, "X-Auth-Token", "u"); w.Code != 500 || !strings.HasPrefix(w.Body.String(), `{"computeFault": `) {
		t.Errorf("a panic: %d %s", w.Code, w.Body)
	}
	if w = ask(h, "POST", "/v2.1/x", strings.NewReader(strings.Repeat("x", 114689)), "X-Auth-Token", "u"); w.Code != 413 {
		t.Errorf("a large body: %d %s", w.Code, w.Body)
	}
}

func TestNetworkNoAuth(t *testing.T) {
	h, err := load(t, network, "api", "noauth", stock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "GET", "/networks", nil); w.Body.String() != " fake_project_id true  /networks 0 false" || w.Header().Get("X-Openstack-Request-Id") == "" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := ask(h, "GET", "/panic", nil); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("a panic: %d %s", w.Code, w.Body)
	}
}

func TestKeystone(t *testing.T) {
	if _, err := load(t, network, "api", "keystone", stock.Options{}); err == nil || !strings.Contains(err.Error(), "keystonemiddleware.auth_token:filter_factory") {
		t.Errorf("without authtoken: %v", err)
	}
	auth := func(global, local map[string]string) (func(http.Handler) http.Handler, error) {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Auth-Token") == "good" {
					r.Header.Set("X-User-Id", "u")
				}
				next.ServeHTTP(w, r)
			})
		}, nil
	}
	for name, text := range map[string]string{"api": network, "osapi_compute": compute} {
		h, err := load(t, text, name, "keystone", stock.Options{AuthToken: auth})
		if err != nil {
			t.Fatal(err)
		}
		if w := ask(h, "GET", "/v2.1/x", nil, "X-Auth-Token", "good"); w.Code != 200 || !strings.HasPrefix(w.Body.String(), "u ") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w := ask(h, "GET", "/v2.1/x", nil); w.Code != 401 {
			t.Errorf("%s without a token: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestConfig holds that filters read the configuration, and that a section wins over it.
func TestConfig(t *testing.T) {
	c := config.New(config.Options{})
	if err := stock.Declare(c, "nova"); err != nil {
		t.Fatal(err)
	}
	for _, set := range [][3]string{{"oslo_middleware", "max_request_body_size", "4"}, {"cors", "allowed_origin", "http://page.example.com"}} {
		if err := c.SetOverride(set[0], set[1], set[2]); err != nil {
			t.Fatal(err)
		}
	}
	for local, want := range map[string]int{"": 413, "max_request_body_size = 5\n": 200} {
		text := strings.Replace(compute, "RequestBodySizeLimiter.factory\n", "RequestBodySizeLimiter.factory\n"+local, 1)
		h, err := load(t, text, "osapi_compute", "noauth2", stock.Options{Config: c})
		if err != nil {
			t.Fatal(err)
		}
		w := ask(h, "POST", "/v2.1/x", strings.NewReader("12345"), "X-Auth-Token", "u", "Origin", "http://page.example.com")
		if w.Code != want || w.Header().Get("Access-Control-Allow-Origin") != "http://page.example.com" ||
			!strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "X-OpenStack-Nova-API-Version") {
			t.Errorf("%q: %d %v, want %d", local, w.Code, w.Header(), want)
		}
	}
}

func TestErrors(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"oslo_config_project = nova", "max_age = 1"}:                                                    "allowed_origin or oslo_config_project is required",
		{"oslo_config_project = nova", "oslo_config_project = nova\nmax_age = x"}:                        `max_age: "x" is not a whole number`,
		{"oslo_config_project = nova", "allowed_origin = http://slash/"}:                                 `allowed_origin: "http://slash/"`,
		{"backends = disable_by_file", "backends = nonsense"}:                                            `backends: "nonsense"`,
		{"enable_proxy_headers_parsing = yes", "enable_proxy_headers_parsing = maybe"}:                   `enable_proxy_headers_parsing: "maybe" is not`,
		{"trusted_proxies = any", "trusted_proxies = everybody"}:                                         `trusted_proxies: "everybody"`,
		{"nova.profiler:WsgiMiddleware.factory", "nova.profiler:WsgiMiddleware.factory\nenabled = true"}: "enabled: osprofiler",
	} {
		if !strings.Contains(compute, change[0]) {
			t.Fatalf("no %q in the file", change[0])
		}
		_, err := load(t, strings.Replace(compute, change[0], change[1], 1), "osapi_compute", "noauth2", stock.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", change[1], err, want)
		}
	}
}

// TestNames holds that each way to name oslo.middleware's filters is there.
func TestNames(t *testing.T) {
	var r paste.Registry
	stock.Register(&r, stock.Options{})
	names := r.Names()
	for _, name := range []string{
		"oslo_middleware:CORS.factory", "oslo_middleware.cors:CORS.factory", "oslo-middleware#cors", "oslo_middleware:Healthcheck.app_factory",
		"oslo_middleware.sizelimit:RequestBodySizeLimiter.factory", "oslo-middleware#healthcheck", "oslo-middleware#catch_errors",
	} {
		if !slices.Contains(names, name) {
			t.Errorf("no %s in %s", name, strings.Join(names, " "))
		}
	}
}

func Example() {
	conf := config.New(config.Options{Project: "nova"})
	if err := stock.Declare(conf, "nova"); err != nil {
		panic(err)
	}
	var r paste.Registry
	stock.Register(&r, stock.Options{Config: conf})
	r.App("example:app", func(global, local map[string]string) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }), nil
	})
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "api-paste.ini")
	os.WriteFile(file, []byte(`
[pipeline:main]
pipeline = health app
[filter:health]
use = egg:oslo.middleware#healthcheck
[app:app]
paste.app_factory = example:app
`), 0o600)
	app, err := paste.Load(file, "main", paste.Options{Registry: &r})
	if err != nil {
		panic(err)
	}
	for _, path := range []string{"/", "/healthcheck"} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Printf("%d %q\n", w.Code, w.Body)
	}
	// Output:
	// 200 "hello\n"
	// 200 ""
}
