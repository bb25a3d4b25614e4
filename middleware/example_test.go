// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/mainstay-go/mainstay/middleware"
)

func Example() {
	version, err := middleware.MicroVersion(middleware.VersionOptions{Service: "compute", Min: "2.1", Max: "2.93"})
	if err != nil {
		panic(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "version", middleware.VersionOf(r.Context()), "for", middleware.IdentityOf(r.Context()).UserID)
	})
	server := httptest.NewServer(middleware.RequestID()(middleware.FaultWrapper(nil)(middleware.NoAuth2()(version(app)))))
	defer server.Close()

	for _, wanted := range []string{"latest", "2.99"} {
		r, _ := http.NewRequest("GET", server.URL, nil)
		r.Header.Set("X-Auth-Token", "alice:demo")
		r.Header.Set("OpenStack-API-Version", "compute "+wanted)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Println(res.StatusCode, string(body))
	}
	// Output:
	// 200 version 2.93 for alice
	//
	// 406 {"computeFault": {"code": 406, "message": "Version 2.99 is not supported by the API. Minimum is 2.1 and maximum is 2.93."}}
}
