// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package route

import (
	"fmt"
	"net/http"
	"strings"
)

// A Resource is a collection with members, under the paths and methods that Routes gives them. What is
// nil is not there. The variable of a member is {id}.
type Resource struct {
	Index  http.HandlerFunc // GET /servers
	Create http.HandlerFunc // POST /servers
	New    http.HandlerFunc // GET /servers/new
	Show   http.HandlerFunc // GET /servers/{id}
	Update http.HandlerFunc // PUT /servers/{id}
	Delete http.HandlerFunc // DELETE /servers/{id}
	Edit   http.HandlerFunc // GET /servers/{id}/edit

	// Collection and Member have further actions by method and name, "GET detail" or "POST action",
	// as GET /servers/detail and POST /servers/{id}/action.
	Collection, Member map[string]http.HandlerFunc

	// Formats are endings that every path may have, such as "json". What was asked for is
	// the variable format.
	Formats []string

	// Conditions hold for all of it.
	Conditions []Condition
}

// Resource adds a resource at a path, "/servers" or "/regions/{region_id}/locations". It panics as
// [Router.Handle] does, and for an action that is not a method and a name.
func (rt *Router) Resource(path string, res Resource) {
	path = strings.TrimRight(path, "/")
	member := path + "/{id}"
	add := func(method, path string, h http.HandlerFunc) {
		if h == nil {
			return
		}
		if path == member {
			rt.HandleFunc(method+" "+path, memberFormat(h, res.Formats), res.Conditions...)
			return
		}
		rt.HandleFunc(method+" "+path, h, res.Conditions...)
		for _, format := range res.Formats {
			rt.HandleFunc(method+" "+path+"."+format, withFormat(h, format, ""), res.Conditions...)
		}
	}
	add("GET", path, res.Index)
	add("POST", path, res.Create)
	add("GET", path+"/new", res.New)
	add("GET", member, res.Show)
	add("PUT", member, res.Update)
	add("DELETE", member, res.Delete)
	add("GET", member+"/edit", res.Edit)
	for action, h := range res.Collection {
		method, name := splitAction(action)
		add(method, path+"/"+name, h)
	}
	for action, h := range res.Member {
		method, name := splitAction(action)
		add(method, member+"/"+name, h)
	}
}

func splitAction(action string) (method, name string) {
	method, name, ok := strings.Cut(action, " ")
	if name = strings.Trim(name, " /"); !ok || method == "" || name == "" {
		panic(fmt.Sprintf("route: action %q: want a method and a name, as in \"POST action\"", action))
	}
	return method, name
}

// withFormat tells a handler the format, and the id where that had the format behind it.
func withFormat(h http.HandlerFunc, format, id string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("format", format)
		if id != "" {
			r.SetPathValue("id", id)
		}
		h(w, r)
	}
}

// memberFormat takes a format off the id: ServeMux has no variable within a segment.
func memberFormat(h http.HandlerFunc, formats []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, format := range formats {
			if id, ok := strings.CutSuffix(r.PathValue("id"), "."+format); ok && id != "" {
				withFormat(h, format, id)(w, r)
				return
			}
		}
		h(w, r)
	}
}
