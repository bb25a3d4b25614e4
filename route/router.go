// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package route

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/mainstay-go/mainstay/urlmap"
)

// A Router sends requests to handlers. The zero value is ready and empty. What adds to it and its
// fields must be done with before it serves; serving is safe for many goroutines.
type Router struct {
	// NotFound answers what matches nothing; nil is [http.NotFound].
	NotFound http.Handler

	// MethodNotAllowed answers 405 with an Allow header, and not 404, where only the method is wrong.
	MethodNotAllowed bool

	// MethodOverride lets the query parameter _method stand for the method, and in a POST that of a
	// form, whose body is then read. Routes does that by default. A link that deletes is rarely wanted.
	MethodOverride bool

	mux      http.ServeMux
	empty    http.ServeMux // of patterns without a path, as emptyPath
	optional *optional
}

// emptyPath stands for the empty path, which ServeMux does not have.
const emptyPath = "/"

// An optional is a first segment that may be there or not.
type optional struct {
	name    string
	pattern *regexp.Regexp
}

// A Condition is what a request must fulfil besides the pattern.
type Condition func(r *http.Request) bool

// Where restricts a variable to a regular expression, which must match all of it. It panics if that is
// none.
func Where(name, expr string) Condition {
	pattern := regexp.MustCompile(`^(?:` + expr + `)$`)
	return func(r *http.Request) bool { return pattern.MatchString(Var(r, name)) }
}

// Handle adds a handler for a pattern of [http.ServeMux], without a host: "GET /servers/{id}". A pattern
// without a path, "" or "GET ", is the empty path. What does not fulfil the conditions is a 404. It
// panics for a pattern that clashes with another.
func (rt *Router) Handle(pattern string, handler http.Handler, conditions ...Condition) {
	e := &entry{router: rt, handler: handler, conditions: conditions}
	method, p := splitPattern(pattern)
	if strings.Contains(method, "/") || p != "" && p[0] != '/' {
		panic(fmt.Sprintf("route: pattern %q: want a method, if any, and a path", pattern))
	}
	if p == "" {
		rt.empty.Handle(strings.TrimSpace(method+" "+emptyPath+"{$}"), e)
		return
	}
	rt.mux.Handle(pattern, e)
}

// HandleFunc is [Router.Handle] of a function.
func (rt *Router) HandleFunc(pattern string, handler http.HandlerFunc, conditions ...Condition) {
	rt.Handle(pattern, handler, conditions...)
}

// splitPattern returns the method, "" for all, and the path.
func splitPattern(pattern string) (method, path string) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok && strings.HasPrefix(pattern, "/") {
		return "", pattern
	}
	return method, strings.TrimLeft(path, " \t")
}

// Optional makes the first segment of every path a variable where the rest is found and it matches expr,
// but not without it: "/servers" and "/7f3a/servers" then are one. It panics if expr is no regular
// expression.
func (rt *Router) Optional(name, expr string) {
	rt.optional = &optional{name, regexp.MustCompile(`^(?:` + expr + `)$`)}
}

// Mount gives all paths that are prefix or go on behind it with a slash to a handler, which sees the rest.
// The prefix may have variables.
func (rt *Router) Mount(prefix string, handler http.Handler, conditions ...Condition) {
	prefix = strings.TrimRight(prefix, "/")
	depth := strings.Count(prefix, "/")
	names := variables(prefix)
	mounted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		for _, name := range names {
			ctx = context.WithValue(ctx, varKey(name), r.PathValue(name))
		}
		handler.ServeHTTP(w, urlmap.Shift(r.WithContext(ctx), prefixLen(r.URL.Path, depth)))
	})
	if prefix == "" {
		rt.Handle("", mounted, conditions...)
	} else {
		rt.Handle(prefix, mounted, conditions...)
	}
	rt.Handle(prefix+"/", mounted, conditions...)
}

// prefixLen returns the length of the first segments of a path.
func prefixLen(path string, segments int) int {
	n := 0
	for range segments {
		next := strings.IndexByte(path[n+1:], '/')
		if next < 0 {
			return len(path)
		}
		n += 1 + next
	}
	return n
}

var variable = regexp.MustCompile(`\{([^{}.$]+)(?:\.\.\.)?\}`)

func variables(pattern string) (names []string) {
	for _, m := range variable.FindAllStringSubmatch(pattern, -1) {
		names = append(names, m[1])
	}
	return names
}

// Redirect answers a pattern by a redirect to target, a path below where the program is mounted, in
// which {name} is a variable of the pattern. The query goes along. Code is usually
// [http.StatusFound].
func (rt *Router) Redirect(pattern, target string, code int) {
	rt.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		u := *r.URL
		u.Scheme, u.Host, u.RawPath = "", "", ""
		u.Path = urlmap.Prefix(r) + variable.ReplaceAllStringFunc(target, func(name string) string {
			return r.PathValue(strings.Trim(name, "{}."))
		})
		if strings.HasPrefix(u.Path, "//") { // no host of somebody's choice
			u.Path = "/" + strings.TrimLeft(u.Path, "/")
		}
		w.Header().Set("Location", u.String())
		w.WriteHeader(code)
	})
}

type varKey string

// Var returns what a variable matched, "" for one that is not there: that of the router itself, or else of
// a mount further out.
func Var(r *http.Request, name string) string {
	if value := r.PathValue(name); value != "" {
		return value
	}
	value, _ := r.Context().Value(varKey(name)).(string)
	return value
}

// ServeHTTP implements [http.Handler].
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rt.MethodOverride {
		r = overridden(r)
	}
	if rt.try(w, r) {
		return
	}
	if r2 := rt.withoutOptional(r); r2 != nil && rt.try(w, r2) {
		return
	}
	if allow := rt.allowed(r); allow != "" && rt.MethodNotAllowed {
		w.Header().Set("Allow", allow)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	rt.notFound(w, r)
}

func (rt *Router) notFound(w http.ResponseWriter, r *http.Request) {
	if rt.NotFound != nil {
		rt.NotFound.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// try serves a request that a pattern matches. ServeMux answers others by itself, which is not wanted.
func (rt *Router) try(w http.ResponseWriter, r *http.Request) bool {
	mux, asked := rt.muxOf(r)
	if mux == nil {
		return false
	}
	if h, _ := mux.Handler(asked); !isEntry(h) {
		return false
	}
	mux.ServeHTTP(&matched{w, r}, asked)
	return true
}

// muxOf returns the mux for the path of a request and the request as that is to see it: a copy, as it
// notes what it finds there. Nil for a path that no pattern can be meant by.
func (rt *Router) muxOf(r *http.Request) (*http.ServeMux, *http.Request) {
	asked := new(http.Request)
	*asked = *r
	if r.URL.Path == "" {
		u := *r.URL
		u.Path, u.RawPath = emptyPath, ""
		asked.URL = &u
		return &rt.empty, asked
	}
	clean := path.Clean(r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/") && clean != "/" {
		clean += "/"
	}
	if clean != r.URL.Path {
		return nil, nil
	}
	return &rt.mux, asked
}

func isEntry(h http.Handler) bool {
	_, ok := h.(*entry)
	return ok
}

// matched carries the request past ServeMux, which may have been shown another path.
type matched struct {
	http.ResponseWriter
	request *http.Request
}

// An entry is a handler with what a request must fulfil.
type entry struct {
	router     *Router
	handler    http.Handler
	conditions []Condition
}

func (e *entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m, ok := w.(*matched); ok {
		w, r.URL = m.ResponseWriter, m.request.URL
	}
	for _, fulfils := range e.conditions {
		if !fulfils(r) {
			e.router.notFound(w, r)
			return
		}
	}
	e.handler.ServeHTTP(w, r)
}

// withoutOptional returns the request without its first segment, nil if that is not the optional one.
func (rt *Router) withoutOptional(r *http.Request) *http.Request {
	if rt.optional == nil || !strings.HasPrefix(r.URL.Path, "/") {
		return nil
	}
	n := prefixLen(r.URL.Path, 1)
	segment := r.URL.Path[1:n]
	if !rt.optional.pattern.MatchString(segment) {
		return nil
	}
	ctx := context.WithValue(r.Context(), varKey(rt.optional.name), segment)
	return urlmap.Shift(r.WithContext(ctx), n)
}

// allowed returns the methods that the path of a request matches for, "" for none.
func (rt *Router) allowed(r *http.Request) string {
	for _, r := range []*http.Request{r, rt.withoutOptional(r)} {
		if r == nil {
			continue
		}
		mux, asked := rt.muxOf(r)
		if mux == nil {
			continue
		}
		h, _ := mux.Handler(asked)
		answer := answered{header: http.Header{}}
		if !isEntry(h) {
			h.ServeHTTP(&answer, asked)
		}
		if answer.status == http.StatusMethodNotAllowed {
			return answer.header.Get("Allow")
		}
	}
	return ""
}

// answered takes what ServeMux would answer.
type answered struct {
	header http.Header
	status int
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) Write(p []byte) (int, error) { return len(p), nil }
func (a *answered) WriteHeader(status int)      { a.status = status }

// overridden returns the request with the method that _method asks for.
func overridden(r *http.Request) *http.Request {
	method := r.URL.Query().Get("_method")
	if method == "" && r.Method == http.MethodPost {
		method = r.PostFormValue("_method")
	}
	if method == "" {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.Method = strings.ToUpper(method)
	return r2
}
