// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strings"
)

type prefixKey struct{}

// Prefix returns what maps, and proxies that [WithPrefix] speaks for, have taken off the beginning of
// the path, unquoted: WSGI's SCRIPT_NAME. It begins with a slash and does not end in one, or is empty.
func Prefix(r *http.Request) string {
	prefix, _ := r.Context().Value(prefixKey{}).(string)
	return prefix
}

// WithPrefix returns a context in which [Prefix] is prefix: for handlers that take a part of the path
// themselves, or know of a proxy that did.
func WithPrefix(ctx context.Context, prefix string) context.Context {
	return context.WithValue(ctx, prefixKey{}, prefix)
}

// Shift returns the request that a handler sees after the first n bytes of r.URL.Path were taken off:
// they are added to [Prefix], and the quoted path is kept in step. The request itself stays as it is.
func Shift(r *http.Request, n int) *http.Request { return shift(r, r.URL.Path, n) }

// shift returns the request that a handler sees whose prefix are the first n bytes of path, which is
// the path of r without doubled slashes.
func shift(r *http.Request, path string, n int) *http.Request {
	r2 := r
	if n > 0 {
		r2 = r.WithContext(WithPrefix(r.Context(), Prefix(r)+path[:n]))
	}
	if path[n:] == r.URL.Path {
		return r2
	}
	if r2 == r {
		r2 = new(http.Request)
		*r2 = *r
	}
	u := *r.URL
	u.Path = path[n:]
	if u.RawPath != "" {
		u.RawPath = shiftRaw(u.RawPath, n, path != r.URL.Path)
	}
	r2.URL = &u
	return r2
}

// shiftRaw does with a quoted path what shift does with the unquoted one, so that both stay the same
// path. Slashes that follow each other are one if collapsed.
func shiftRaw(raw string, n int, collapsed bool) string {
	var b strings.Builder
	slash := false
	for raw != "" {
		size := 1
		if raw[0] == '%' && len(raw) >= 3 {
			size = 3
		}
		c, err := url.PathUnescape(raw[:size])
		if err != nil { // not of a parsed URL, which nothing can be said of
			return ""
		}
		if doubled := collapsed && c == "/" && slash; !doubled {
			if n--; n < 0 {
				b.WriteString(raw[:size])
			}
		}
		slash = c == "/"
		raw = raw[size:]
	}
	return b.String()
}

// notFound answers as Paste's HTTPNotFound does, but for its comment, which lists what is mounted.
func notFound(w http.ResponseWriter, r *http.Request) {
	const explanation = "The resource could not be found.\r\n"
	accept := strings.Join(r.Header.Values("Accept"), ",")
	body, kind := "404 Not Found\r\n"+explanation+r.URL.Path+"\r\n", "text/plain"
	if strings.Contains(accept, "html") || strings.Contains(accept, "*/*") {
		body, kind = "<html>\r\n  <head><title>Not Found</title></head>\r\n  <body>\r\n    <h1>Not Found</h1>\r\n    <p>"+
			explanation+"<br/>"+html.EscapeString(r.URL.Path)+"</p>\r\n  </body>\r\n</html>\r\n", "text/html"
	}
	w.Header().Set("Content-Type", kind+"; charset=utf8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		w.Write([]byte(body))
	}
}
