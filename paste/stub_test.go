// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/mainstay-go/mainstay/paste"
)

// A tree is what a stand-in made, as read_paste.py writes it. The first number is that of the call of
// its factory.
type tree map[string]any

func (t tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// stubs are the factories of the corpus. They count their calls.
type stubs struct{ made int }

func (s *stubs) node(kind string, global, local map[string]string) tree {
	s.made++
	return tree{kind: s.made, "global": global, "local": local}
}

func (s *stubs) app(global, local map[string]string) (http.Handler, error) {
	return s.node("app", global, local), nil
}

func (s *stubs) filter(global, local map[string]string) (func(http.Handler) http.Handler, error) {
	node := s.node("filter", global, local)
	return func(next http.Handler) http.Handler { return node.around("next", next) }, nil
}

func (s *stubs) filterApp(app http.Handler, global, local map[string]string) (http.Handler, error) {
	return s.node("filter_app", global, local).around("next", app), nil
}

func (s *stubs) server(global, local map[string]string) (paste.Server, error) {
	node := s.node("server", global, local)
	return func(_ context.Context, app http.Handler) error { return served{node.around("app", app)} }, nil
}

func (s *stubs) runner(_ context.Context, app http.Handler, global, local map[string]string) error {
	return served{s.node("runner", global, local).around("app", app)}
}

// served is how a stand-in of a server says what it served.
type served struct{ tree }

func (served) Error() string { return "served" }

func (t tree) around(key string, app http.Handler) tree {
	out := tree{key: app}
	for k, v := range t {
		out[k] = v
	}
	return out
}

func (s *stubs) urlmap(l paste.Loader, global, local map[string]string) (http.Handler, error) {
	node := s.node("composite", global, local)
	parts := []any{}
	for _, key := range l.Keys() {
		app, err := l.With(global).App(local[key])
		if err != nil {
			return nil, err
		}
		parts = append(parts, []any{key, app})
	}
	node["parts"] = parts
	return node, nil
}

func (s *stubs) pipeline(l paste.Loader, global, local map[string]string) (http.Handler, error) {
	node := s.node("composite", global, local)
	app, err := paste.Pipelines(func() string { return "keystone" })(l, global, local)
	node["parts"] = []any{[]any{"keystone", app}}
	return node, err
}

func (s *stubs) fail(_, _ map[string]string) (http.Handler, error) { return nil, errors.New("no luck") }

// registry has the names that read_paste.py has.
func (s *stubs) registry() *paste.Registry {
	r := &paste.Registry{}
	r.App("stub:app", s.app)
	r.App("stub:App.factory", s.app)
	r.App("stub.sub:app", s.app)
	r.App("stub:fail", s.fail)
	r.Filter("stub:filter", s.filter)
	r.FilterApp("stub:filter_app", s.filterApp)
	r.Server("stub:server", s.server)
	r.ServerRunner("stub:runner", s.runner)
	r.Composite("stub:urlmap", s.urlmap)
	r.Composite("stub:pipeline", s.pipeline)
	r.App("Stub.Dist#main", s.app)
	r.App("Stub.Dist#both", s.app)
	r.Composite("Stub.Dist#both", s.urlmap)
	r.Composite("Stub.Dist#old", s.urlmap)
	r.Composite("Stub.Dist#urlmap", s.urlmap)
	r.Filter("Stub.Dist#main", s.filter)
	r.Filter("Stub.Dist#two", s.filter)
	r.FilterApp("Stub.Dist#two", s.filterApp)
	r.FilterApp("Stub.Dist#wrap", s.filterApp)
	r.Server("Stub.Dist#main", s.server)
	r.ServerRunner("Stub.Dist#run", s.runner)
	return r
}

// load makes what a file says is to be loaded.
func (s *stubs) load(file, kind, name string, o paste.Options) (http.Handler, error) {
	o.Registry = s.registry()
	f, err := paste.Open(file, o)
	if err != nil {
		return nil, err
	}
	end := tree{"app": 0}
	switch kind {
	case "filter":
		filter, err := f.Filter(name)
		if err != nil {
			return nil, err
		}
		return filter(end)
	case "server":
		server, err := f.Server(name)
		if err != nil {
			return nil, err
		}
		err = server(context.Background(), end)
		var got served
		if errors.As(err, &got) {
			return got.tree, nil
		}
		return nil, err
	}
	return f.App(name)
}

// directives returns what the comments of a case say.
func directives(text string) (kind, name string, global map[string]string) {
	kind, name, global = "app", "main", map[string]string{}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "#load:"); ok {
			kind, name, _ = strings.Cut(strings.TrimSpace(rest), " ")
		} else if rest, ok := strings.CutPrefix(line, "#global:"); ok {
			key, value, _ := strings.Cut(strings.TrimSpace(rest), "=")
			global[key] = value
		}
	}
	return kind, name, global
}
