// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// A Map sends requests to handlers. The zero value is ready and empty. Handle and the fields must be
// done with before it serves; serving is safe for many goroutines.
type Map struct {
	// NotFound answers what matches nothing, with the request as it came; nil is a 404.
	NotFound http.Handler

	// Wildcards gives a key that ends in "/+" its meaning; without, "+" is itself.
	Wildcards bool

	// Negotiate also takes the version that a media type asks for.
	Negotiate bool

	mounts []mount // the first match wins
}

// A mount is a key and its handler.
type mount struct {
	address
	handler http.Handler
}

// Handle adds a handler under a key, in the place of one that has it already. The error says what is
// wrong with the key.
func (m *Map) Handle(key string, handler http.Handler) error {
	if handler == nil {
		return errors.New("urlmap: nil handler")
	}
	a, err := parseAddress(key)
	if err != nil {
		return err
	}
	m.mounts = slices.DeleteFunc(m.mounts, func(old mount) bool { return old.address == a })
	m.mounts = append(m.mounts, mount{a, handler})
	slices.SortFunc(m.mounts, func(x, y mount) int { return x.compare(y.address) })
	return nil
}

// compare puts domains before none, in alphabetical order, and then the longest path first.
func (a address) compare(b address) int {
	if (a.domain == "") != (b.domain == "") {
		if a.domain == "" {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.path, b.path))
}

// ServeHTTP implements [http.Handler].
func (m *Map) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := collapse(r.URL.Path)
	if path != "" && path[0] != '/' { // OPTIONS *
		m.notFound(w, r)
		return
	}
	host := hostOf(r)
	if m.Negotiate {
		m.negotiate(w, r, host, path)
		return
	}
	mt, n := m.match(host, path)
	if mt == nil {
		m.notFound(w, r)
		return
	}
	mt.handler.ServeHTTP(w, shift(r, path, n))
}

// match returns the mount for a path without doubled slashes, and the length of its prefix.
func (m *Map) match(host host, path string) (*mount, int) {
	for i := range m.mounts {
		mt := &m.mounts[i]
		if mt.domain != "" && mt.domain != host.name && mt.domain != host.name+":"+host.port {
			continue
		}
		if before, ok := strings.CutSuffix(mt.path, "/+"); ok && m.Wildcards {
			if len(path) >= len(mt.path) && strings.HasPrefix(path, before+"/") {
				return mt, len(before)
			}
			continue
		}
		if rest, ok := strings.CutPrefix(path, mt.path); ok && (rest == "" || rest[0] == '/') {
			return mt, len(mt.path)
		}
	}
	return nil, 0
}

func (m *Map) notFound(w http.ResponseWriter, r *http.Request) {
	if m.NotFound != nil {
		m.NotFound.ServeHTTP(w, r)
		return
	}
	notFound(w, r)
}
