// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// An address is what a key stands for.
type address struct {
	domain string // in lower case, with ":port" if the key has one; "" for all
	path   string // "" or "/a/b", without a slash at its end
}

// parseAddress reads a key: a path, "domain NAME [port NUMBER] [PATH]" in any order, or a URL without
// anything behind its path.
func parseAddress(key string) (address, error) {
	words := strings.Fields(key)
	found := map[string]string{}
	for i := 0; i < len(words); i++ {
		what := words[i]
		switch {
		case what != "domain" && what != "port":
			what = "path"
		case i+1 == len(words):
			return address{}, fmt.Errorf("path %q: %q must be followed by its value", key, what)
		default:
			i++
		}
		if found[what] != "" {
			return address{}, fmt.Errorf("path %q: more than one %s", key, what)
		}
		found[what] = words[i]
	}
	a := address{strings.ToLower(found["domain"]), found["path"]}
	if a.domain == "" {
		for _, scheme := range []string{"http://", "https://"} {
			if rest, ok := strings.CutPrefix(a.path, scheme); ok {
				domain, path, _ := strings.Cut(rest, "/")
				a = address{strings.ToLower(domain), "/" + path}
			}
		}
	} else {
		a.path = "/" + a.path
	}
	if a.path != "" && a.path[0] != '/' {
		return address{}, fmt.Errorf("path %q: want one that begins with / or http://, or domain NAME [port NUMBER] and a path", key)
	}
	if port := found["port"]; port != "" {
		if a.domain == "" {
			return address{}, fmt.Errorf("path %q: a port needs a domain", key)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return address{}, fmt.Errorf("path %q: port %q: want a number up to 65535", key, port)
		}
		a.domain += ":" + port
	}
	a.path = strings.TrimRight(collapse(a.path), "/")
	return a, nil
}

// collapse makes one slash of several that follow each other.
func collapse(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// A host is what a request was sent to.
type host struct{ name, port string }

// hostOf returns the host of a request in lower case, and its port or that of its scheme.
func hostOf(r *http.Request) host {
	h := host{strings.ToLower(r.Host), "80"}
	if r.TLS != nil || r.URL.Scheme == "https" {
		h.port = "443"
	}
	// Not in brackets: an IPv6 address has colons of its own.
	if i := strings.LastIndexByte(h.name, ':'); i > strings.LastIndexByte(h.name, ']') {
		h.name, h.port = h.name[:i], h.name[i+1:]
	}
	return h
}
