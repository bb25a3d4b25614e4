// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/mainstay-go/mainstay/urlmap"
)

func ExampleMap() {
	show := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Printf("%s: prefix %q, path %q\n", name, urlmap.Prefix(r), r.URL.Path)
		})
	}
	m := &urlmap.Map{Wildcards: true}
	for key, name := range map[string]string{"/": "versions", "/v2.1": "version", "/v2.1/+": "api"} {
		if err := m.Handle(key, show(name)); err != nil {
			fmt.Println(err)
		}
	}
	for _, path := range []string{"/", "/v2.1", "/v2.1/servers/1"} {
		m.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	// Output:
	// versions: prefix "", path "/"
	// version: prefix "/v2.1", path ""
	// api: prefix "/v2.1", path "/servers/1"
}
