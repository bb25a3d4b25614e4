// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/mainstay-go/mainstay/paste"
)

const exampleFile = `
[DEFAULT]
region = north

[pipeline:main]
pipeline = shout hello

[filter:shout]
paste.filter_factory = example:Shout.factory
mark = !

[app:hello]
use = egg:Example#hello
greeting = hello from the %(region)s
`

func exampleRegistry() *paste.Registry {
	r := &paste.Registry{}
	r.App("Example#hello", func(_, local map[string]string) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, local["greeting"])
		}), nil
	})
	r.Filter("example:Shout.factory", func(_, local map[string]string) (func(http.Handler) http.Handler, error) {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r)
				io.WriteString(w, local["mark"])
			})
		}, nil
	})
	return r
}

func exampleRead(string) ([]byte, error) { return []byte(exampleFile), nil }

func ExampleLoad() {
	app, err := paste.Load("/etc/example/api-paste.ini", "main", paste.Options{Registry: exampleRegistry(), ReadFile: exampleRead})
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Body)

	_, err = paste.Load("/etc/example/api-paste.ini", "admin", paste.Options{ReadFile: exampleRead})
	fmt.Println(errors.Is(err, paste.ErrAppNotFound))
	// Output:
	// hello from the north!
	// true
}

func ExampleRegistry() {
	r := &paste.Registry{}
	r.App("example:Hello.factory", func(_, _ map[string]string) (http.Handler, error) { return http.NotFoundHandler(), nil })
	_, err := paste.Load("/x.ini", "main", paste.Options{Registry: r, ReadFile: func(string) ([]byte, error) {
		return []byte("[app:main]\npaste.app_factory = example:Hallo.factory\n"), nil
	}})
	var unknown *paste.UnknownError
	if errors.As(err, &unknown) {
		fmt.Println(unknown.Line, unknown.Name, unknown.Nearest)
	}
	// Output:
	// 2 example:Hallo.factory [example:Hello.factory]
}

func ExampleFile_Graph() {
	f, err := paste.Open("/etc/example/api-paste.ini", paste.Options{Registry: exampleRegistry(), ReadFile: exampleRead})
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := f.Graph("main")
	if err != nil {
		fmt.Println(err)
		return
	}
	n.WriteTree(os.Stdout)
	// Output:
	// pipeline main
	// ├─ filter shout  example:Shout.factory
	// └─ app hello  egg:Example#hello
}

func ExamplePipelines() {
	r := &paste.Registry{}
	r.Composite("nova.api.auth:pipeline_factory_v21", paste.Pipelines(func() string { return "noauth2" }))
	r.App("example:app", func(_, local map[string]string) (http.Handler, error) {
		fmt.Println("made", local["name"])
		return http.NotFoundHandler(), nil
	})
	_, err := paste.Load("/x.ini", "main", paste.Options{Registry: r, ReadFile: func(string) ([]byte, error) {
		return []byte(`[composite:main]
use = call:nova.api.auth:pipeline_factory_v21
keystone = authtoken api
noauth2 = api
[app:api]
paste.app_factory = example:app
name = the API
`), nil
	}})
	fmt.Println(err)
	// Output:
	// made the API
	// <nil>
}
