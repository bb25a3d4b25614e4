// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package route sends requests to handlers by method and path, below wherever a program is mounted: what
nova and neutron use Routes for, on the patterns of [http.ServeMux].

	rt := &route.Router{}
	rt.Redirect("", "/", http.StatusFound)
	rt.HandleFunc("GET /extensions/{alias}", extension)
	rt.Resource("/servers", route.Resource{Index: list, Create: create, Show: show, Delete: remove,
		Collection: map[string]http.HandlerFunc{"GET detail": detail},
		Member:     map[string]http.HandlerFunc{"POST action": action}})
	rt.Mount("/images/{id}/files", files)

A [Router] differs from an http.ServeMux in what a program that does not own the root of its server
needs:

  - The path may be empty, as behind a URL map, and the pattern "" (or "GET ") matches that.
  - It never redirects by itself. A path with "//" or ".." and one that lacks its last slash match what
    they are written as, which is mostly nothing.
  - A path that matches for other methods only is a 404, as in Routes, or with
    [Router.MethodNotAllowed] a 405 that lists them.
  - [Router.Redirect] and [Router.Mount] know the prefix that was taken off, see urlmap.Prefix.
  - [Where] restricts a variable to a pattern of its own, and [Router.Optional] is a first segment that
    may be there or not: nova's project id.

As in ServeMux, and not as in Routes, the more specific pattern wins in whatever order they are added,
two that clash panic, and GET is also HEAD.

[Var] returns what a variable matched; r.PathValue does too, but for variables of mounts further out.
*/
package route
