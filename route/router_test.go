// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package route_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/route"
	"github.com/mainstay-go/mainstay/urlmap"
)

// show answers with its name, the path below its mount and the variables.
func show(name string, vars ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %q", name, urlmap.Prefix(r)+"|"+r.URL.Path)
		for _, v := range vars {
			fmt.Fprintf(w, " %s=%s", v, route.Var(r, v))
		}
	}
}

// ask sends "METHOD TARGET" and returns the body, or the status with Location or Allow.
func ask(h http.Handler, request string) string {
	method, target, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, "http://example.com/", nil)
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawQuery = path, query
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		return w.Body.String()
	}
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Header().Get("Location"), w.Header().Get("Allow")))
}

func check(t *testing.T, h http.Handler, cases map[string]string) {
	t.Helper()
	for request, want := range cases {
		if got := ask(h, request); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

func TestRouter(t *testing.T) {
	rt := &route.Router{}
	rt.Redirect("", "/", http.StatusFound)
	rt.Handle("GET /{$}", show("root"))
	rt.HandleFunc("GET /flavors/{id}", show("flavor", "id"), route.Where("id", `\d+`))
	rt.HandleFunc("POST /flavors", show("create"))
	rt.HandleFunc("PUT /flavors", show("replace"))
	rt.Handle("/tree/", show("tree"))
	rt.Redirect("GET /old/{name}/{rest...}", "/new/{name}/x/{rest}", http.StatusMovedPermanently)
	rt.Redirect("GET /away", "//evil.example", http.StatusFound)
	check(t, rt, map[string]string{
		"GET ":                        "302 /",
		"GET ?a=b":                    "302 /?a=b",
		"GET /":                       `root "|/"`,
		"HEAD /":                      `root "|/"`,
		"POST /":                      "404",
		"GET /flavors/12":             `flavor "|/flavors/12" id=12`,
		"GET /flavors/x12":            "404",
		"GET /flavors/12/":            "404",
		"GET /flavors":                "404",
		"GET //flavors/12":            "404",
		"GET /x/../flavors/12":        "404",
		"GET /tree":                   "404",
		"GET /tree/a":                 `tree "|/tree/a"`,
		"GET /none":                   "404",
		"GET /old/a/b/c?q=1":          "301 /new/a/x/b/c?q=1",
		"GET /away":                   "302 /evil.example",
		"DELETE /flavors?_method=PUT": "404",
	})
	rt.MethodNotAllowed = true
	rt.MethodOverride = true
	rt.NotFound = show("none")
	check(t, rt, map[string]string{
		"GET /flavors":                "405 POST, PUT",
		"GET /none":                   `none "|/none"`,
		"GET /flavors/x":              `none "|/flavors/x"`,
		"DELETE /flavors?_method=put": `replace "|/flavors"`,
	})
}

func TestRouterBehindMap(t *testing.T) {
	rt := &route.Router{}
	rt.Redirect("GET ", "/", http.StatusFound)
	rt.Redirect("/out", "/servers", http.StatusSeeOther)
	rt.Handle("GET /servers", show("servers"))
	m := &urlmap.Map{}
	if err := m.Handle("/v2.1", rt); err != nil {
		t.Fatal(err)
	}
	check(t, m, map[string]string{
		"GET /v2.1":         "302 /v2.1/",
		"GET /v2.1/out":     "303 /v2.1/servers",
		"GET /v2.1/servers": `servers "/v2.1|/servers"`,
		"POST /v2.1":        "404",
	})
}

func TestOptional(t *testing.T) {
	rt := &route.Router{MethodNotAllowed: true}
	rt.Optional("project_id", "[0-9a-f-]+")
	rt.HandleFunc("GET /servers/{id}", show("server", "project_id", "id"))
	rt.HandleFunc("GET /abc/{id}", show("abc", "project_id", "id"))
	rt.HandleFunc("POST ", show("empty", "project_id"))
	check(t, rt, map[string]string{
		"GET /servers/1":       `server "|/servers/1" project_id= id=1`,
		"GET /7f-3/servers/1":  `server "/7f-3|/servers/1" project_id=7f-3 id=1`,
		"GET /abc/1":           `abc "|/abc/1" project_id= id=1`,
		"GET /xyz/servers/1":   "404",
		"POST /7f":             `empty "/7f|" project_id=7f`,
		"POST /7f/servers/1":   "405 GET, HEAD",
		"GET /7f/7f/servers/1": "404",
	})
}

func TestMount(t *testing.T) {
	inner := &route.Router{}
	inner.HandleFunc("GET ", show("mount", "project", "id"))
	inner.HandleFunc("GET /files/{id}", show("file", "project", "id"))
	rt := &route.Router{}
	rt.Mount("/images/{project}/of/{id}/", inner)
	rt.Mount("/static", show("static"))
	rt.HandleFunc("GET /images/{project}", show("images", "project"))
	all := &route.Router{}
	all.Mount("/", show("all"))
	check(t, rt, map[string]string{
		"GET /images/p/of/7":         `mount "/images/p/of/7|" project=p id=7`,
		"GET /images/p/of/7/files/8": `file "/images/p/of/7|/files/8" project=p id=8`,
		"GET /images/p/of/7/files":   "404",
		"GET /images/p":              `images "|/images/p" project=p`,
		"GET /static":                `static "/static|"`,
		"GET /static/":               `static "/static|/"`,
		"PUT /static/a/b":            `static "/static|/a/b"`,
		"GET /statics":               "404",
	})
	check(t, all, map[string]string{"GET ": `all "|"`, "GET /": `all "|/"`, "GET /a": `all "|/a"`})
}

func TestResource(t *testing.T) {
	rt := &route.Router{}
	names := []string{"id", "format"}
	rt.Resource("/servers", route.Resource{
		Index: show("index", names...), Create: show("create"), New: show("new"), Show: show("show", names...),
		Update: show("update"), Delete: show("delete", "id"), Edit: show("edit", "id"),
		Collection: map[string]http.HandlerFunc{"GET detail": show("detail", names...)},
		Member:     map[string]http.HandlerFunc{"POST action": show("action", names...)},
		Formats:    []string{"json", "xml"},
	})
	rt.Resource("/regions/{region_id}/locations", route.Resource{
		Show: show("location", "region_id", "id"), Conditions: []route.Condition{route.Where("region_id", "[a-z]+")},
	})
	check(t, rt, map[string]string{
		"GET /servers":               `index "|/servers" id= format=`,
		"GET /servers.json":          `index "|/servers.json" id= format=json`,
		"GET /servers.yaml":          "404",
		"POST /servers":              `create "|/servers"`,
		"GET /servers/new":           `new "|/servers/new"`,
		"GET /servers/detail.xml":    `detail "|/servers/detail.xml" id= format=xml`,
		"GET /servers/1":             `show "|/servers/1" id=1 format=`,
		"GET /servers/1.2.json":      `show "|/servers/1.2.json" id=1.2 format=json`,
		"GET /servers/1.yaml":        `show "|/servers/1.yaml" id=1.yaml format=`,
		"GET /servers/.json":         `show "|/servers/.json" id=.json format=`,
		"PUT /servers/1":             `update "|/servers/1"`,
		"DELETE /servers/1.xml":      `delete "|/servers/1.xml" id=1`,
		"GET /servers/1/edit":        `edit "|/servers/1/edit" id=1`,
		"POST /servers/1/action":     `action "|/servers/1/action" id=1 format=`,
		"GET /servers/1/action":      "404",
		"PATCH /servers/1":           "404",
		"GET /regions/a/locations/2": `location "|/regions/a/locations/2" region_id=a id=2`,
		"GET /regions/1/locations/2": "404",
		"GET /regions/a/locations":   "404",
	})
}

func TestOverrideByForm(t *testing.T) {
	rt := &route.Router{MethodOverride: true}
	rt.HandleFunc("DELETE /a", show("gone"))
	r := httptest.NewRequest("POST", "/a", strings.NewReader("_method=delete&x=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, r)
	if w.Code != 200 || r.Method != "POST" {
		t.Errorf("status %d, method %s", w.Code, r.Method)
	}
}

// Mistakes of a program are found where it starts.
func TestPanics(t *testing.T) {
	for name, f := range map[string]func(*route.Router){
		"a host":          func(rt *route.Router) { rt.Handle("example.com/a", show("")) },
		"a relative path": func(rt *route.Router) { rt.Handle("GET a", show("")) },
		"twice":           func(rt *route.Router) { rt.Handle("/a", show("")); rt.Handle("/a", show("")) },
		"an expression":   func(rt *route.Router) { rt.Optional("a", "(") },
		"a nameless action": func(rt *route.Router) {
			rt.Resource("/a", route.Resource{Member: map[string]http.HandlerFunc{"GET": show("")}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(&route.Router{})
		})
	}
}

func ExampleRouter() {
	rt := &route.Router{}
	rt.Redirect("", "/", http.StatusFound)
	rt.Optional("project_id", "[0-9a-f-]+")
	rt.Resource("/servers", route.Resource{Show: func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("server %s of project %q\n", route.Var(r, "id"), route.Var(r, "project_id"))
	}})
	for _, path := range []string{"/servers/1", "/7f3a/servers/2"} {
		rt.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	// Output:
	// server 1 of project ""
	// server 2 of project "7f3a"
}
